"""Networks by a short name: a recurrence, or a network, whichever this version has."""

from typing import Any

from torch import nn

from rnnvision.nn import MODELS, RECURRENCES, build


class NoSuchNetworkError(Exception):
    """This version has no network of that name."""


def make(name: str, input_shape: tuple[int, ...], num_classes: int = 10, **sequence_options: Any) -> nn.Module:
    """A sequence classifier with the recurrence `name`, else the network called so, which is told its shape alone.

    Raises:
        NoSuchNetworkError: if there is neither.
    """
    if name in RECURRENCES:
        options = {"recurrence": name, **sequence_options}
        return build("sequence_classifier", input_shape=input_shape, num_classes=num_classes, **options)
    if name in MODELS:
        return build(name, input_shape=input_shape, num_classes=num_classes)
    raise NoSuchNetworkError(f"{name}: not measured, this version has no such network")
