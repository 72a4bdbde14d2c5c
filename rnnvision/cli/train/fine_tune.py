"""weights=CHECKPOINT: a training starts from the weights of a trained network, in place of random ones.

Its head is kept where the classes are the same ones in the same order; else a new one begins at random.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnnvision.checks import counted, shortened
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.setup import Training
from rnnvision.errors import UsageError

# Arguments of a network that may differ without a word: the data's, rates of training, and the layer's own options.
MAY_DIFFER = ("input_shape", "num_classes", "dropout", "tied_dropout", "head_dropout", "drop_path", "layer")


class FineTuning:
    """Copy the weights of `weights`; a resumed training has them in its own checkpoint."""

    def __init__(self, training: Training) -> None:
        from rnnvision.training import find_checkpoint, load_network, read_checkpoint

        cfg, self.learner = training.cfg, training.learner
        if cfg.get("pretrain") is not None:
            raise UsageError(
                f"weights={cfg.weights}: pretrain={cfg.pretrain} makes weights too; leave out one of the two"
            )
        self.line, self.found = "", None
        if cfg.resume is not None:
            return
        path = find_checkpoint(expanded(str(cfg.weights)))
        checkpoint = read_checkpoint(path)
        self.found = load_network(checkpoint, path, classifies=True).state_dict()
        theirs = checkpoint["rnnvision"]
        own = self.learner.network.state_dict()
        others = {
            name for name, weight in own.items() if name not in self.found or self.found[name].shape != weight.shape
        }
        if others - {name for name in own if name.startswith("head.")} or self.found.keys() - own.keys():
            raise UsageError(_another_network(str(cfg.weights), theirs["network"], self.learner.description))
        same = list(theirs["class_names"]) == self.learner.description["class_names"]
        if not same:
            self.found = {name: weight for name, weight in self.found.items() if not name.startswith("head.")}
        head = "with its head" if same else f"with a new head, for {shortened(self.learner.description['class_names'])}"
        notes = [
            *_read_otherwise(theirs["network"], self.learner.description["network"]),
            *_trained_on(theirs, training),
        ]
        self.line = "\n".join([f"weights   of {_shown(path)}, {head}", *notes])

    def run(self) -> dict[str, float]:
        if self.found is not None:
            network = self.learner.network
            network.load_state_dict({**network.state_dict(), **self.found})
        return {}


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


def _another_network(weights: str, theirs: dict[str, Any], description: dict[str, Any]) -> str:
    """What to add to the command so that the network is the one whose weights these are."""
    own = description["network"]
    of_data = ("input_shape", "num_classes", "name")
    differ = {key: value for key, value in theirs.items() if key not in of_data and own.get(key) != value}
    if theirs["name"] != own["name"]:
        return f"weights={weights}: are of a {theirs['name']}, and this is a {own['name']}; choose its model="
    of_images = _size_words(theirs["input_shape"], own["input_shape"], description["data"]["name"])
    if not differ:
        read, here = (" x ".join(map(str, network["input_shape"])) for network in (theirs, own))
        advice = f"; add {' '.join(of_images)}" if of_images else ""
        return f"weights={weights}: are of a network that reads images of {read}, and these are of {here}{advice}"
    layer = differ.pop("layer", None) or {}
    words = [f"model.{key}={yaml_text(value)}" for key, value in differ.items()]
    words += [f"model.layer.{key}={yaml_text(value)}" for key, value in layer.items()]
    return f"weights={weights}: are of another network; add {' '.join([*words, *of_images])}"


def _size_words(theirs: Sequence[int], own: Sequence[int], data: str) -> list[str]:
    """The options with which image files are read in another shape; none for data of one shape."""
    from rnnvision.data import CATALOG
    from rnnvision.data.images import MODES, default_view

    if default_view(CATALOG[data].read) is None or theirs[0] not in MODES:
        return []
    channels = [] if theirs[0] == own[0] else [f"data.channels={theirs[0]}"]
    size = [] if theirs[1:] == own[1:] else [f"data.image_size=[{theirs[1]},{theirs[2]}]"]
    return channels + size


def _shown(path: Path) -> str:
    inside = path.is_relative_to(Path.cwd())
    return str(path.relative_to(Path.cwd()) if inside else path)
