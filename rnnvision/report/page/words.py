"""Numbers and names as a page shows them."""

import unicodedata
from collections.abc import Sequence
from typing import Any

LONGEST = 22  # letters of a class name in a plot


def percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f} %"


def number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def duration(seconds: float | None) -> str:
    """Examples:
    >>> duration(75), duration(7325), duration(4.26)
    ('1 min 15 s', '2 h 2 min', '4.3 s')
    """
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def clean(text: Any) -> str:
    """Text without what HTML and SVG cannot hold: control characters, and bytes of no encoding."""
    whole = str(text).encode("utf-8", "replace").decode("utf-8")
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Cn") else letter for letter in whole)


def label(name: str, longest: int = LONGEST) -> str:
    """A name of a class, short enough for a plot."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
