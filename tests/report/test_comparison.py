"""The rows of a comparison, from run folders that the tests write: means, dashes, notes, CSV, Markdown."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from rnnvision.report.comparison import COLUMNS, METHODS, make_row, markdown, table, write_csv
from rnnvision.runs import Run

MACHINE = {
    "git": {"commit": "0123456789abcdef", "dirty": True},
    "gpus": [],
    "cpu": "A CPU",
    "cores": 2,
    "threads": 1,
    "versions": {"torch": "2.11.0"},
}


def write_run(folder: Path, metrics: dict[str, Any], costs: dict[str, Any] | None = None) -> Path:
    """A run folder of a training that is completed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"metrics": metrics, "costs": costs, "status": {"status": "completed"}, "environment": MACHINE}
    for name, content in files.items():
        if content is not None:
            (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def test_scores_are_means_over_the_seeds_and_measurements_medians(tmp_path: Path) -> None:
    folders = {}
    for seed, (accuracy, latency) in enumerate([(0.5, 0.001), (0.75, 0.002), (1.0, 0.009)]):
        metrics = {"test/accuracy": accuracy, "test/f1": accuracy / 2, "train/seconds": 3.0 + seed}
        costs = {"latency/p50": latency, "memory/peak": 2**20 * (seed + 1), "anytime/area": accuracy / 5}
        folders[seed] = write_run(tmp_path / str(seed), metrics, costs)
    row = make_row("lstm", folders)
    assert (row.seeds, row.accuracy, row.accuracy_min, row.accuracy_max) == (3, 0.75, 0.5, 1.0)
    assert row.accuracy_std == 0.25  # of the sample
    assert (row.f1, row.latency, row.memory, row.train_seconds) == (0.375, 0.002, 2 * 2**20, 4.0)
    assert row.anytime == pytest.approx(0.15)


def test_a_run_without_gradients_has_a_dash_where_a_figure_does_not_apply(tmp_path: Path) -> None:
    metrics = {"test/accuracy": 0.75, "test/f1": 0.7, "train/seconds": 3.0}
    write_run(tmp_path, metrics, {"missing": ["run: holds no checkpoints/best.ckpt"]})
    row = make_row("svm", {0: tmp_path})
    line, note = table([row]).splitlines()[1].split("  <- ")
    assert line.split() == ["svm", "1", "75.00", "70.00", "-", "-", "-", "-", "-", "-", "3.0"]
    assert note == "not measured: run: holds no checkpoints/best.ckpt"
    page = markdown([row], "rnnvision compare models=[svm]", "one epoch.", [Run(tmp_path)])
    assert "| `svm` | 1 | 75.00 | 70.00 | - | - | - | - | - | - | 3.0 |" in page
    assert "- `svm`: not measured: run: holds no checkpoints/best.ckpt" in page


def test_samples_that_no_run_has_counted_are_marked(tmp_path: Path) -> None:
    write_run(tmp_path, {"test/accuracy": 0.75}, {"train/samples_per_second": 1234.4})
    row = make_row("old", {0: tmp_path, 1: tmp_path / "nowhere"})
    assert (row.samples_per_second, row.samples_from, row.seeds) == (1234.4, "steps", 1)
    assert " 1,234* " in table([row])
    assert row.failures == ("seed 1: did not begin",)


def test_a_network_of_which_no_training_was_completed_is_a_row_of_notes(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"status": "failed", "error": "out of memory"}')
    row = make_row("big", {0: tmp_path})
    assert (row.seeds, row.accuracy, row.failures) == (0, None, ("seed 0: out of memory",))
    assert table([row]).endswith("<- failed: seed 0: out of memory")


def test_the_error_of_a_measurement_is_a_failure_of_its_run(tmp_path: Path) -> None:
    write_run(tmp_path, {"test/accuracy": 0.75})
    assert make_row("a", {0: tmp_path}).failures == ("seed 0: costs: not measured",)
    (tmp_path / "costs_error.json").write_text('{"error": "killed"}')
    assert make_row("a", {0: tmp_path}).failures == ("seed 0: costs: killed",)


@pytest.mark.parametrize("figures", ["{}", '{"test/accuracy": NaN}', '{"test/accuracy": "0.9"}'])
def test_a_completed_run_without_a_score_is_a_failure_of_its_seed(tmp_path: Path, figures: str) -> None:
    for name in ("lstm_0", "lstm_1"):
        write_run(tmp_path / name, {"test/accuracy": 0.75}, {"parameters": 7})
    (tmp_path / "lstm_0/metrics.json").write_text(figures)
    row = make_row("lstm", {seed: tmp_path / f"lstm_{seed}" for seed in (0, 1)})
    assert (row.seeds, row.accuracy) == (1, 0.75)
    assert row.failures == ("seed 0: its metrics.json has no test/accuracy; remove lstm_0 to train it again",)


def test_forged_figures_and_records_leave_the_others(tmp_path: Path) -> None:
    for seed in "01":
        write_run(
            tmp_path / seed, {"test/accuracy": 0.75, "test/f1": 0.5, "train/seconds": 3.0}, {"memory/peak": 2**20}
        )
    (tmp_path / "1/metrics.json").write_text('{"test/accuracy": 0.25, "test/f1": 1e999, "train/seconds": NaN}')
    (tmp_path / "1/costs.json").write_text('{"memory/peak": 1e999, "parameters": NaN, "missing": ["a\\nb\\u001b"]}')
    (tmp_path / "1/environment.json").write_text('{"gpus": 3, "git": {"commit": 5}}')
    row = make_row("lstm", {0: tmp_path / "0", 1: tmp_path / "1"})
    assert (row.accuracy, row.f1, row.train_seconds, row.memory, row.parameters) == (0.5, 0.5, 3.0, 2**20, None)
    assert table([row]).endswith("not measured: a\\nb\\x1b")
    assert "commit 5" in markdown([row], "rnnvision compare", "one epoch.", [Run(tmp_path / "1")])


def test_the_page_says_how_and_where_it_was_measured(tmp_path: Path) -> None:
    write_run(tmp_path, {"test/accuracy": 0.75}, {})
    row = make_row("a", {0: tmp_path})
    page = markdown([row], "rnnvision compare models=[a]", "epochs 5 each.", [Run(tmp_path), Run(tmp_path)])
    assert page.startswith(f"`rnnvision compare models=[a]`\n\n| {' | '.join(COLUMNS)} |\n")
    assert "\nepochs 5 each.\n" + METHODS in page
    assert page.count("A CPU, 2 cores, threads: 1; torch 2.11.0; commit 0123456 (changed).") == 1


def test_csv_has_every_digit_and_nothing_where_a_figure_does_not_apply(tmp_path: Path) -> None:
    write_run(tmp_path, {"test/accuracy": 1 / 3}, {"fitted": True})
    write_csv(tmp_path / "rows.csv", [make_row("a b", {0: tmp_path, 1: tmp_path / "nowhere"})])
    with (tmp_path / "rows.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["label"], row["accuracy"], row["fitted"]) == ("a b", repr(1 / 3), "True")
    assert row["latency"] == row["accuracy_std"] == ""
    assert row["failures"] == "seed 1: did not begin"
