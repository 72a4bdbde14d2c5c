"""What lies in the folder of a study, whoever has made it: read as settings, or refused in one line."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from rnnvision.errors import FailureError, UsageError
from rnnvision.runs.study import Axis
from rnnvision.search.settings import read_settings
from rnnvision.search.storage import open_study
from tests.search.fake import FakePlace, run, settings

pytest.importorskip("optuna")
NUMBER = {"kind": "float", "low": 0.0, "high": 1.0, "log": False, "step": None, "choices": []}


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"sampler": "grid", "space": {"lr": Axis("float", 0.1, 0.3, step=0.1)}},
        {"sampler": "random", "pruner": "none"},
        {"sampler": "nsga2", "metrics": ["val/accuracy", "train/seconds"], "direction": ["maximize", "minimize"]},
        {"metrics": ["train/seconds"], "constraints": ["val/loss<=3"], "storage": None, "max_epochs": None},
        {"min_epochs": 3, "pruner": "hyperband", "words": ["a=1"], "config_dir": ["--config-dir", "x"]},
    ],
)
def test_what_was_written_is_read_back(tmp_path: Path, told: dict[str, Any]) -> None:
    written = settings(**told)
    written.write(tmp_path, 7)
    assert read_settings(tmp_path) == (written, 7)


@pytest.mark.parametrize(
    "changed",
    [
        {"n_trials": None},
        {"n_trials": 0},
        {"sampler": "evil"},
        {"sampler": ["tpe"]},
        {"pruner": ["x"]},
        {"startup_trials": "x"},
        {"min_epochs": "x"},
        {"min_epochs": "x", "pruner": "none"},
        {"max_epochs": "x"},
        {"metrics": []},
        {"metrics": [["val/accuracy"]]},
        {"metrics": "val/accuracy"},
        {"directions": ["up"]},
        {"directions": []},
        {"storage": 5},
        {"name": 5},
        {"seed": "x"},
        {"words": [5]},
        {"constraints": ["x"]},
        {"config_dir": 5},
        {"space": {}},
        {"space": []},
        {"space": {"a": 5}},
        *(
            {"space": {"a": axis}}
            for axis in (
                {**NUMBER, "low": 2.0},
                {**NUMBER, "low": None},
                {**NUMBER, "low": "a"},
                {**NUMBER, "high": float("inf")},
                {**NUMBER, "high": 10**400},
                {**NUMBER, "log": True},
                {**NUMBER, "step": 0.0},
                {**NUMBER, "step": -1.0},
                {**NUMBER, "low": 0.1, "log": True, "step": 0.1},
                {**NUMBER, "kind": "int"},
                {**NUMBER, "kind": "x"},
                {**NUMBER, "kind": ["int"]},
                {**NUMBER, "kind": "choice"},
                {**NUMBER, "x": 1},
            )
        ),
    ],
    ids=str,
)
def test_settings_of_other_kinds_or_ranges_are_damaged(tmp_path: Path, changed: dict[str, Any]) -> None:
    settings().write(tmp_path, 3)
    file = tmp_path / "study.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    with pytest.raises(UsageError, match=r"holds no study \(study.json is damaged: .+\)$"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trial_params SET distribution_json='{'",
        'UPDATE trial_params SET distribution_json=\'{"name": "X", "attributes": {}}\'',
        "UPDATE trial_params SET param_value=99 WHERE param_name='model'",
        "UPDATE trials SET state='NOPE'",
        "UPDATE study_directions SET direction='MINIMIZE'",
        "UPDATE study_directions SET direction='UP'",
        "UPDATE trial_system_attributes SET value_json='{'",
    ],
)
def test_a_database_that_is_damaged_is_one_line(tmp_path: Path, statement: str) -> None:
    chosen = settings(storage=None, pruner="none")
    chosen.write(tmp_path, 1)
    run(tmp_path, chosen, 1, FakePlace(speed=7))
    with sqlite3.connect(tmp_path / "study.db") as database:
        database.execute("INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (1, 'x', '1')")
        database.execute(statement)
    database.close()
    with pytest.raises(UsageError) as refused:
        open_study(tmp_path, chosen)
    assert str(refused.value).startswith("storage=null: ")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(("storage", "file"), [(None, "study.db"), ("journal", "study.journal")])
def test_a_study_whose_trials_are_gone_is_not_begun_anew(tmp_path: Path, storage: str | None, file: str) -> None:
    chosen = settings(storage=storage, pruner="none")
    chosen.write(tmp_path, 1)
    run(tmp_path, chosen, 1, FakePlace(speed=7))
    assert (tmp_path / "trials" / "0000" / "status.json").is_file()
    (tmp_path / file).unlink()
    with pytest.raises(UsageError, match=f"holds none of the trials in .*; put back {file}, or begin another study"):
        open_study(tmp_path, chosen)


def test_a_file_that_is_no_database_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(UsageError, match=r"^study\.db: is damaged \(.*not a database.*\), .* put back a copy of it"):
        open_study(tmp_path, settings(storage=None, pruner="none"))


def test_a_journal_of_sqlites_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    chosen = settings(storage=None, pruner="none")
    open_study(tmp_path, chosen)
    (tmp_path / "study.db-journal").write_bytes(b"x" * 512 + bytes.fromhex("d9d505f920a163d7"))
    with pytest.raises(FailureError, match="names a file elsewhere"):
        open_study(tmp_path, chosen)


def test_a_journal_that_is_damaged_is_one_line(tmp_path: Path) -> None:
    chosen = settings(pruner="none")
    chosen.write(tmp_path, 1)
    run(tmp_path, chosen, 1, FakePlace(speed=7))
    file = tmp_path / "study.journal"
    file.write_text(file.read_text().replace("FloatDistribution", "NoDistribution"))
    with pytest.raises(UsageError, match="storage=journal: "):
        open_study(tmp_path, chosen)
