"""Plots of a study: right whatever its trials are, and what they show is what happened."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from rnnvision.report.page.blocks import Plot
from rnnvision.report.page.drawing import svg
from rnnvision.report.study.front import front_plots
from rnnvision.report.study.history import curve_plot, history_plot
from rnnvision.report.study.importances import importance_plot
from rnnvision.report.study.marks import GREY, MOST_LINES
from rnnvision.report.study.parallel import parallel_plot
from rnnvision.report.study.pictures import draw_study, study_plots
from rnnvision.report.study.scale import scale_of, scales_of
from rnnvision.report.study.slices import slice_plots
from rnnvision.report.style import colour
from rnnvision.runs.study import Axis, StudyRecord, TrialRow
from tests.report.study.studies import of_two_metrics, searched

ALL = ["history.png", "importances.png", "parallel.png", "slices.png", "curves.png"]
SOME = searched(40)


def with_values(record: StudyRecord, *values: float) -> StudyRecord:
    """Completed trials with these scores in place of their own."""
    pairs = zip(record.trials, values, strict=False)
    trials = tuple(replace(trial, state="completed", values=(value,)) for trial, value in pairs)
    return replace(record, trials=trials)


STUDIES: dict[str, tuple[StudyRecord, list[str]]] = {
    "many trials": (searched(200), ALL),
    "one trial": (searched(1), ALL),
    "none": (replace(SOME, trials=(), importances={}), []),
    "all pruned": (
        replace(SOME, trials=tuple(t for t in SOME.trials if t.state == "pruned"), importances={}),
        ["history.png", "slices.png", "curves.png"],
    ),
    "all failed, one with NaN": (
        replace(SOME, trials=(TrialRow(0, "failed"), TrialRow(1, "failed", steps={1: math.nan})), importances={}),
        [],
    ),
    "equal scores": (
        replace(with_values(SOME, *[0.5] * 9), importances={"model": 0.0, "a": math.nan}),
        ALL[:1] + ALL[2:],
    ),
    "scores of many sizes": (
        replace(with_values(SOME, 1e-3, 2.0, math.inf, 1e9, math.nan), metrics=("val/loss",), directions=("minimize",)),
        ALL,
    ),
    "no parameters": (
        replace(SOME, space={}, trials=tuple(replace(t, params={}) for t in SOME.trials), importances={}),
        ["history.png", "curves.png"],
    ),
    "a space that has changed": (replace(SOME, space={"model": Axis("choice", choices=("gru",))}), ALL),
    "two metrics": (of_two_metrics(40), ["history.png", "front.png", "parallel.png", "slices.png"]),
    "one trial of two metrics": (of_two_metrics(1), ["history.png", "front.png", "parallel.png", "slices.png"]),
}


@pytest.mark.parametrize(("record", "names"), STUDIES.values(), ids=STUDIES)
def test_every_study_has_the_pictures_that_its_trials_give(
    record: StudyRecord, names: list[str], tmp_path: Path
) -> None:
    assert draw_study(tmp_path, record) == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert max(image.size) < 2500  # many drawings stand in rows
            assert image.convert("L").getextrema() != (255, 255)


def axes_of(plot: Plot | None) -> Axes:
    assert plot is not None
    axes = Figure(figsize=(plot.width, plot.height), layout="constrained").subplots()
    plot.draw(axes)
    return axes


def lines(axes: Axes, tint: str, marker: str = "None") -> Iterator[list[tuple[float, float]]]:
    """The points of the lines of a colour."""
    for line in axes.lines:
        if line.get_color() == tint and line.get_marker() == marker:
            yield [(float(x), float(y)) for x, y in line.get_xydata()]  # type: ignore[union-attr]


def test_a_curve_of_a_pruned_trial_ends_where_it_was_pruned() -> None:
    axes = axes_of(curve_plot(SOME))
    pruned = [sorted(trial.steps.items()) for trial in _pruned()]
    assert list(lines(axes, GREY)) == pruned
    assert sorted(next(lines(axes, GREY, "o"))) == sorted(points[-1] for points in pruned)
    best = SOME.best()[0]
    assert list(lines(axes, colour(1))) == [sorted(best.steps.items())]


@pytest.mark.parametrize(("direction", "best"), [("maximize", [0.3, 0.6, 0.7]), ("minimize", [0.3, 0.2, 0.1])])
def test_the_best_so_far_only_gets_better_and_failed_trials_are_marked(direction: str, best: list[float]) -> None:
    record = replace(with_values(SOME, 0.3, 0.2, 0.6, 0.5, 0.7, 0.1), directions=(direction,))
    record = replace(record, trials=(*record.trials, TrialRow(6, "failed"), TrialRow(7, "running")))
    axes = axes_of(history_plot(record))
    points = next(lines(axes, colour(1)))
    assert [y for _, y in points] == [*best, best[-1]]
    assert points[-1][0] == 7
    assert [x for x, _ in next(lines(axes, colour(3), "x"))] == [6]


@pytest.mark.parametrize(("direction", "top"), [("maximize", 0.9), ("minimize", 0.1)])
def test_better_is_up_on_the_last_of_the_parallel_axes(direction: str, top: float) -> None:
    record = replace(with_values(SOME, 0.1, 0.4, 0.9), directions=(direction,))
    axes = axes_of(parallel_plot(record))
    (best,) = lines(axes, colour(1))
    assert best[-1][1] == 1.0
    high = max((text for text in axes.texts if text.get_text().endswith("%")), key=lambda text: text.xy[1])  # type: ignore[attr-defined]
    assert high.get_text() == f"{100 * top:g} %"


def test_of_thousands_of_trials_the_drawings_stay_small() -> None:
    record = searched(
        2000,
        {
            "optimizer.lr": Axis("float", 1e-5, 1e-1, log=True),
            "model.hidden_size": Axis("int", 8, 512),
            "model": Axis("choice", choices=("gru",)),
        },
    )
    assert len(axes_of(parallel_plot(record)).lines) < MOST_LINES + 50
    assert len(svg(slice_plots(record)[0], "p")) < 200_000
    assert len(axes_of(curve_plot(record)).lines) < 3 * MOST_LINES + 10


def test_the_front_is_drawn_through_what_nothing_beats() -> None:
    record = of_two_metrics(60)
    axes = axes_of(front_plots(record)[0])
    front = sorted((trial.values[1], trial.values[0]) for trial in record.best())
    assert list(lines(axes, colour(1))) == [front]
    assert next(lines(axes, colour(1), "D")) == front
    assert len(next(lines(axes, colour(0), "o"))) == len(record.scored) - len(front)
    three = replace(record, metrics=(*record.metrics, "c"), directions=(*record.directions, "minimize"))
    three = replace(three, trials=tuple(replace(t, values=(*t.values, -t.values[0])) for t in record.trials))
    assert [list(lines(axes_of(plot), colour(1))) for plot in front_plots(three)] == [[], []]


def test_a_slice_has_every_choice_below_it_and_the_scale_of_its_range() -> None:
    axes = {key: axes_of(plot) for key, plot in zip(scales_of(SOME), slice_plots(SOME), strict=True)}
    assert [text.get_text() for text in axes["model.norm"].get_xticklabels()] == ["null", "layer", "rms"]
    assert [text.get_text() for text in axes["model.patch"].get_xticklabels()] == ["[1,1]", "[2,2]", "[4,4]"]
    assert axes["optimizer.lr"].get_xscale() == "log"
    assert axes["model.num_layers"].get_xscale() == "linear"
    assert next(iter(axes)) == "optimizer.lr"  # the most important one
    for (x, _), trial in zip(next(lines(axes["model.norm"], GREY, "o")), _pruned(), strict=True):
        assert abs(x - (None, "layer", "rms").index(trial.params["model.norm"])) < 0.3  # beside it, not at another one


def _pruned() -> list[TrialRow]:
    return [trial for trial in SOME.trials if trial.state == "pruned"]


def test_a_value_lies_where_its_scale_says() -> None:
    log = scale_of(Axis("float", 1e-4, 1.0, log=True), [])
    assert [log.share(value) for value in (1e-4, 1e-2, 1.0)] == pytest.approx([0.0, 0.5, 1.0])
    assert [log.share(value) for value in (None, True, "lstm", 2.0, math.nan)] == [None] * 5
    choices = scale_of(Axis("choice", choices=(True, None, [8, 16])), ["new"])
    assert [choices.share(value) for value in (True, None, [8, 16], "new", 1)] == [0.0, 1 / 3, 2 / 3, 1.0, None]
    assert scale_of(Axis("int", 3, 3), []).share(3) == 0.5
    assert scale_of(Axis("float", 0.0, 1.0), [5.0]).share(5.0) == 1.0


def test_bars_are_as_long_as_the_shares_and_the_longest_is_on_top() -> None:
    axes = axes_of(importance_plot(replace(SOME, importances={"a": 0.1, "b": 0.7, "c": 0.2})))
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert (widths, [text.get_text() for text in axes.get_yticklabels()]) == ([0.7, 0.2, 0.1], ["b", "c", "a"])
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_every_drawing_says_what_it_shows() -> None:
    for plots in study_plots(SOME).values():
        assert all(len(plot.alt) > 20 for plot in plots)
