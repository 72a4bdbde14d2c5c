"""Each tracker is told what a run was made with, what it scored and how it ended, and a resume goes on in it."""

import csv
import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lightning.pytorch import loggers
from lightning.pytorch.loggers import TensorBoardLogger

from rnnvision.cli.frame.tracking.kinds import MLflow
from rnnvision.cli.frame.tracking.unfailing import unfailing
from rnnvision.runs import Run, read_json
from rnnvision.training import Learner
from tests.cli.frame.tracking.fakes import SERVER, Fake, MLFlowLogger, WandbLogger
from tests.cli.running import Verb

ONE = ("trainer.max_epochs=1", "hydra.run.dir=run", "tags=[baseline,draft]")


@pytest.fixture(autouse=True)
def _server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for fake in (WandbLogger, MLFlowLogger):
        monkeypatch.setattr(loggers, fake.__name__, fake)
    monkeypatch.setitem(sys.modules, "mlflow", ModuleType("mlflow"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    SERVER.clear()
    unfailing.cache_clear()
    yield
    unfailing.cache_clear()


def stop(error: BaseException) -> Any:
    def step(self: Learner, *args: Any) -> None:
        raise error

    return step


# Weights & Biases, MLflow ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_server_has_one_run_a_job_with_all_of_it(train: Verb, verb: Verb, tracker: str) -> None:
    result = train(f"logger={tracker}", *ONE)
    assert result.code == 0, result.err
    (kept,) = SERVER.values()
    assert str(kept.parameters["model.hidden_size"]) == "8"
    assert not any(key.startswith("logger.") for key in kept.parameters)  # whose address may hold a password
    assert kept.tags == ["baseline", "draft"]
    assert kept.facts["run.folder"] == str(Path("run").absolute())
    assert len(kept.facts["run.commit"]) >= 40
    assert [name for name, *_ in kept.figures].count("val/accuracy") == 1
    for name, value in Run(Path("run")).metrics.items():
        assert kept.last(f"final/{name}") == value
    assert kept.status[-1] == "finished"
    told = read_json(Path("run/tracking.json"))[tracker]
    address = {"wandb": "https://server/run0", "mlflow": "sqlite:///logs/mlflow.db"}[tracker]
    assert told == {"address": address, "id": "run0", "status": "finished"}
    assert f"tracking  {tracker}: {address}" in result.out

    result = verb("train", "resume=run", "trainer.max_epochs=2")  # in the same run, with a parameter that has changed
    assert result.code == 0, result.err
    assert list(SERVER) == ["run0"]
    assert [name for name, *_ in kept.figures].count("val/accuracy") == 2
    assert "2" in (str(kept.parameters["trainer.max_epochs"]), kept.facts.get("trainer.max_epochs"))

    SERVER.clear()  # somebody has removed it
    assert verb("train", "resume=run", "trainer.max_epochs=3").code == 0
    assert [kept.status[-1] for kept in SERVER.values()] == ["finished"]


def test_what_mlflow_cuts_off_is_no_change_and_what_goes_on_is_one() -> None:
    tracker = MLflow("mlflow", {}, Path("run"), {}, [], "", logger=MLFlowLogger("e", "r", "sqlite:///x.db", "run0"))
    for epochs in (1, 10):
        tracker.begin({"trainer.max_epochs": epochs, "model.name": "x" * 400}, {})
    assert SERVER["run0"].facts == {"trainer.max_epochs": "10"}


@pytest.mark.parametrize("tracker", ["wandb", "mlflow", "tensorboard"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("a defect"), "failed"), (KeyboardInterrupt(), "killed"), (SystemExit(143), "killed")],
)
def test_a_tracker_is_told_how_a_run_ended(
    train: Verb, monkeypatch: pytest.MonkeyPatch, tracker: str, error: BaseException, status: str
) -> None:
    monkeypatch.setattr(Learner, "training_step", stop(error))
    assert train(f"logger={tracker}", *ONE).code != 0
    told = read_json(Path("run/tracking.json"))
    assert {name: record["status"] for name, record in told.items()} == {"csv": status, tracker: status}
    assert [kept.status[-1] for kept in SERVER.values()] == [status] * (tracker != "tensorboard")
    if tracker == "tensorboard":
        assert session("run/tensorboard")[1] == "STATUS_FAILURE"


def test_what_is_refused_before_the_training_has_begun_is_told_nobody(train: Verb) -> None:
    assert train("logger=wandb", *ONE, "model.num_layers=0").code == 2
    assert not SERVER
    assert not Path("run/tracking.json").exists()


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_run_that_begins_anew_after_it_came_to_nothing_is_the_same_at_its_tracker(
    train: Verb, monkeypatch: pytest.MonkeyPatch, tracker: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", stop(SystemExit(143)))
        assert train(f"logger={tracker}", *ONE).code == 143
    assert train(f"logger={tracker}", *ONE).code == 0
    assert [kept.status for kept in SERVER.values()] == [["killed", "finished"]]


def test_a_run_of_several_has_its_folder_in_its_name_and_theirs_as_group(train: Verb) -> None:
    Path("sweep").mkdir()
    Path("sweep/sweep.json").write_text("{}")
    assert train("logger=wandb", *ONE[:1], "hydra.run.dir=sweep/one").code == 0
    (kept,) = SERVER.values()
    assert (kept.arguments["name"], kept.arguments["group"]) == ("lstm_digits one", "sweep")


def test_a_server_that_goes_away_costs_no_training_and_no_password_is_shown(
    train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "is_away", True)
    result = train("logger=wandb", *ONE)
    assert result.code == 0, result.err
    lost = [line for line in result.out.splitlines() if "is lost" in line]
    assert lost == ["tracking  Wandb is lost, the run goes on: no answer from https://server within 30 s"]
    assert read_json(Path("run/tracking.json"))["wandb"]["status"] == "lost"
    assert Run(Path("run")).completed


def test_a_tracker_that_cannot_be_begun_ends_the_run_at_once(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Fake, run_id: str | None) -> None:
        raise OSError("no route to https://me:secret@server")

    monkeypatch.setattr(Fake, "run", refuse)
    result = train("logger=mlflow", *ONE)
    assert (result.code, "epoch   1" in result.out) == (1, False)
    assert result.message == (
        "rnnvision train: logger=mlflow: cannot be begun: no route to https://server; see docs/tracking.md, or choose "
        "logger=csv"
    )


def test_a_logger_of_a_process_that_is_spawned_is_the_same(tmp_path: Path) -> None:
    made = unfailing(TensorBoardLogger)
    again = pickle.loads(pickle.dumps(made(str(tmp_path), name="mine")))
    assert type(again) is made
    assert (again.log_dir, again.lost) == (str(tmp_path / "mine" / "version_0"), False)


# TensorBoard, CSV -----------------------------------------------------------------------------------------------------


def session(folder: str) -> tuple[dict[str, Any], str]:
    """What the HParams tab reads of a run: its parameters, and its status."""
    from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import api_pb2, metadata

    events = EventAccumulator(folder).Reload()
    found = {tag: events.SummaryMetadata(tag).plugin_data.content for tag in (metadata.SESSION_START_INFO_TAG,)}
    start = metadata.parse_session_start_info_plugin_data(found[metadata.SESSION_START_INFO_TAG])
    end = metadata.parse_session_end_info_plugin_data(
        events.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    )
    values = {key: getattr(value, str(value.WhichOneof("kind"))) for key, value in start.hparams.items()}
    return values, api_pb2.Status.Name(end.status)


def test_tensorboard_has_the_parameters_and_the_final_figures_also_after_a_resume(
    train: Verb, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "test_step", stop(KeyboardInterrupt()))
        assert train("logger=tensorboard", *ONE).code == 130
    assert session("run/tensorboard")[1] == "STATUS_FAILURE"
    result = verb("train", "resume=run", "trainer.max_epochs=2")
    assert result.code == 0, result.err
    assert "tracking  tensorboard: run/tensorboard" in result.out
    values, status = session("run/tensorboard")
    assert status == "STATUS_SUCCESS"
    shown = {"model.hidden_size": 8, "trainer.max_epochs": 2, "report": False, "run.tags": "baseline, draft"}
    assert {key: values[key] for key in shown} == shown
    events = EventAccumulator("run/tensorboard").Reload()
    accuracy = Run(Path("run")).metrics["test/accuracy"]
    assert [event.value for event in events.Scalars("final/test/accuracy")] == [pytest.approx(accuracy)]
    assert len(events.Scalars("val/accuracy")) == 2


def test_the_folder_of_a_run_says_it_all_as_csv_too(train: Verb) -> None:
    assert train(*ONE).code == 0
    with Path("run/summary.csv").open(newline="") as file:
        rows = {row["name"]: row["value"] for row in csv.DictReader(file)}
    run = Run(Path("run"))
    assert (rows["model.hidden_size"], rows["report"], rows["weights"]) == ("8", "false", "null")
    assert rows["run.tags"] == "baseline, draft"
    assert {name: float(rows[f"final/{name}"]) for name in run.metrics} == run.metrics
    assert rows["run.status"] == "finished"
    assert (run.environment["choices"]["model"], run.environment["tags"]) == ("lstm", ["baseline", "draft"])


def test_a_resumed_run_keeps_what_it_was_chosen_with(train: Verb, verb: Verb) -> None:
    assert train("model=gru", "logger=[tensorboard]", *ONE).code == 0
    before = Run(Path("run")).environment
    assert before["choices"]["logger"] == ["tensorboard"]
    assert verb("train", "resume=run", "trainer.max_epochs=2", "tags=[final]").code == 0
    after = json.loads(Path("run/environment.json").read_text())
    assert (after["choices"], after["overrides"]) == (before["choices"], before["overrides"])
    assert after["tags"] == ["final"]
