"""Plots: they are drawn from figures alone, and a machine without matplotlib is told what it lacks."""

import sys
from itertools import pairwise
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.figure import Figure

from rnnvision.report.benchmark_plot import plot_benchmark
from rnnvision.report.comparison import Row
from rnnvision.report.comparison_plot import plot_comparison
from rnnvision.report.style import colour, drawn, label_ends, line_style, marker

ROWS = [
    Row("lstm", 2, accuracy=0.9, accuracy_std=0.01, multiply_adds=1000, train_seconds=3.0),
    Row("svm", 1, accuracy=0.8, train_seconds=1.0, fitted=True),
    Row("failed", 0, failures=("seed 0: killed",)),
]
METRICS = {f"train/samples_per_second/{size}": 100.0 * size for size in (1, 4)}
GROWTH = {"growth/exponent": 1.0, "growth/seconds/4": 0.1, "growth/seconds/8": 0.2}


def is_drawn_on(path: Path) -> bool:
    return float(matplotlib.image.imread(path).std()) > 0.01


def test_a_comparison_is_drawn_whatever_its_rows_lack(tmp_path: Path) -> None:
    plot_comparison(tmp_path / "new" / "comparison.png", ROWS)
    assert is_drawn_on(tmp_path / "new" / "comparison.png")
    plot_comparison(tmp_path / "none.png", ROWS[2:])


@pytest.mark.parametrize("metrics", [METRICS, METRICS | GROWTH, GROWTH], ids=["speed", "both", "growth"])
def test_a_benchmark_is_drawn_with_what_it_has(tmp_path: Path, metrics: dict[str, float]) -> None:
    assert drawn(plot_benchmark, tmp_path / "benchmark.png", metrics) == ", benchmark.png"
    assert is_drawn_on(tmp_path / "benchmark.png")


def test_without_matplotlib_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    told = drawn(plot_comparison, tmp_path / "comparison.png", ROWS)
    assert 'needs matplotlib: pip install "rnnvision[plots]"' in told
    assert not list(tmp_path.iterdir())


def test_no_two_of_many_series_look_alike() -> None:
    assert len({(colour(i), marker(i)) for i in range(56)}) == 56
    assert len({(colour(i), line_style(i)) for i in range(28)}) == 28


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot((0, 10), (0, 100))  # the limits are found from the data
    label_ends(axes, {name: (10.0, 50.0 + i, "#000000") for i, name in enumerate(("one", "two", "three"))})
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
    assert all(upper.y0 >= lower.y1 - 1 for lower, upper in pairwise(boxes))
