"""Argument checks: each raises a ValueError that begins with the argument and names what is legal."""

import difflib
import re
from collections.abc import Iterable, Sequence

# What would break a line, or steer the terminal that shows it: control characters, marks that turn the direction round,
# and what is not seen.
LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufdd0-\ufdef\ufeff\ufffe\uffff]")
FORMULA = ("=", "+", "-", "@")  # a program for tables takes a cell for one that begins so
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)", re.IGNORECASE)
MOST, LARGEST = 2**31 - 1, 1e9  # of counts, and of other numbers: what is larger was not meant, or has no end
DEEPEST = 1_000  # layers, stages and glimpses of a network
LONGEST_SIDE = 8192  # of the images that a network sees, in pixels
LONGEST_WORD, LONGEST_MESSAGE = 1_000, 4_000  # characters


def nearest(word: object, legal: Iterable[str]) -> str | None:
    """The closest legal spelling of `word`, None if none is close.

    A dotted key also counts as close if only its last part is.

    Examples:
        >>> nearest("LSMT", ["lstm", "gru"])
        'lstm'
        >>> nearest("max_epoch", ["seed", "trainer.max_epochs"])
        'trainer.max_epochs'
        >>> nearest("data.folder", ["data.format"]) is None
        True
    """
    spelled = {name.lower(): name for name in legal}
    by_end = {name.rpartition(".")[2]: name for name in reversed(spelled)}
    typed = str(word).lower()
    above, _, end = typed.rpartition(".")
    if found := difflib.get_close_matches(typed, spelled, n=1):
        other, _, other_end = found[0].rpartition(".")
        same = difflib.SequenceMatcher(None, end, other_end).ratio() if above and above == other else 1.0
        if same >= 0.65:  # below one key what differs counts: data.folder is no data.format
            return spelled[found[0]]
    if found := difflib.get_close_matches(end, by_end, n=1, cutoff=0.75):
        return spelled[by_end[found[0]]]
    return None


def choose_one(value: object, legal: Iterable[str], key: str = "") -> str:
    """The message for a name that is not legal: the legal ones, and the nearest, as it is typed after `key`."""
    names = list(legal)
    near = nearest(value, names)
    hint = f"; did you mean {key}{near}?" if near else ""
    return f"choose one of {', '.join(names)}{hint}"


def shortened(names: Iterable[str], most: int = 8) -> str:
    """Names on one line, the first ones of many.

    Examples:
        >>> shortened(["cat", "dog", "owl"], most=2)
        'cat, dog and 1 more'
    """
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    Examples:
        >>> counted(1, "file"), counted(2_000, "file")
        ('1 file', '2,000 files')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def one_line(name: object) -> str:
    r"""A name as a message shows it: what would break the line is escaped.

    Examples:
        >>> one_line("two\nlines.png")
        'two\\nlines.png'
    """
    return LINE_BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), str(name))


def table_cell(value: object) -> object:
    r"""A value as a table holds it that other programs open: text on one line, and none that they take for a formula.

    Examples:
        >>> table_cell("=1+1"), table_cell("-0.5"), table_cell("a\nb"), table_cell(-0.5)
        ("'=1+1", '-0.5', 'a\\nb', -0.5)
    """
    if not isinstance(value, str):
        return value
    line = one_line(value)
    return f"'{line}" if line[:1] in FORMULA and not NUMBER.fullmatch(line) else line


def message_line(text: str) -> str:
    r"""A message as one line that a person can read to its end: whatever was typed may stand in it.

    The lines of a list in it, each after two spaces, follow each other.

    Examples:
        >>> message_line("2 files cannot be read:\n  a.png: is empty\n  b.png: is text")
        '2 files cannot be read: a.png: is empty; b.png: is text'
        >>> message_line("name=a\nb: must be text")
        'name=a\\nb: must be text'
        >>> message_line("x" * 100_000 + ": is too long")[990:]
        'xxxxxxxxxx... (100,001 characters) is too long'
    """
    words = re.sub(
        rf"\S{{{LONGEST_WORD + 1},}}", lambda w: f"{w[0][:LONGEST_WORD]}... ({len(w[0]):,} characters)", text.strip()
    )
    line = one_line(re.sub(r"(?<!:)\n  ", "; ", words).replace("\n  ", " "))
    return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."


def one_of(argument: str, value: object, legal: Iterable[str]) -> None:
    """Check that `value` is one of the names in `legal`."""
    names = list(legal)
    if value not in names:
        raise ValueError(f"{argument}={value}: {choose_one(value, names)}")


def at_least(argument: str, value: object, minimum: int, maximum: int = MOST) -> None:
    """Check that `value` is a whole number, from `minimum` to `maximum`: no count is larger than `MOST`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{argument}={value}: must be a whole number of at least {minimum}")
    if value > maximum:
        raise ValueError(f"{argument}={value}: must be a whole number from {minimum} to {maximum}")


def seed_number(argument: str, value: object) -> None:
    """Check that `value` is a seed, of those that NumPy takes too."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise ValueError(f"{argument}={value}: must be a whole number from 0 to {2**32 - 1}")


def number(argument: str, value: object, maximum: float = LARGEST) -> None:
    """Check that `value` is a number from 0 to `maximum`: none is larger than `LARGEST`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value <= maximum:
        limits = f"from 0 to {maximum:g}" if maximum < LARGEST or too_large(value) else "of at least 0"
        raise ValueError(f"{argument}={value}: must be a number {limits}")


def positive(argument: str, value: object) -> None:
    """Check that `value` is a number above 0: none is larger than `LARGEST`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 < value <= LARGEST:
        most = f", and at most {LARGEST:g}" if too_large(value) else ""
        raise ValueError(f"{argument}={value}: must be a number above 0{most}")


def too_large(value: object) -> bool:
    """Whether `value` is a number that is larger than any that is of use."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value > LARGEST


def probability(argument: str, value: object) -> None:
    """Check that `value` is a rate, such as of dropout or label smoothing: 0 <= value < 1."""
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
    """Check that `value` is (C, H, W), each from 1 to `LONGEST_SIDE`."""
    sides = list(value) if isinstance(value, Sequence) else []
    if len(sides) != 3 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sides):
        raise ValueError(f"{argument}={value}: must be (channels, height, width), whole numbers of at least 1")
    if max(sides) > LONGEST_SIDE:
        raise ValueError(f"{argument}={value}: must be (channels, height, width) of at most {LONGEST_SIDE} each")


def shares(argument: str, values: object, *, zero: bool = True) -> None:
    """Check that `values` is a list of at least one number, all from 0 to 1, or without `zero` above 0."""
    numbers = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if (
        not numbers
        or any(isinstance(n, bool) or not isinstance(n, (int, float)) or not 0 <= n <= 1 for n in numbers)
        or (0 in numbers and not zero)
    ):
        limits = "from 0 to 1" if zero else "above 0 and at most 1"
        raise ValueError(f"{argument}={values}: must be a list of numbers {limits}, for pixels from 0 to 1")


def whole_numbers(argument: str, values: object, minimum: int = 1) -> None:
    """Check that `values` is a list of at least one whole number, none below `minimum`."""
    numbers = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < minimum for n in numbers):
        raise ValueError(f"{argument}={values}: must be a list of whole numbers of at least {minimum}")
    if max(numbers) > MOST:
        raise ValueError(f"{argument}={values}: must be a list of whole numbers from {minimum} to {MOST}")
