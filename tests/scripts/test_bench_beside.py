"""The benchmark of training beside other processes: what it makes of its figures."""

import csv
from pathlib import Path

import bench_beside


def test_a_row_has_the_ratio_to_the_best_of_the_choices() -> None:
    times = dict(zip(bench_beside.CHOICES, (4.5, 4.0, 80.0, float("inf")), strict=True))
    row = bench_beside.table("busy1", {"lstm64": times})
    assert row.splitlines()[-1] == "| `lstm64` | 4.5 | 4.0 | 80.0 | - | 1.12 |"


def test_the_seconds_of_epochs_are_read_while_they_are_written(tmp_path: Path) -> None:
    assert bench_beside.epochs_of(tmp_path) == []
    with (tmp_path / "metrics.csv").open("w") as file:
        csv.writer(file).writerows([["epoch", "seconds"], [0, 0.5], [1, 0.25], [2]])
    assert bench_beside.epochs_of(tmp_path) == [0.5, 0.25]
