"""Tables of runs: mean and spread over seeds, the best, the settings that differ, and four formats."""

import csv
import math
import statistics
from pathlib import Path

import pytest

from rnnvision.report.runs_table import best_of, differing, figure_of, groups_of, groups_table, runs_table
from rnnvision.report.table_text import FORMATS, Figure, Table, to_file
from rnnvision.runs.record import Record, read_record
from tests.runs.making import make_run

SCORES = {"lstm": (0.9, 0.92, 0.97), "gru": (0.5, 0.6)}


@pytest.fixture
def runs(tmp_path: Path) -> list[Record]:
    """Five completed runs of two networks, and a failed one with a figure."""
    made = [
        make_run(tmp_path / f"{model}_{seed}", model=model, seed=seed, val_accuracy=score, val_loss=score)
        for model, scores in SCORES.items()
        for seed, score in enumerate(scores)
    ]
    made.append(make_run(tmp_path / "gru_9", model="gru", seed=9, status="failed", val_accuracy=1.0))
    return [read_record(folder, folder.name) for folder in made]


def test_a_setting_has_mean_sample_deviation_and_best_of_its_completed_runs(runs: list[Record]) -> None:
    table = groups_table(groups_of(runs, ["model"], "val/accuracy"), "val/accuracy", ["val/loss", "test/nll"])
    assert table.header == (
        *("model", "runs", "not completed", "val/accuracy", "best", "val/loss", "test/nll", "best run"),
    )
    lstm, gru = table.rows
    assert (lstm[:3], gru[:3]) == (("lstm", 3, None), ("gru", 2, "1 failed"))
    figure = lstm[3]
    assert isinstance(figure, Figure)
    assert figure.mean == pytest.approx(statistics.mean(SCORES["lstm"]), abs=1e-12)
    assert figure.spread == pytest.approx(statistics.stdev(SCORES["lstm"]), abs=1e-12)
    assert (lstm[4], lstm[6:], gru[4], gru[7]) == (0.97, (None, "lstm_2"), 0.6, "gru_1")


@pytest.mark.parametrize("figures", [(1e308, 1e308), (1e999, -1e999), (1e200, -1e200), (10**400, 1)])
def test_figures_that_have_no_mean_leave_the_table_of_all(tmp_path: Path, figures: tuple[float, float]) -> None:
    for number, figure in enumerate(figures):
        made = make_run(tmp_path / f"{number}", seed=number, val_accuracy=0.5)
        (made / "metrics.json").write_text(f'{{"val/accuracy": {figure!r}}}'.replace("inf", "1e999"))
    records = [read_record(tmp_path / name, name) for name in "01"]
    table = groups_table(groups_of(records, ["model"], "val/accuracy"), "val/accuracy", [])
    assert "nan" in FORMATS["table"](table) or figures[1] == 1  # a whole number that is none is left out
    for record, figure in zip(records, figures, strict=True):  # as an index may have it
        record.metrics["val/accuracy"] = figure
    found = figure_of(records, "val/accuracy")
    assert isinstance(found, Figure)
    assert math.isnan(found.mean)
    assert found.spread is not None
    assert math.isnan(found.spread)


def test_the_best_is_the_lowest_of_what_should_be_low(runs: list[Record]) -> None:
    best = {metric: best_of(runs, metric) for metric in ("val/accuracy", "val/loss", "nothing")}
    assert {name: run and run.folder for name, run in best.items()} == {
        "val/accuracy": "lstm_2",
        "val/loss": "gru_0",
        "nothing": None,
    }


def test_one_run_has_no_spread_and_a_setting_is_no_figure(runs: list[Record]) -> None:
    assert figure_of(runs[:1], "val/accuracy") == Figure(0.9, None)
    assert figure_of(runs, "optimizer.lr") == 0.001
    assert figure_of(runs, "seed") == "0, 1, 2, 9"
    assert figure_of(runs, "nothing") is None


