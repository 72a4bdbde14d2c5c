"""One run as a record: where each of its values comes from."""

import json
import shutil
from pathlib import Path

import pytest

from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.runs.record import VERBS, read_record
from tests.runs.making import make_run, write


def test_every_kind_of_key_has_its_value(tmp_path: Path) -> None:
    run = read_record(make_run(tmp_path / "run", lr=0.002, seed=3, val_accuracy=0.5))
    assert [run.get(key) for key in ("model", "data", "experiment", "verb", "status", "name", "commit")] == [
        *("lstm", "digits", None, "train", "completed", "lstm_digits", "abcdef123")
    ]
    assert [run.get(key) for key in ("optimizer.lr", "optimizer.betas", "seed", "val/accuracy", "nothing")] == [
        *(0.002, "[0.9,0.999]", 3, 0.5, None)
    ]
    assert run.overrides == ("model=lstm", "optimizer.lr=0.002", "seed=3")


def test_options_that_a_run_records_itself_come_before_hydras(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    write(
        folder, "environment", {"choices": {"model": "sequencer2d_s", "logger": ["csv", "wandb"]}, "tags": ["a", "b"]}
    )
    run = read_record(folder)
    assert [run.get(key) for key in ("model", "logger", "tags", "commit")] == [
        "sequencer2d_s",
        "[csv,wandb]",
        "[a,b]",
        None,
    ]


def test_without_hydras_record_a_network_is_what_it_is_made_of(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "train/runs/run", model="gru")
    (folder / ".hydra/hydra.yaml").unlink()
    run = read_record(folder)
    assert [run.get(key) for key in ("model", "data", "verb")] == ["gru", "digits", "train"]


@pytest.mark.parametrize(("left", "verb"), [("metrics.csv", "train"), ("checkpoints/", "train"), ("report.html", None)])
def test_a_folder_that_is_named_like_no_verb_made_no_run(tmp_path: Path, left: str, verb: str | None) -> None:
    folder = make_run(tmp_path / "newuser/runs/run")
    shutil.rmtree(folder / ".hydra")
    (folder / left).mkdir() if left.endswith("/") else (folder / left).touch()
    assert read_record(folder).get("verb") == verb


def test_every_verb_that_makes_runs_is_known() -> None:
    assert set(VERBS) == {file.stem for file in config_dir().glob("[a-z]*.yaml")}


def test_costs_of_a_comparison_are_figures_where_the_run_has_none(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", model_parameters=5)
    write(folder, "costs", {"parameters": 7, "multiply_adds": 9, "latency/p50": 0.002})
    assert read_record(folder).metrics == {"model/parameters": 5, "model/multiply_adds": 9, "predict/milliseconds": 2.0}


def test_the_time_of_a_resumed_training_is_that_of_all_epochs(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", train_seconds=4.0)
    (folder / "metrics.csv").write_text("epoch,seconds\n0,3.0\n1,\n2,4.0\n3,x")
    assert read_record(folder).metrics["train/seconds"] == 4.0
    (folder / ".hydra/resume").mkdir()
    assert read_record(folder).metrics["train/seconds"] == 7.0


def test_figures_are_numbers_and_nothing_else(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    (folder / "metrics.json").write_text(json.dumps({"a": 1, "b": float("nan"), "c": "x", "d": True, "e": [1]}))
    assert list(read_record(folder).metrics) == ["a", "b"]
