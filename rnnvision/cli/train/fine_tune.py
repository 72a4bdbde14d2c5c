"""weights=CHECKPOINT: a training starts from the weights of a trained network, in place of random ones.

They may be those of others, see `rnnvision.inference.published`.
Its head is kept where the classes are the same ones in the same order; else a new one begins at random.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.checks import counted, shortened
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.setup import Training
from rnnvision.cli.train.another_network import another_network
from rnnvision.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

# Arguments of a network that may differ without a word: the data's, rates of training, the layer's own options, and the
# sizes of a Sequencer2D, which the shapes of the weights show.
MAY_DIFFER = (
    *("input_shape", "num_classes", "dropout", "tied_dropout", "head_dropout", "drop_path", "layer"),
    *("variant", "layers", "patch_sizes", "embed_dims", "hidden_sizes", "mlp_ratios"),
)
# Options of layers that may differ too: of their initialisation, of their training, and of how they are computed.
LAYER_MAY_DIFFER = ("weight_init", "gate_bias", "r_min", "r_max", "max_phase", "clip", "chunk_size")


class FineTuning:
    """Copy the weights of `weights`; a resumed training has them in its own checkpoint."""

    def __init__(self, training: Training) -> None:
        from rnnvision.inference.published import read_trained
        from rnnvision.nn.parts import frozen_names
        from rnnvision.training import find_checkpoint, load_network

        cfg, self.learner = training.cfg, training.learner
        if cfg.get("pretrain") is not None:
            raise UsageError(
                f"weights={cfg.weights}: pretrain={cfg.pretrain} makes weights too; leave out one of the two"
            )
        self.line, self.found = "", None
        if cfg.resume is not None:
            return
        path = find_checkpoint(expanded(str(cfg.weights)))
        checkpoint = read_trained(path)
        theirs = checkpoint["rnnvision"]
        network: Any = self.learner.network
        own_arguments = self.learner.description["network"]
        if theirs["network"]["name"] != own_arguments["name"]:
            raise UsageError(another_network(str(cfg.weights), theirs["network"], self.learner.description))
        self.found = load_network(checkpoint, path, classifies=True).state_dict()
        if hasattr(network, "resized"):
            self.found = network.resized(self.found, theirs["network"]["input_shape"])
        own = network.state_dict()
        if misfit := _misfit(own, self.found):
            raise UsageError(another_network(str(cfg.weights), theirs["network"], self.learner.description, misfit))
        same = list(theirs["class_names"]) == self.learner.description["class_names"]
        if not same:
            self.found = {name: weight for name, weight in self.found.items() if not name.startswith("head.")}
        head = "with its head" if same else f"with a new head, for {shortened(self.learner.description['class_names'])}"
        self.learner.description["weights"] = {"from": _shown(path), "head": "kept" if same else "new"}
        whose = f" ({theirs['published']})" if "published" in theirs else ""
        at = "" if theirs["network"]["input_shape"][1:] == own_arguments["input_shape"][1:] else _positions(network)
        notes = [*_read_otherwise(theirs["network"], own_arguments), *_trained_on(theirs, training)]
        if not same and all(name in frozen_names(network) for name in own if name.startswith("head.")):
            notes.append("note      the new head is frozen, and keeps its random weights")
        self.line = "\n".join([f"weights   of {_shown(path)}{whose}{at}, {head}", *notes])

    def run(self) -> dict[str, float]:
        if self.found is not None:
            network = self.learner.network
            network.load_state_dict({**network.state_dict(), **self.found})
        return {}


def _misfit(own: dict[str, "Tensor"], found: dict[str, "Tensor"]) -> str:
    """The first weight that does not fit, and how many others; "" where all do. The head may have another shape."""
    differ = []
    for name in {**own, **found}:
        if name not in own:
            differ.append(f"only these weights have {name}")
        elif name.startswith("head."):
            continue
        elif name not in found:
            differ.append(f"only this network has {name}")
        elif own[name].shape != found[name].shape:
            old, new = (" x ".join(map(str, weight.shape)) for weight in (found[name], own[name]))
            differ.append(f"{name} is {old}, here {new}")
    more = f", and {len(differ) - 1:,} more" if len(differ) > 1 else ""
    return f"{differ[0]}{more}" if differ else ""


def _positions(network: Any) -> str:
    """What becomes of positions, where a network learns some, for images of another size."""
    if not hasattr(network, "resized"):
        return ""
    return f", its positions interpolated to {' x '.join(map(str, network.scan.grid))}"


def _read_otherwise(theirs: dict[str, Any], own: dict[str, Any]) -> list[str]:
    """What the same weights compute otherwise here, such as another activation or scan."""
    from rnnvision.nn import MODELS
    from rnnvision.signature import parameters

    if theirs["name"] != own["name"]:
        return []
    usual = {name: p.default for name, p in parameters(MODELS[own["name"]]).items() if name not in MAY_DIFFER}
    found = {name: (theirs.get(name, value), own.get(name, value)) for name, value in usual.items()}
    found |= _layer_otherwise(own.get("recurrence"), theirs.get("layer") or {}, own.get("layer") or {})
    return [
        f"note      {name}={yaml_text(old)} where these weights were trained, {name}={yaml_text(new)} here; to keep it "
        f"add model.{name}={yaml_text(old)}"
        for name, (old, new) in found.items()
        if old != new
    ]


def _layer_otherwise(recurrence: str | None, theirs: dict[str, Any], own: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The options of a layer with which the same weights compute something else, as they were and as they are."""
    from rnnvision.nn import RECURRENCES

    kind = RECURRENCES.get(str(recurrence))
    options = kind.options() if kind is not None else {}
    usual = {name: p.default for name, p in options.items() if name not in LAYER_MAY_DIFFER}
    values = {name: [given.get(name) for given in (theirs, own)] for name in usual}
    return {
        f"layer.{name}": (usual[name] if old is None else old, usual[name] if new is None else new)
        for name, (old, new) in values.items()
    }


def _trained_on(theirs: dict[str, Any], training: Training) -> list[str]:
    """How many images of validation and test these weights know, where both were trained on a user's files."""
    from rnnvision.data.membership import PARTS, Record

    now = training.data.record
    if now is None or "files" not in theirs:
        return []
    known = Record.of(theirs["files"]).members(1)[0]  # by content
    counts = {part: len(own & known) for part, own in zip(PARTS, now.members(1), strict=True) if part != "train"}
    return [
        f"note      {counted(count, 'image')} of {part}: these weights were trained on {'it' if count == 1 else 'them'}"
        for part, count in counts.items()
        if count
    ]


def _shown(path: Path) -> str:
    inside = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)
