"""Two metrics against each other, and the trials that none beats in both: the Pareto front."""

from typing import TYPE_CHECKING

from rnnvision.report.page.blocks import Plot
from rnnvision.report.study.marks import BEST, COMPLETED, explain_marks, marked
from rnnvision.report.study.scores import score_axis, shown
from rnnvision.report.style import BOX, INK, colour, label_ends
from rnnvision.runs.study import StudyRecord, TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 12
Pairs = list[tuple[TrialRow, tuple[float, float]]]


def front_plots(record: StudyRecord) -> tuple[Plot, ...]:
    """The first metric against each other one; none of a study with one metric or without a completed trial."""
    if not record.scored:
        return ()
    return tuple(_plot(record, other) for other in range(1, len(record.metrics)))


def _plot(record: StudyRecord, other: int) -> Plot:
    """`other` is the number of the metric that lies below."""
    front = sorted(record.best(), key=lambda trial: trial.values[other])
    names = record.metrics[other], record.metrics[0]
    points = [(trial.values[other], trial.values[0]) for trial in front]
    pairs = list(zip(front, points, strict=True))
    on_front = {trial.number for trial in front}
    rest = [(trial.values[other], trial.values[0]) for trial in record.scored if trial.number not in on_front]

    def draw(axes: "Axes") -> None:
        marked(axes, COMPLETED | {"label": "beaten"}, rest)
        score_axis(axes, names[0], [x for x, _ in points + rest], "x")
        score_axis(axes, names[1], [y for _, y in points + rest])
        if len(record.metrics) == 2:  # of more the front is a surface
            x, y = zip(*points, strict=True)
            cheap = record.directions[other] == "minimize"
            axes.step(x, y, where="post" if cheap else "pre", color=colour(1), linewidth=1.0, alpha=0.7)
        marked(axes, BEST | {"label": "Pareto front"}, points)
        label_ends(axes, {f"{trial.number}": (*point, INK) for trial, point in _spread(pairs)}, bbox=BOX)
        explain_marks(axes)

    ways = " and ".join(f"{m} {d}d" for m, d in zip(record.metrics, record.directions, strict=True))
    ends = ", ".join(
        f"trial {t.number}: {shown(names[1], y)} at {shown(names[0], x)}" for t, (x, y) in _spread(pairs, 2)
    )
    alt = (
        f"{names[1]} against {names[0]}, {ways}; {len(front)} of {len(record.scored)} trials are on the front: {ends}."
    )
    return Plot(draw, alt, "Numbers are those of the trials.", 5.0, 3.6)


def _spread(pairs: Pairs, most: int = LABELLED) -> Pairs:
    """At most so many as can be labelled, both ends among them."""
    if len(pairs) <= most:
        return pairs
    return [pairs[round(i * (len(pairs) - 1) / (most - 1))] for i in range(most)]
