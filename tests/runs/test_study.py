"""trials.json: it comes back as it was, is told when it is damaged, and knows its best trials."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rnnvision.runs.study import FILE, TABLE, Axis, StudyRecord, TrialRow, read_study, write_study

SPACE = {
    "optimizer.lr": Axis("float", 1e-4, 1e-2, log=True),
    "model.num_layers": Axis("int", 1, 4, step=1),
    "model": Axis("choice", choices=("lstm", None, True, [8, 16], {"a": 1})),
}
TRIALS = (
    TrialRow(
        0, "completed", (0.5,), {"optimizer.lr": 1e-3, "model": [8, 16]}, ("model=[8,16]",), {0: 0.25, 1: 0.5}, 1.5
    ),
    TrialRow(1, "failed", steps={0: math.nan}, error='a, "b"\nc \udcff', params={"model": None, "gone": True}),
    TrialRow(2, "pruned", steps={0: -math.inf}),
    TrialRow(3, "running"),
)
STUDY = StudyRecord(
    "näme", ("val/accuracy",), ("maximize",), SPACE, TRIALS, ("data=digits",), {"model": 0.75}, {"sampler": "tpe"}
)


def test_it_comes_back_as_it_was_written_and_leaves_no_other_file(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY)
    read = read_study(tmp_path)
    assert math.isnan(read.trials[1].steps[0])
    same = replace(read.trials[1], steps=TRIALS[1].steps)
    assert replace(read, trials=(read.trials[0], same, *read.trials[2:])) == STUDY
    assert sorted(path.name for path in tmp_path.iterdir()) == [TABLE, FILE]
    json.loads((tmp_path / FILE).read_text(), parse_constant=pytest.fail)  # NaN is no JSON


def test_the_table_has_a_column_each_and_values_as_they_are_typed(tmp_path: Path) -> None:
    write_study(tmp_path, STUDY)
    with (tmp_path / TABLE).open(newline="", errors="surrogateescape") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["[8,16]", "null", "", ""]
    assert [row["gone"] for row in rows] == ["", "true", "", ""]
    assert [row["val/accuracy"] for row in rows] == ["0.5", "", "", ""]
    assert rows[1]["error"] == 'a, "b"\\nc \udcff'


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-30],
        lambda text: "[]",
        lambda text: text.replace('"trials"', '"other"'),
        lambda text: text.replace('"completed"', '"done"'),
        lambda text: text.replace('"maximize"', '"up"'),
        lambda text: text.replace('"kind"', '"sort"'),
        lambda text: text.replace("0.0001", "0"),
        lambda text: text.replace("0.0001", "7"),
        lambda text: text.replace('"number": 2', '"number": 1'),
        lambda text: text.replace('"number": 2', '"number": "two"'),
        lambda text: "[" * 100_000,
        lambda text: text.replace('"number": 2', '"number": 1e999'),
        lambda text: text.replace('"low": 0.0001', '"low": -1e308'),
        lambda text: text.replace('"high": 0.01', '"high": Infinity'),
        lambda text: text.replace('"low": 1,', '"low": "a",').replace('"high": 4', '"high": "b"'),
        lambda text: text.replace("   0.5\n", "   1e308\n"),
        lambda text: text.replace('"0": 0.25', '"0": -1e308'),
        lambda text: text.replace('"optimizer.lr": 0.001', f'"optimizer.lr": {10**400}'),
        lambda text: text.replace('"seconds": 1.5', '"seconds": Infinity'),
    ],
)
def test_what_is_damaged_is_told_with_its_path(damage: Callable[[str], str], tmp_path: Path) -> None:
    path = write_study(tmp_path, STUDY)
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(ValueError, match=f"^{path}: is damaged"):
        read_study(tmp_path)


def test_without_a_study_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_study(tmp_path)


def trials(*values: tuple[float, ...], **changes: Any) -> tuple[TrialRow, ...]:
    return tuple(TrialRow(number, "completed", found, **changes) for number, found in enumerate(values))


def test_the_best_comes_first_and_what_has_no_score_does_not_come() -> None:
    found = trials((0.5,), (0.9,), (math.nan,), (0.9,), (0.1,))
    found += (TrialRow(5, "pruned", (2.0,)), TrialRow(6, "completed", (3.0,), feasible=False))
    up = StudyRecord("s", ("a",), ("maximize",), {}, found)
    assert [t.number for t in up.best()] == [1, 3, 0, 4]
    assert [t.number for t in replace(up, directions=("minimize",)).best()] == [4, 0, 1, 3]
    assert replace(up, trials=()).best() == []


def test_of_two_metrics_the_front_is_what_nothing_beats() -> None:
    found = trials((0.9, 10.0), (0.8, 5.0), (0.8, 6.0), (0.9, 10.0), (0.7, 5.0), (0.95, 99.0))
    both = StudyRecord("s", ("accuracy", "cost"), ("maximize", "minimize"), {}, found)
    assert [t.number for t in both.best()] == [5, 0, 3, 1]
