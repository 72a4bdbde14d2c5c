"""weights=CHECKPOINT: a training starts from the weights of a trained network, in place of random ones.

They may be those of others, see `rnnvision.inference.published`.
Its head is kept where the classes are the same ones in the same order; else a new one begins at random.
"""

from pathlib import Path
from typing import Any

from rnnvision.checks import counted, shortened
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.setup import Training
from rnnvision.cli.train.another_network import another_network
from rnnvision.errors import UsageError

# Arguments of a network that may differ without a word: the data's, rates of training, the layer's own options, and the
# sizes of a Sequencer2D, which the shapes of the weights show.
MAY_DIFFER = (
    *("input_shape", "num_classes", "dropout", "tied_dropout", "head_dropout", "drop_path", "layer"),
    *("variant", "layers", "patch_sizes", "embed_dims", "hidden_sizes", "mlp_ratios"),
)


class FineTuning:
    """Copy the weights of `weights`; a resumed training has them in its own checkpoint."""

    def __init__(self, training: Training) -> None:
        from rnnvision.inference.published import read_trained
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
        others = {
            name for name, weight in own.items() if name not in self.found or self.found[name].shape != weight.shape
        }
        if others - {name for name in own if name.startswith("head.")} or self.found.keys() - own.keys():
            raise UsageError(another_network(str(cfg.weights), theirs["network"], self.learner.description))
        same = list(theirs["class_names"]) == self.learner.description["class_names"]
        if not same:
            self.found = {name: weight for name, weight in self.found.items() if not name.startswith("head.")}
        head = "with its head" if same else f"with a new head, for {shortened(self.learner.description['class_names'])}"
        whose = f" ({theirs['published']})" if "published" in theirs else ""
        at = "" if theirs["network"]["input_shape"][1:] == own_arguments["input_shape"][1:] else _positions(network)
        notes = [*_read_otherwise(theirs["network"], own_arguments), *_trained_on(theirs, training)]
        self.line = "\n".join([f"weights   of {_shown(path)}{whose}{at}, {head}", *notes])

    def run(self) -> dict[str, float]:
        if self.found is not None:
            network = self.learner.network
            network.load_state_dict({**network.state_dict(), **self.found})
        return {}


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
    return [
        f"note      {name}={yaml_text(old)} where these weights were trained, {name}={yaml_text(new)} here; to keep it "
        f"add model.{name}={yaml_text(old)}"
        for name, (old, new) in found.items()
        if old != new
    ]


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
