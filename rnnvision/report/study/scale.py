"""Where a value of a parameter lies on an axis of a plot: numbers on a line, which may be logarithmic, choices beside
each other."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnnvision.report.page.words import label
from rnnvision.runs.study import Axis, StudyRecord, as_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 26  # letters of a key
LONGEST_CHOICE = 14


@dataclass(frozen=True)
class Scale:
    """From low to high; of choices, which have `words`, from 0 to their number less 1."""

    low: float
    high: float
    log: bool = False
    whole: bool = False
    words: tuple[str, ...] = ()

    def at(self, value: Any) -> float | None:
        """Where the value lies, in units of the axis; None where it is none of this parameter."""
        if self.words:
            return float(self.words.index(word)) if (word := as_word(value)) in self.words else None
        return float(value) if _is_number(value) and self.low <= value <= self.high else None

    def share(self, value: Any) -> float | None:
        """The same from 0, at the low end, to 1."""
        found = self.at(value)
        if found is None or self.high == self.low:
            return None if found is None else 0.5
        turn = math.log if self.log else float
        return (turn(found) - turn(self.low)) / (turn(self.high) - turn(self.low))

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Some positions and what stands there; of more than `most` choices each second, third ... one."""
        if self.words:
            every = math.ceil(len(self.words) / (2 * most))
            return [(float(i), label(word, LONGEST_CHOICE)) for i, word in enumerate(self.words) if i % every == 0]
        if self.low == self.high:
            return [(self.low, f"{self.low:g}")]
        inside = [value for value in self._round_numbers(most) if self.low <= value <= self.high]
        for end in (self.low, self.high):
            if all(abs(self._distance(end, value)) > 0.6 / most for value in inside):
                inside.append(end)
        return [(value, f"{value:.4g}") for value in sorted(inside)]

    def _round_numbers(self, most: int) -> Iterable[float]:
        from matplotlib.ticker import LogLocator, MaxNLocator

        if self.log:
            subs = (1.0, 2.0, 5.0) if self.high < 30 * self.low else (1.0,)
            return map(float, LogLocator(subs=subs, numticks=most + 2).tick_values(self.low, self.high))
        return map(float, MaxNLocator(most, integer=self.whole, min_n_ticks=2).tick_values(self.low, self.high))

    def _distance(self, one: float, other: float) -> float:
        return (self.share(one) or 0.0) - (self.share(other) or 0.0)

    def draw_below(self, axes: "Axes") -> None:
        """Make this scale that of a plot's x-axis."""
        if self.log:
            axes.set_xscale("log")
        axes.set_xlim(*self.limits())
        places = self.ticks()
        letters = sum(len(word) + 1 for _, word in places)
        slanted: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if letters > 28 else {}
        axes.set_xticks([place for place, _ in places], [word for _, word in places], **slanted)
        axes.set_xticks([], minor=True)

    def limits(self) -> tuple[float, float]:
        """A little beyond both ends."""
        if self.words:
            return -0.5, len(self.words) - 0.5
        if self.low == self.high:
            return (self.low / 2, self.low * 2) if self.log else (self.low - 0.5, self.low + 0.5)
        if self.log:
            margin = (self.high / self.low) ** 0.04
            return self.low / margin, self.high * margin
        margin = 0.04 * (self.high - self.low)
        return self.low - margin, self.high + margin


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def scale_of(axis: Axis, values: Iterable[Any]) -> Scale:
    """The scale of a parameter: all of its range, and of what trials had beyond it, since a space may have changed."""
    had = list(values)
    numbers = [float(value) for value in had if _is_number(value)]
    if axis.kind == "choice" or axis.low is None or axis.high is None:
        words = dict.fromkeys(map(as_word, (*axis.choices, *had)))
        return Scale(0.0, float(max(len(words) - 1, 0)), words=tuple(words))
    low, high = min([axis.low, *numbers]), max([axis.high, *numbers])
    return Scale(low, high, axis.log and low > 0, axis.kind == "int")


def scales_of(record: StudyRecord) -> dict[str, Scale]:
    """Of each parameter that a trial has, the most important first."""
    had: dict[str, list[Any]] = {}
    for trial in record.trials:
        for key, value in trial.params.items():
            had.setdefault(key, []).append(value)
    keys = sorted(had, key=lambda key: (-record.importances.get(key, 0.0), _rank(record.space, key)))
    return {key: scale_of(record.space.get(key, Axis("choice")), had[key]) for key in keys}


def _rank(space: Mapping[str, Axis], key: str) -> int:
    return list(space).index(key) if key in space else len(space)


def key_label(key: str, longest: int = LONGEST) -> str:
    """A key, short enough for a plot: of a long one the end, which tells it from others.

    Examples:
        >>> key_label("model.layer.a_very_long_name_of_an_option")
        '…ry_long_name_of_an_option'
    """
    name = label(key, 10**6)
    return name if len(name) <= longest else f"…{name[1 - longest :]}"
