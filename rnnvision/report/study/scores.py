"""The scores of a study as plots and tables show them."""

import math
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnvision.report.page.words import number, percent
from rnnvision.runs.study import StudyRecord, TrialRow, as_word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHARES = ("accuracy", "top5", "f1")  # metrics that are shown in per cent


def is_share(metric: str) -> bool:
    return metric.rpartition("/")[2] in SHARES


def shown(metric: str, value: float) -> str:
    """A score in words.

    Examples:
        >>> shown("val/loss", 0.123456), shown("multiply_adds", 560384.0)
        ('0.1235', '560,384')
    """
    if is_share(metric):
        return percent(value)
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else number(value, ".4g")


def brief(value: Any) -> str:
    """A parameter's value as it is typed, with no more digits than people read.

    Examples:
        >>> brief(0.00123456), brief(None), brief("gru")
        ('0.001235', 'null', 'gru')
    """
    return f"{value:.4g}" if isinstance(value, float) else as_word(value)


def command_of(record: StudyRecord, trial: TrialRow) -> str:
    """The command that makes this trial anew, ready to copy."""
    return shlex.join(["rnnvision", "train", *record.config_dir, *record.words, *trial.overrides])


def last_score(trial: TrialRow) -> float | None:
    """The last finite score that a trial reported."""
    found = [trial.steps[step] for step in sorted(trial.steps) if math.isfinite(trial.steps[step])]
    return found[-1] if found else None


def pruned_scores(record: StudyRecord) -> list[tuple[TrialRow, float]]:
    """The pruned trials with their last score; trials of several metrics are never pruned."""
    found = [(trial, last_score(trial)) for trial in record.trials if trial.state == "pruned"]
    return [(trial, score) for trial, score in found if score is not None]


def score_axis(axes: "Axes", metric: str, values: Sequence[float], which: str = "y") -> None:
    """Label an axis of scores: in per cent where they are shares, in logarithms where they span orders of magnitude."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_label_text(metric)
    low, high = min(values, default=1.0), max(values, default=1.0)
    if low > 0 and high > 30 * low and not is_share(metric):
        (axes.set_yscale if which == "y" else axes.set_xscale)("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 3.0) if high < 1000 * low else (1.0,)))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(MaxNLocator(5))
        if low == high:  # otherwise the axis would show differences that are not there
            margin = max(abs(low), 1.0) * 0.05
            (axes.set_ylim if which == "y" else axes.set_xlim)(low - margin, high + margin)
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick(metric, value)))


def tick(metric: str, value: float) -> str:
    """A score beside an axis.

    Examples:
        >>> tick("val/f1", 0.9), tick("multiply_adds", 2e6), tick("val/loss", 0.25)
        ('90 %', '2M', '0.25')
    """
    if is_share(metric):
        return f"{100 * value:.4g} %"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 10_000 and abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"
