"""Argument checks of the networks: each raises a ValueError that begins with the argument and names what is legal."""

import difflib
from collections.abc import Iterable


def one_of(argument: str, value: object, legal: Iterable[str]) -> None:
    """Check that `value` is one of the names in `legal`."""
    names = list(legal)
    if value in names:
        return
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"{argument}={value}: choose one of {', '.join(names)}{hint}")


def at_least(argument: str, value: object, minimum: int) -> None:
    """Check that `value` is a whole number and not below `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{argument}={value}: must be a whole number of at least {minimum}")
    if value < minimum:
        raise ValueError(f"{argument}={value}: must be at least {minimum}")


def probability(argument: str, value: float) -> None:
    """Check that `value` may be a dropout rate: 0 <= value < 1."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{argument}={value}: must lie in [0, 1)")
