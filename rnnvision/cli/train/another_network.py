"""What to add to a command so that its network is the one whose weights it starts from."""

from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.files import config_dir, merged_lines, options_of, own_folder
from rnnvision.cli.frame.command_line.words import yaml_text


def another_network(weights: str, theirs: dict[str, Any], description: dict[str, Any], misfit: str = "") -> str:
    """The message for weights of another network than the one that a configuration describes.

    `misfit` names what does not fit where both are networks of the same kind.
    """
    own = description["network"]
    of_data = ("input_shape", "num_classes", "name")
    differ = {key: value for key, value in theirs.items() if key not in of_data and own.get(key) != value}
    if theirs["name"] != own["name"]:
        words = " ".join(_option_words(theirs))
        return f"weights={weights}: are of a {theirs['name']}, and this is a {own['name']}; choose {words}"
    of_images = _size_words(theirs["input_shape"], own["input_shape"], description["data"]["name"])
    if not differ:
        read, here = (" x ".join(map(str, network["input_shape"])) for network in (theirs, own))
        advice = f"; add {' '.join(of_images)}" if of_images else ""
        images = f"reads images of {read}, and these are of {here}"
        return f"weights={weights}: are of a network that {images} ({misfit}){advice}"
    shortest = min(_option_words(theirs), _words(differ), key=len)
    verb = "choose" if shortest[0].startswith("model=") else "add"
    return f"weights={weights}: are of another network ({misfit}); {verb} {' '.join([*shortest, *of_images])}"


def _option_words(theirs: dict[str, Any]) -> list[str]:
    """The option of model that comes nearest to a network, and what of it has to be changed."""
    folders = [config_dir(), *([own] if (own := own_folder()) else [])]
    found = []
    for option in options_of(folders, "model"):
        lines = merged_lines(folders, "model", option)
        values = {line.key: plain(OmegaConf.create(f"value: {line.value}").value) for line in lines}
        if values.get("name") == theirs["name"]:
            layer = {key.partition(".")[2]: value for key, value in values.items() if key.startswith("layer.")}
            has = {**values, **({"layer": layer} if layer else {})}
            differ = {key: v for key, v in theirs.items() if key in has and key != "name" and has[key] != v}
            found.append([f"model={option}", *_words(differ)])
    return min(found, key=len, default=["its model="])


def _words(differ: dict[str, Any]) -> list[str]:
    layer = differ.get("layer") or {}
    words = [f"model.{key}={_compact(value)}" for key, value in differ.items() if key != "layer"]
    return words + [f"model.layer.{key}={_compact(value)}" for key, value in layer.items()]


def _compact(value: Any) -> str:
    """A value as one word: lists without spaces."""
    return "[" + ",".join(map(_compact, value)) + "]" if isinstance(value, (list, tuple)) else yaml_text(value)


def _size_words(theirs: Sequence[int], own: Sequence[int], data: str) -> list[str]:
    """The options with which image files are read in another shape; none for data of one shape."""
    from rnnvision.data import CATALOG
    from rnnvision.data.images import MODES, default_view

    if default_view(CATALOG[data].read) is None or theirs[0] not in MODES:
        return []
    channels = [] if theirs[0] == own[0] else [f"data.channels={theirs[0]}"]
    size = [] if theirs[1:] == own[1:] else [f"data.image_size=[{theirs[1]},{theirs[2]}]"]
    return channels + size
