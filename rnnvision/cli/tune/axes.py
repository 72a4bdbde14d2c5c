"""The space of a study in Hydra's words: KEY=choice(A,B), KEY=range(A,B), KEY=interval(A,B), tag(log,...) around it."""

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, Quote, QuotedString, RangeSweep

from rnnvision.cli.frame.command_line.words import override, parsed
from rnnvision.errors import UsageError
from rnnvision.runs.study import Axis, as_word

FORMS = "choice(A,B), range(A,B), interval(A,B), int(interval(A,B)) or tag(log,interval(A,B))"


def space_of(words: Iterable[str]) -> dict[str, Axis]:
    """The axes that words describe; of one key the later one counts.

    Raises:
        UsageError: for a word that is none, or is empty.
    """
    return dict(map(axis_of, words))


def axis_of(word: str) -> tuple[str, Axis]:
    """A key and what it may be."""
    found = parsed(word)
    if found is None or found.is_delete() or not found.is_sweep_override():
        raise UsageError(f"{word}: is no set of values; write {FORMS}")
    if found.package is not None:
        raise UsageError(f"{word}: a key with @ cannot be searched; leave out @{found.package}")
    value = found.value()
    if isinstance(value, ChoiceSweep):
        axis = _choice(word, value)
    elif isinstance(value, RangeSweep):
        axis = _range(word, value)
    elif isinstance(value, IntervalSweep):
        axis = _interval(word, value)
    else:
        raise UsageError(f"{word}: glob cannot be searched; name the options: {found.get_key_element()}=choice(A,B)")
    return found.get_key_element(), axis


def _choice(word: str, sweep: ChoiceSweep) -> Axis:
    _is_log(word, sweep, allowed=False)
    values = [Override._convert_value(value) for value in sweep.list]
    if doubled := [value for at, value in enumerate(values) if value in values[:at]]:
        raise UsageError(f"{word}: has {as_word(doubled[0])} twice; leave out one")
    if len(values) < 2:
        raise UsageError(f"{word}: has one value; write {word.partition('=')[0]}={as_word(values[0])}, or name another")
    return Axis("choice", choices=tuple(values))


def _range(word: str, sweep: RangeSweep) -> Axis:
    start, stop, step = (Decimal(str(number or 0)) for number in (sweep.start, sweep.stop, sweep.step))
    count = math.ceil((stop - start) / step) if step else 0
    if count < 2:
        raise UsageError(
            f"{word}: {'is empty' if count < 1 else 'has one value'}; write range(A,B), which ends before B"
        )
    ends = sorted((start, start + (count - 1) * step))
    whole = all(isinstance(number, int) for number in (sweep.start, sweep.stop, sweep.step))
    log = _is_log(word, sweep)
    if log and not (whole and abs(step) == 1):
        raise UsageError(f"{word}: a range with steps cannot be even in its logarithm; write tag(log,interval(A,B))")
    low, high = (int(end) if whole else float(end) for end in ends)
    return _numbers(word, Axis("int" if whole else "float", low, high, log, None if log else _number(abs(step), whole)))


def _interval(word: str, sweep: IntervalSweep) -> Axis:
    assert sweep.start is not None
    assert sweep.end is not None
    if not sweep.start < sweep.end:
        raise UsageError(f"{word}: is empty; write the smaller number first")
    whole = isinstance(sweep.start, int) and isinstance(sweep.end, int)
    return _numbers(word, Axis("int" if whole else "float", sweep.start, sweep.end, _is_log(word, sweep)))


def _numbers(word: str, axis: Axis) -> Axis:
    assert axis.low is not None
    assert axis.high is not None
    if not (math.isfinite(axis.low) and math.isfinite(axis.high)):
        raise UsageError(f"{word}: has no end; write two numbers")
    if axis.log and axis.low <= 0:
        raise UsageError(f"{word}: a logarithm begins above 0; write a smallest value, as tag(log,interval(1e-4,1e-1))")
    return axis


def _number(value: Decimal, whole: bool) -> float:
    return int(value) if whole else float(value)


def _is_log(word: str, sweep: Any, *, allowed: bool = True) -> bool:
    if other := sorted(sweep.tags - {"log"}):
        raise UsageError(f"{word}: there is no tag {other[0]}; choose tag(log,...)")
    if sweep.tags and not allowed:
        raise UsageError(f"{word}: a choice has no logarithm; leave out tag(log,...)")
    return bool(sweep.tags)


def words_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The words that give a trial its values."""
    return tuple(f"{key}={_written(value)}" for key, value in params.items())


def _written(value: Any) -> str:
    """A value as Hydra reads it back: as `as_word`, but that a text is quoted where it has to be."""
    if isinstance(value, str):
        if "${" in value or "\\" in value:  # the former stays what it is, the latter might undo a bracket
            return QuotedString(value, Quote.double).with_quotes()
        return override("", value)[1:]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{_written(item)}' for key, item in value.items())}}}"
    return as_word(value)
