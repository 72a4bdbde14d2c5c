"""How a search went: the score of each trial, the best so far, and the learning curves of the trials."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnvision.report.page.blocks import Plot
from rnnvision.report.study.marks import BEST, COMPLETED, FAILED, PRUNED, explain_marks, marked, thinned
from rnnvision.report.study.scores import pruned_scores, score_axis, shown
from rnnvision.report.style import INK, colour, label_ends
from rnnvision.runs.study import StudyRecord, TrialRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def history_plot(record: StudyRecord, which: int = 0) -> Plot | None:
    """One metric over the trials; None where no trial has a score."""
    points = [(trial.number, trial.values[which]) for trial in record.scored]
    pruned = [(trial.number, score) for trial, score in pruned_scores(record)] if which == 0 else []
    if not points and not pruned:
        return None
    metric, up = record.metrics[which], record.directions[which] == "maximize"
    best = best_so_far(points, up)
    failed = [trial.number for trial in record.trials if trial.state == "failed"]

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        marked(axes, PRUNED, pruned)
        marked(axes, COMPLETED, points)
        if failed:
            axes.plot(failed, [0.02] * len(failed), transform=axes.get_xaxis_transform(), **FAILED)
        score_axis(axes, metric, [score for _, score in points + pruned])
        axes.set_xlabel("trial")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.set_xlim(-0.75, max(trial.number for trial in record.trials) + 0.75)
        if best:
            end = (record.trials[-1].number, best[-1][1])
            x, y = zip(*best, end, strict=True)
            axes.step(x, y, where="post", color=colour(1), label="best so far")
            label_ends(axes, {shown(metric, end[1]): (*end, INK)})
        explain_marks(axes)

    last = f"the best is {shown(metric, best[-1][1])}, of trial {best[-1][0]}" if best else "none was completed"
    alt = f"{metric} of {len(points)} completed and {len(pruned)} pruned trials, in their order; {last}."
    return Plot(draw, alt, _when(best, len(record.trials)), 5.0, 3.2)


def best_so_far(points: Sequence[tuple[int, float]], up: bool) -> list[tuple[int, float]]:
    """The trials that were the best when they ended.

    Examples:
        >>> best_so_far([(0, 0.5), (1, 0.4), (3, 0.7), (4, 0.7)], up=True)
        [(0, 0.5), (3, 0.7)]
    """
    found: list[tuple[int, float]] = []
    for number, score in points:
        if not found or (score > found[-1][1] if up else score < found[-1][1]):
            found.append((number, score))
    return found


def _when(best: Sequence[tuple[int, float]], trials: int) -> str:
    if not best:
        return "No trial was completed."
    found = f"The best was found in trial {best[-1][0]}"
    late = best[-1][0] >= 0.8 * trials and trials >= 10
    return f"{found}, late: more trials may find better ones." if late else f"{found} of {trials}."


def curve_plot(record: StudyRecord) -> Plot | None:
    """The score of each trial over its epochs; None where none was reported."""
    curves = {trial.number: points for trial in record.trials if (points := _finite(trial))}
    if not curves:
        return None
    best = next((trial.number for trial in record.best() if trial.number in curves), None)
    groups = {state: [t.number for t in record.trials if t.state == state] for state in ("completed", "pruned")}
    groups["completed"] = [number for number in groups["completed"] if number != best]
    groups["not ended"] = [t.number for t in record.trials if t.state in ("failed", "running")]
    metric = record.metrics[0]

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        for name, style in (("pruned", PRUNED), ("not ended", FAILED), ("completed", COMPLETED)):
            lines = thinned([curves[number] for number in groups[name] if number in curves])
            for line in lines:
                _curve(axes, line, style, 0.35 if name == "completed" else 0.5)
            ends = [line[-1] for line in lines]
            marked(axes, style | {"label": name}, ends)
        every = [score for points in curves.values() for _, score in points]
        score_axis(axes, metric, every)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        if best is not None:
            _curve(axes, curves[best], BEST, 1.0, 2.0)
            marked(axes, BEST, curves[best][-1:])
            label_ends(axes, {f"trial {best}": (*curves[best][-1], INK)})
        explain_marks(axes)

    epochs, most = sum(map(len, curves.values())), max(map(len, curves.values()))
    alt = f"{metric} after each epoch of {len(curves)} trials, {len(groups['pruned'])} of them pruned."
    saved = sum(most - len(curves.get(number, ())) for number in groups["pruned"])
    note = f"{epochs:,} epochs in all; without pruning up to {epochs + saved:,}." if saved else ""
    return Plot(draw, alt, note, 5.0, 3.2)


def _finite(trial: TrialRow) -> list[tuple[int, float]]:
    return [(step, trial.steps[step]) for step in sorted(trial.steps) if math.isfinite(trial.steps[step])]


def _curve(axes: "Axes", points: Sequence[tuple[int, float]], style: Any, alpha: float, width: float = 0.9) -> None:
    x, y = zip(*points, strict=True)
    axes.plot(x, y, color=style["color"], alpha=alpha, linewidth=width, zorder=style["zorder"])
