"""Figures of run folders: how large one may be, and which way it is better."""

import math

LOWER = ("loss", "nll", "ece", "seconds", "milliseconds", "parameters", "multiply_adds", "memory", "skipped_files")
LARGEST = 1e100  # of a figure in a file: no float32 comes near it, and squares and sums of larger ones are none


def computable(value: float) -> bool:
    """Whether a number is finite, and its square and sums of many such are numbers too.

    Examples:
        >>> computable(0.5), computable(float("nan")), computable(1e300), computable(10**400)
        (True, False, False, False)
    """
    return -LARGEST <= value <= LARGEST


def figure(value: float) -> float:
    """A figure that a file gives: NaN in place of what is not `computable`."""
    return value if computable(value) else math.nan


def lower_is_better(metric: str) -> bool:
    """Whether a smaller figure is a better one, by its name.

    Examples:
        >>> lower_is_better("test/nll_calibrated"), lower_is_better("train/seconds"), lower_is_better("test/accuracy")
        (True, True, False)
    """
    name = metric.rpartition("/")[2].removesuffix("_calibrated")
    return name in LOWER or name.endswith(("_loss", "_seconds"))
