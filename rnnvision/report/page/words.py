"""Numbers and names as a page shows them."""

from collections.abc import Sequence

LONGEST = 22  # letters of a class name in a plot
CONTROLS = {code: " " for code in (*range(0x20), *range(0x7F, 0xA0)) if code != ord("\n")}


def percent(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{100 * value:.{digits}f}\N{NO-BREAK SPACE}%"


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


def printable(text: str) -> str:
    """Text that UTF-8 and HTML can hold: no control characters but ends of lines, no bytes of another encoding.

    Examples:
        >>> printable("a\\x07b\\udcffc")
        'a b?c'
    """
    return text.encode("utf-8", "replace").decode("utf-8").translate(CONTROLS)


def label(name: str, longest: int = LONGEST) -> str:
    """A name of a class, of one line and short enough for a plot."""
    name = " ".join(printable(name).split())
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
