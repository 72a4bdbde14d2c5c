"""What a checkpoint says of itself: the entries, and what each must be."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rnnvision.checks import LONGEST_SIDE, one_line

MOST_VALUES = 1 << 26  # of an image: 256 MB
LARGEST_SIZE = 1 << 24
LONGEST_NAME = 10_000
SHOWN = 80

Rule = tuple[Callable[[Any], bool], str]  # what is legal, and in words


def whole(value: Any, least: int = 0, most: int = 1 << 53) -> bool:
    return type(value) is int and least <= value <= most


def finite(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def text(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST_NAME


def texts(value: Any) -> bool:
    return type(value) in (list, tuple) and all(map(text, value))


def is_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(text, value))


def _shape(value: Any) -> bool:
    return (
        type(value) in (list, tuple)
        and len(value) == 3
        and all(whole(side, 1, LONGEST_SIDE) for side in value)
        and math.prod(value) <= MOST_VALUES
    )


def _network(value: Any) -> bool:
    named = is_map(value) and text(value.get("name")) and _shape(value.get("input_shape", [1, 1, 1]))
    return named and all(_sizes(size) for key, size in value.items() if not key.endswith("seed"))


def _sizes(value: Any) -> bool:
    """Whether no number is so large that a list of that length would take gigabytes."""
    if isinstance(value, dict):
        return all(map(_sizes, value.values()))
    if type(value) in (list, tuple):
        return all(map(_sizes, value))
    return type(value) is not int or abs(value) <= LARGEST_SIZE


def _normalisation(value: Any) -> bool:
    if not isinstance(value, dict) or not {"mean", "std"} <= value.keys():
        return False
    mean, std = value["mean"], value["std"]
    lists = type(mean) in (list, tuple) and type(std) in (list, tuple) and 0 < len(mean) == len(std)
    return lists and all(map(finite, (*mean, *std))) and min(std) > 0


def _data(value: Any) -> bool:
    size = value.get("eval_batch_size") if isinstance(value, dict) else None
    return (
        is_map(value)
        and (text(value.get("name")))
        and (value.get("root") is None or (text(value["root"]) and "\0" not in value["root"]))
        and (size is None or whole(size, 1, 1 << 31))
        and _sides(value.get("image_size", 1))
    )


def _sides(value: Any) -> bool:
    sides = value if type(value) in (list, tuple) else [value]
    return len(sides) in (1, 2) and all(whole(side, 1, LONGEST_SIDE) for side in sides)


def _files(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and text(value.get("root"))
        and isinstance(value.get("files"), dict)
        and value["files"].keys() <= {"train", "val", "test"}
        and all(
            isinstance(part, Tensor) and part.dtype == torch.int64 and part.ndim == 2 and len(part) == 3
            for part in value["files"].values()
        )
    )


def _modules(value: Any) -> bool:
    return texts(value) and all(all(part.isidentifier() for part in name.split(".")) for name in value)


def _temperatures(value: Any) -> bool:
    return type(value) in (list, tuple) and len(value) > 0 and all(finite(v) and v > 0 for v in value)


ENTRIES: dict[str, Rule] = {
    "network": (
        _network,
        f"a name and arguments, no number above {LARGEST_SIZE:,} and no input_shape above {MOST_VALUES:,} values",
    ),
    "class_names": (lambda v: texts(v) and len(v) > 0, "a list of texts"),
    "normalisation": (_normalisation, "a mean and a std, a finite number for each channel, the std above 0"),
    "data": (_data, "a name, and the arguments of the data"),
    "images": (lambda v: is_map(v) and all(map(whole, v.values())), "numbers of images"),
    "files": (_files, "a root, and of each split a table of whole numbers"),
    "versions": (lambda v: is_map(v) and all(map(text, v.values())), "versions as texts"),
    "plugins": (_modules, "a list of names of modules"),
    "frozen": (texts, "a list of texts"),
    "weights": (lambda v: is_map(v) and all(map(text, v.values())), "texts"),
    "published": (text, "a text"),
    "validation": (lambda v: is_map(v) and all(type(n) in (int, float) for n in v.values()), "numbers"),
    "temperature": (lambda v: finite(v) and v > 0, "a number above 0"),
    "temperatures": (_temperatures, "a list of numbers above 0"),
    "objective": (lambda v: v in ("classify", "reconstruct"), "classify or reconstruct"),
}


def wrong_in(description: Mapping[str, Any]) -> str | None:
    """The first entry of a description that is not what it must be, in words; None where all are."""
    for name, (is_right, wanted) in ENTRIES.items():
        if name in description and not is_right(description[name]):
            return f"its {name} is {_shown(description[name])}, and must be {wanted}"
    network, names = description.get("network", {}), description.get("class_names")
    classes = network.get("num_classes")
    if classes is not None and names is not None and (type(classes) is not int or classes != len(names)):
        return f"it has {len(names)} class_names, and num_classes={_shown(classes)}"
    channels, norm = network.get("input_shape"), description.get("normalisation")
    if channels is not None and norm is not None and len(norm["mean"]) != channels[0]:
        return f"its normalisation is of {len(norm['mean'])} channels, and its input_shape of {channels[0]}"
    return None


def _shown(value: Any) -> str:
    found = one_line(value if type(value) in (str, int, float, bool, type(None)) else _brief(value))
    return found if len(found) <= SHOWN else f"{found[:SHOWN]} ..."


def _brief(value: Any) -> str:
    """A container, not read further than it is shown."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {item!s:.40}" for key, item in list(value.items())[:4]) + "}"
    return f"[{', '.join(f'{item!s:.40}' for item in value[:8])}]" if type(value) in (list, tuple) else repr(value)
