"""Parallel coordinates: an upright axis a parameter and one of the score, a line through them a trial."""

from typing import TYPE_CHECKING, Any

from rnnvision.report.page.blocks import Plot
from rnnvision.report.study.marks import MOST_LINES, jitter, thinned
from rnnvision.report.study.scale import Scale, key_label, scales_of
from rnnvision.report.study.scores import brief, tick
from rnnvision.report.style import BOX, INK, colour
from rnnvision.runs.study import StudyRecord, TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 12  # parameters
BRIGHT = 0.1  # of the trials are drawn in full blue
MANY = 50  # trials, whose lines do not all go through the same point of a choice
OTHER: Any = {"color": colour(0), "linewidth": 0.8, "zorder": 2}
GOOD: Any = {"color": colour(0), "linewidth": 1.4, "zorder": 3, "alpha": 0.95}
BEST: Any = {"color": colour(1), "linewidth": 2.2, "zorder": 4}


def parallel_plot(record: StudyRecord) -> Plot | None:
    """Of the completed trials; None where none is, or where there is no parameter."""
    scales = dict(list(scales_of(record).items())[:MOST])
    ranked = record.best() if len(record.metrics) == 1 else _by_first(record)
    if not ranked or not scales:
        return None
    up, metric = record.directions[0] == "maximize", record.metrics[0]
    values = [trial.values[0] for trial in ranked]
    score = Scale(min(values), max(values))
    narrow = 0.4 * min(1.0, len(ranked) / MANY)  # of the distance between two choices
    faint = 0.22 if len(ranked) > MANY else 0.45
    bright = max(1, round(BRIGHT * len(ranked)))

    def draw(axes: "Axes") -> None:
        for rank, trial in reversed(thinned(list(enumerate(ranked)))):
            heights = [_height(scales[key], trial, key, narrow) for key in scales]
            share = score.share(trial.values[0]) or 0.0
            style = BEST if rank == 0 else GOOD if rank < bright else OTHER | {"alpha": faint}
            y = [float("nan") if height is None else height for height in heights]  # broken where it has no value
            axes.plot(range(len(scales) + 1), [*y, share if up else 1 - share], **style)
        for number, (key, scale) in enumerate(scales.items()):
            shares = [(scale.share(_value(scale, place)), word) for place, word in scale.ticks()]
            _axis(axes, number, key_label(key, 22), [(share, word) for share, word in shares if share is not None])
        marks = [(score.share(place) or 0.0, tick(metric, place)) for place, _ in score.ticks()]
        _axis(axes, len(scales), metric, [(share if up else 1 - share, word) for share, word in marks], last=True)
        axes.set(xlim=(-0.45, len(scales) + 0.45), ylim=(-0.07, 1.2), xticks=[], yticks=[])
        axes.set_axis_off()

    best = ", ".join(f"{key}={brief(value)}" for key, value in ranked[0].params.items())
    alt = f"The parameters of {len(ranked)} completed trials; the best, trial {ranked[0].number}: {best}."
    some = f" {MOST_LINES} of {len(ranked):,} trials are drawn." if len(ranked) > MOST_LINES else ""
    left = len(record.space) - len(scales)
    note = (
        "A line is a completed trial: orange the best, full blue the best tenth, faint the others. On the last axis"
        f" better is up.{f' {left} less important parameters are not shown.' if left > 0 else ''}{some}"
    )
    return Plot(draw, alt, note, max(6.8, 1.25 * (len(scales) + 1)), 3.6)


def _by_first(record: StudyRecord) -> list[TrialRow]:
    return sorted(record.scored, key=lambda trial: -record.signed(trial)[0])


def _height(scale: Scale, trial: TrialRow, key: str, narrow: float) -> float | None:
    share = scale.share(trial.params[key]) if key in trial.params else None
    if share is None or not scale.words:
        return share
    return share + jitter(trial.number) * narrow / len(scale.words)


def _value(scale: Scale, place: float) -> Any:
    return scale.words[int(place)] if scale.words else place


def _axis(axes: "Axes", number: int, name: str, ticks: list[tuple[float, str]], last: bool = False) -> None:
    """One upright axis; names of neighbours stand at two heights, so that long ones do not meet."""
    axes.plot([number, number], [0, 1], color=INK, linewidth=1.0, zorder=5)
    for height, word in ticks:
        axes.plot([number - 0.02, number + 0.02], [height] * 2, color=INK, linewidth=1.0, zorder=5)
        side: dict[str, Any] = {"xytext": (5 if last else -5, 0), "ha": "left" if last else "right"}
        axes.annotate(
            word,
            (number, height),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
            zorder=6,
            bbox=BOX,
            **side,
        )
    axes.text(number, 1.07 if number % 2 else 1.15, name, ha="center", fontsize=8, color=INK)
