"""From the words of a sweep to its jobs: Hydra's grammar (A,B, choice, range, glob), and a name for each job."""

import hashlib
import itertools
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from rnnvision.errors import UsageError

MOST = 100_000  # jobs
LONGEST = 120  # bytes of a name, to which a file system may add, and which a person reads
UNSAFE, AROUND = re.compile(r"[^A-Za-z0-9_.=+-]+"), " ~/'\"[](){}"
ALONE = "0"  # the name of the one job of a sweep in which nothing has several values


@dataclass(frozen=True)
class Values:
    """What the words of a sweep say of one key: the words that set it, one a job."""

    key: str
    words: tuple[str, ...]
    swept: bool  # whether it was typed as several values, even if it is one


@dataclass(frozen=True)
class Point:
    """One job of a sweep: its words, and those of them that were swept."""

    words: tuple[str, ...]
    swept: tuple[str, ...] = field(default=(), compare=False)

    @property
    def settings(self) -> frozenset[str]:
        """What makes it this job: the order of words counts for nothing."""
        return frozenset(self.words)


def read_values(words: Iterable[str], params: Mapping[str, Any], loader: Any) -> list[Values]:
    """The values of each key, of `hydra.sweeper.params` and of the command line, whose word counts.

    Args:
        words: KEY=VALUE, several values among them.
        params: of the configuration, which a file in conf/sweep may hold.
        loader: the configurations that glob looks for.

    Raises:
        UsageError: for values that are no list, such as an interval.
    """
    read = OverridesParser.create(config_loader=loader).parse_overrides(
        [*(f"{key}={value}" for key, value in params.items()), *words]
    )
    found: dict[str, Values] = {}
    for one in read:
        key = one.get_key_element()
        found[key] = Values(key, _words_of(one, key), one.is_sweep_override())
    return list(found.values())


def _words_of(one: Override, key: str) -> tuple[str, ...]:
    if not one.is_sweep_override():
        return (str(one.input_line),)
    if not one.is_discrete_sweep():
        raise UsageError(f"{one.input_line}: has no end of values; give some: {key}=A,B or {key}=range(0,3)")
    words = dict.fromkeys(f"{key}={value}" for value in itertools.islice(one.sweep_string_iterator(), MOST + 1))
    if not words:
        raise UsageError(f"{one.input_line}: holds no value; give some: {key}=A,B")
    return tuple(words)


def points_of(values: Sequence[Values]) -> list[Point]:
    """Every combination of the values, the last key changing first.

    Raises:
        UsageError: for more than anybody could want.
    """
    if math.prod(len(one.words) for one in values) > MOST:
        several = ", ".join(f"{one.key} has {_count(len(one.words))} values" for one in values if len(one.words) > 1)
        raise UsageError(f"-m: more than {MOST:,} jobs: {several}")
    swept = [one.swept for one in values]
    return [
        Point(words, tuple(word for word, is_swept in zip(words, swept, strict=True) if is_swept))
        for words in itertools.product(*(one.words for one in values))
    ]


def _count(number: int) -> str:
    return f"{number:,}" if number <= MOST else f"more than {MOST:,}"


def name_of(point: Point, taken: Collection[str]) -> str:
    """The name of a job's folder: what was swept, in characters that every file system has.

    None of those `taken`, which are in lower case: some file systems do not tell a from A.

    Examples:
        >>> name_of(Point((), ("model=lstm", "data.mean=[0.1,0.2]")), ())
        'model=lstm,data.mean=0.1-0.2'
        >>> name_of(Point((), ("seed=1",)), {"seed=1"})
        'seed=1-2'
    """
    name = ",".join(map(_safe, point.swept)) or ALONE
    if len(name) > LONGEST:
        digest = hashlib.sha256(",".join(point.swept).encode()).hexdigest()[:8]
        name = f"{name[: LONGEST - 9].rstrip('-=,.')}-{digest}"
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    return next(one for one in itertools.chain([name], numbered) if one.lower() not in taken)


def _safe(word: str) -> str:
    key, _, value = word.lstrip("+").partition("=")
    return f"{key}={UNSAFE.sub('-', value.strip(AROUND))}".replace("/", "-")