def test_only_keys_that_tell_runs_apart_are_named(tmp_path: Path, runs: list[Record]) -> None:
    """The recurrence changes with the network, and the name with both; the seed makes no setting."""
    assert differing(runs) == ["model"]
    assert differing(runs[:3]) == []
    more = [*runs, read_record(make_run(tmp_path / "lr", lr=0.1))]
    assert differing(more) == ["model", "optimizer.lr"]
    assert len(groups_of(more, differing(more), "val/accuracy")) == 3


def test_a_row_a_run_says_how_it_ended(runs: list[Record]) -> None:
    table = runs_table(runs, ["model", "seed"], ["val/accuracy"])
    assert table.header == ("model", "seed", "val/accuracy", "seconds", "status", "folder")
    assert table.rows[-1] == ("gru", 9, 1.0, 9.5, "failed", "gru_9")


ODD = Table(
    ("model", "optimizer.lr", "val/accuracy", "train/seconds", "model/parameters"),
    (
        ("a|b_c & 100%\nx", 0.001, Figure(0.98765, 0.00123), Figure(61.24, None), Figure(82826.0, 0.0)),
        ("plain", None, Figure(0.5), None, 7),
    ),
    figures=("val/accuracy",),
)


def test_each_format_escapes_what_means_something_in_it() -> None:
    shown = {name: render(ODD) for name, render in FORMATS.items()}
    assert shown["table"].splitlines() == [
        "model            optimizer.lr      val/accuracy  fit s  parameters",
        r"a|b_c & 100%\nx         0.001  0.9877 +- 0.0012   61.2      82,826",
        "plain                       -            0.5000      -           7",
    ]
    assert shown["markdown"].splitlines() == [
        "| model | optimizer.lr | val/accuracy | fit s | parameters |",
        "|---|---:|---:|---:|---:|",
        r"| a\|b\_c & 100%\\nx | 0.001 | 0.9877 ± 0.0012 | 61.2 | 82,826 |",
        "| plain | - | 0.5000 | - | 7 |",
    ]
    assert shown["latex"].splitlines()[4:6] == [
        r"  a\textbar{}b\_c \& 100\%\textbackslash{}nx & 0.001 & 0.9877 $\pm$ 0.0012 & 61.2 & 82,826 \\",
        r"  plain & - & 0.5000 & - & 7 \\",
    ]
    rows = list(csv.reader(shown["csv"].splitlines(keepends=True)))
    assert rows[0] == ["model", "optimizer.lr", "val/accuracy", "val/accuracy std", "train/seconds", "model/parameters"]
    assert rows[1] == ["a|b_c & 100%\\nx", "0.001", "0.98765", "0.00123", "61.24", "82826.0"]
    assert rows[2] == ["plain", "", "0.5", "", "", "7"]


def test_what_a_stranger_has_named_neither_steers_a_terminal_nor_is_a_formula() -> None:
    evil = Table(("=x", "status"), (("=1+1", "\x1b]0;pwn\x07completed\u202e"), (-0.5, "-0.5"), ("@a", "+b")))
    lines = FORMATS["csv"](evil).splitlines()
    assert lines == ["'=x,status", r"'=1+1,\x1b]0;pwn\x07completed\u202e", "-0.5,-0.5", "'@a,'+b"]
    for form in FORMATS.values():
        assert "\x1b" not in form(Table(("a\x1b",), (("b\x1b",),)))


def test_the_suffix_of_a_file_is_its_format(tmp_path: Path) -> None:
    for suffix, name in {".csv": "csv", ".md": "markdown", ".tex": "latex"}.items():
        to_file(tmp_path / f"table{suffix}", ODD)
        assert (tmp_path / f"table{suffix}").read_bytes().decode() == FORMATS[name](ODD)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_table_without_rows_has_its_header() -> None:
    assert [len(render(Table(("a", "b"), ())).splitlines()) for render in FORMATS.values()] == [1, 1, 2, 6]
