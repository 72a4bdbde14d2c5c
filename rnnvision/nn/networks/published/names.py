"""What is found in a file of weights, and the check that all of them, and no others, are there."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rnnvision.checks import shortened


@dataclass(frozen=True)
class Published:
    """A network that others have trained.

    Attributes:
        origin: whose network it is.
        arguments: of `rnnvision.nn.build`, `input_shape` and `num_classes` among them.
        weights: its state dict, under our names.
    """

    origin: str
    arguments: dict[str, Any]
    weights: dict[str, Tensor]


def check_shapes(origin: str, weights: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that weights are of these names and shapes.

    Raises:
        ValueError: that names what is missing, unknown or of another shape.
    """
    missing = [name for name in shapes if name not in weights]
    strange = [name for name in weights if name not in shapes]
    if missing or strange:
        near = difflib.get_close_matches(strange[0], missing, n=1) if strange else []
        parts = [f"lacks {shortened(missing)}"] if missing else []
        parts += [f"holds {shortened(strange)}{f', where {near[0]} belongs' if near else ''}"] if strange else []
        raise ValueError(f"weights: are not those of {origin}: {', and '.join(parts)}")
    for name, shape in shapes.items():
        if tuple(weights[name].shape) != shape:
            raise ValueError(f"weights: {name} has shape {tuple(weights[name].shape)}, where {origin} has {shape}")


def counted_from_zero(names: Iterable[str], pattern: str) -> int:
    """How many numbers, from 0 on without a gap, follow a beginning of names."""
    found = {int(match[1]) for name in names if (match := re.match(pattern, name))}
    return next(i for i in range(len(found) + 1) if i not in found)


def lacks(origin: str, name: object) -> ValueError:
    """The error for weights without one that says how large the network is."""
    return ValueError(f"weights: are not those of {origin}: lacks {name}")
