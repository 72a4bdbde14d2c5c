"""Argument checks: each raises a ValueError that begins with the argument and names what is legal."""

import difflib
import math
from collections.abc import Iterable, Sequence


def one_of(argument: str, value: object, legal: Iterable[str]) -> None:
    """Check that `value` is one of the names in `legal`."""
    names = list(legal)
    if value in names:
        return
    raise ValueError(f"{argument}={value}: {choose_one(value, names)}")


def choose_one(value: object, legal: Sequence[str]) -> str:
    """What to say to a name that is not among the legal ones: these, and the nearest."""
    near = difflib.get_close_matches(str(value).lower(), legal, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"choose one of {', '.join(legal)}{hint}"


def at_least(argument: str, value: object, minimum: int) -> None:
    """Check that `value` is a whole number and not below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{argument}={value}: must be a whole number of at least {minimum}")


def number(argument: str, value: object, maximum: float = math.inf) -> None:
    """Check that `value` is a finite number from 0 to `maximum`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or not 0.0 <= value <= maximum
    ):
        limits = f"from 0 to {maximum:g}" if math.isfinite(maximum) else "of at least 0"
        raise ValueError(f"{argument}={value}: must be a number {limits}")


def positive(argument: str, value: object) -> None:
    """Check that `value` is a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"{argument}={value}: must be a number above 0")


def probability(argument: str, value: object) -> None:
    """Check that `value` may be a rate, of dropout or of smoothing: 0 <= value < 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise ValueError(f"{argument}={value}: must be a number in [0, 1)")


def fraction(argument: str, value: object) -> None:
    """Check that `value` is a share that leaves something on both sides: 0 < value < 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value < 1.0:
        raise ValueError(f"{argument}={value}: must be a number between 0 and 1")


def flags(**values: object) -> None:
    """Check that each value is True or False."""
    for argument, value in values.items():
        if not isinstance(value, bool):
            raise ValueError(f"{argument}={value}: must be true or false")


def image_shape(argument: str, value: object) -> None:
    """Check that `value` is (C, H, W), each at least 1."""
    sides = list(value) if isinstance(value, Sequence) else []
    if len(sides) != 3 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sides):
        raise ValueError(f"{argument}={value}: must be (channels, height, width), whole numbers of at least 1")


def whole_numbers(argument: str, values: object, minimum: int = 1) -> None:
    """Check that `values` is a list of at least one whole number, none below `minimum`."""
    numbers = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < minimum for n in numbers):
        raise ValueError(f"{argument}={values}: must be a list of whole numbers of at least {minimum}")
