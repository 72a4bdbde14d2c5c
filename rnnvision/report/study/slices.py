"""The score against each parameter: one plot a parameter."""

from typing import TYPE_CHECKING

from rnnvision.report.page.blocks import Plot
from rnnvision.report.study.marks import BEST, COMPLETED, PRUNED, jitter, marked
from rnnvision.report.study.scale import Scale, key_label, scales_of
from rnnvision.report.study.scores import brief, pruned_scores, score_axis
from rnnvision.runs.study import StudyRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def slice_plots(record: StudyRecord) -> tuple[Plot, ...]:
    """Of each parameter, the most important first; none where no trial has a score."""
    if not record.scored and not pruned_scores(record):
        return ()
    return tuple(_slice(record, key, scale) for key, scale in scales_of(record).items())


def _slice(record: StudyRecord, key: str, scale: Scale) -> Plot:
    metric, pruned, scored = record.metrics[0], pruned_scores(record), record.scored
    best = record.best()[:1]
    top = best[0].number if best else None

    def place(number: int, value: object) -> float | None:
        found = scale.at(value)
        return None if found is None else found + (jitter(number) if scale.words else 0.0)

    def draw(axes: "Axes") -> None:
        groups = (
            (PRUNED, pruned),
            (COMPLETED, [(trial, trial.values[0]) for trial in scored if trial.number != top]),
            (BEST, [(trial, trial.values[0]) for trial in best]),
        )
        for style, trials in groups:
            found = [(place(t.number, t.params[key]), score) for t, score in trials if key in t.params]
            marked(axes, style, [(x, y) for x, y in found if x is not None])
        score_axis(axes, metric, [score for _, trials in groups for _, score in trials])
        scale.draw_below(axes)
        axes.set_xlabel(key_label(key, 40))

    of_best = f"; the best has {brief(best[0].params[key])}" if best and key in best[0].params else ""
    return Plot(draw, f"{metric} against {key} of {len(scored)} completed trials{of_best}.", "", 3.5, 2.6)
