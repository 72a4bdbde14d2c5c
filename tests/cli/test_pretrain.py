"""pretrain=reconstruct: first the pictures without labels, then the classes, in one run that can be resumed."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rnnvision.nn import MODELS, EncoderDecoder
from rnnvision.training import Learner, load_network, read_checkpoint
from tests.cli.running import TINY, Result, Verb, exit_code_of, in_folder
from tests.training.cases import same

MODEL = {"encoder_decoder": ("model=encoder_decoder",), "sequence_classifier": ("model=lstm", "model.dropout=0.3")}
PRETRAIN = ("pretrain=reconstruct", "pretrain_epochs=3", "trainer.max_steps=-1", "trainer.max_epochs=2")
ABLE = [name for name, network in MODELS.items() if hasattr(network, "use_reconstruction_head")]


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def weights_of(path: str) -> dict[str, Tensor]:
    return {name.removeprefix("network."): w for name, w in read_checkpoint(path)["state_dict"].items()}


def check(result: Result, code: int, *parts: str) -> None:
    assert result.code == code, result.err
    assert len(result.message.splitlines()) == 1, result.message
    assert [part for part in parts if part not in result.message] == [], result.message


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Tensor]]:
    """The weights at the start of each stage that classifies."""
    found: list[dict[str, Tensor]] = []
    start = Learner.on_train_epoch_start

    def note(self: Learner) -> None:
        if self.classifies and self.current_epoch == 0:
            found.append({name: w.clone() for name, w in self.network.state_dict().items()})
        start(self)

    monkeypatch.setattr(Learner, "on_train_epoch_start", note)
    return found


def test_there_is_a_case_for_every_network_that_can_draw() -> None:
    assert set(MODEL) == set(ABLE)


@pytest.mark.parametrize("model", MODEL.values(), ids=MODEL)
def test_one_command_does_both_stages_and_records_both(train: Verb, verb: Verb, model: tuple[str, ...]) -> None:
    result = train(*model, *PRETRAIN, "hydra.run.dir=run")
    assert result.code == 0, result.err
    drawing, classes = rows("run/pretrain/metrics.csv"), rows("run/metrics.csv")
    assert [row["epoch"] for row in drawing] == ["0", "1", "2"]
    assert [row["epoch"] for row in classes] == ["0", "1"]
    assert not any("accuracy" in column for column in drawing[0])
    assert float(drawing[-1]["train/loss"]) < float(drawing[0]["train/loss"])
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert metrics["pretrain/loss"] == pytest.approx(float(drawing[-1]["train/loss"]))
    assert metrics["pretrain/val_loss"] == pytest.approx(float(drawing[-1]["val/loss"]))
    assert metrics["pretrain/seconds"] == pytest.approx(sum(float(row["seconds"]) for row in drawing))
    assert {"train/loss", "val/accuracy", "test/accuracy"} <= metrics.keys()
    assert "pretrain  reconstruct for 3 epochs, without labels" in result.out
    assert verb("evaluate", "ckpt=run", "device=cpu").code == 0


def test_the_classes_are_learned_from_the_weights_of_the_pre_training(
    train: Verb, starts: list[dict[str, Tensor]]
) -> None:
    assert train(*MODEL["encoder_decoder"], "hydra.run.dir=plain").code == 0
    assert train(*MODEL["encoder_decoder"], *PRETRAIN, "hydra.run.dir=run").code == 0
    plain, tuned = starts
    drew = weights_of("run/pretrain/last.ckpt")
    for name, weight in tuned.items():
        if name.startswith("head."):
            assert torch.equal(weight, plain[name])
        else:
            assert torch.equal(weight, drew[name])
            assert not torch.equal(weight, plain[name])


def test_a_run_without_it_is_as_ever(train: Verb, starts: list[dict[str, Tensor]]) -> None:
    assert train("hydra.run.dir=run").code == 0
    assert len(starts) == 1
    assert not Path("run/pretrain").exists()
    assert not any(name.startswith("pretrain") for name in json.loads(Path("run/metrics.json").read_text()))


@pytest.mark.parametrize(
    "words", [("debug=one_batch",), ("callbacks.best=null", "trainer.limit_val_batches=0")], ids=str
)
def test_it_goes_with_other_ways_to_train(train: Verb, words: tuple[str, ...]) -> None:
    result = train(*MODEL["encoder_decoder"], "pretrain=reconstruct", "pretrain_epochs=2", *words)
    assert result.code == 0, result.err
    assert "test accuracy" in result.out


def test_its_checkpoint_draws_and_is_not_evaluated(train: Verb, verb: Verb) -> None:
    assert train(*MODEL["encoder_decoder"], *PRETRAIN, "hydra.run.dir=run").code == 0
    network = load_network(read_checkpoint("run/pretrain/last.ckpt"))
    assert network(torch.zeros(2, 1, 8, 8)).shape == (2, 1, 8, 8)
    result = verb("evaluate", "ckpt=run/pretrain/last.ckpt", "device=cpu")
    check(result, 2, "run/pretrain/last.ckpt: is of a pre-training and knows no classes; give the run folder")


# Resume ---------------------------------------------------------------------------------------------------------------


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, hook: str, classifies: bool, epoch: int) -> Iterator[None]:
    """Ctrl-C in this hook of this epoch."""
    method = getattr(Learner, hook)

    def die(self: Learner) -> None:
        if self.classifies is classifies and self.current_epoch == epoch:
            raise KeyboardInterrupt
        method(self)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, hook, die)
        yield


DEEP = (*MODEL["encoder_decoder"], "model.num_layers=2", "model.dropout=0.4", *PRETRAIN)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing has stopped."""
    folder = tmp_path_factory.mktemp("whole") / "here"
    with in_folder(folder):
        assert exit_code_of("train", *DEEP, *TINY, "hydra.run.dir=run") == 0
    return folder / "run"


STOPS = {
    "while drawing": [("on_train_epoch_start", False, 1)],
    "twice while drawing": [("on_train_epoch_start", False, 1), ("on_train_epoch_end", False, 2)],
    "between the stages": [("on_train_start", True, 0)],
    "in each stage": [("on_train_epoch_start", False, 2), ("on_train_epoch_start", True, 1)],
}


@pytest.mark.parametrize("stops", STOPS.values(), ids=STOPS)
def test_a_run_that_is_stopped_anywhere_ends_with_the_very_same_weights(
    train: Verb, verb: Verb, monkeypatch: pytest.MonkeyPatch, stops: list[tuple[str, bool, int]], whole: Path
) -> None:
    for i, stop in enumerate(stops):
        with dying(monkeypatch, *stop):
            result = verb("train", "resume=parts") if i else train(*DEEP, "hydra.run.dir=parts")
        assert result.code == 130, result.err
    assert verb("train", "resume=parts").code == 0
    for stage in ("pretrain/last", "checkpoints/last"):
        assert same(*(weights_of(f"{run}/{stage}.ckpt") for run in (whole, "parts"))), stage
    for table in ("pretrain/metrics.csv", "metrics.csv"):
        epochs = [[row["epoch"] for row in rows(f"{run}/{table}")] for run in (whole, "parts")]
        assert epochs[0] == epochs[1]
    assert json.loads(Path("parts/metrics.json").read_text()).keys() >= {"pretrain/loss", "test/accuracy"}


def test_a_run_that_stopped_before_anything_was_saved_is_told(
    train: Verb, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dying(monkeypatch, "on_train_epoch_start", False, 0):
        assert train(*MODEL["encoder_decoder"], *PRETRAIN, "hydra.run.dir=run").code == 130
    check(verb("train", "resume=run"), 2, "resume=run", "before anything was saved")
    check(train(*PRETRAIN, "hydra.run.dir=run"), 2, "run: already holds a run")


# Wrong use ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (
            ["pretrain=reconstuct"],
            ["pretrain=reconstuct: choose one of null, reconstruct", "did you mean pretrain=reconstruct?"],
        ),
        (["pretrain=reconstruct", "pretrain_epochs=0"], ["pretrain_epochs=0", "at least 1"]),
        (["pretrain=[1]"], ["pretrain=[1]: choose one of"]),
        (["pretrain=reconstruct", "pretrain_epochs=few"], ["pretrain_epochs=few", "whole number"]),
        (["pretrain=reconstruct", "device=cpu_ddp"], ["pretrain=reconstruct", "one process", "trainer.devices=1"]),
        (["pretain=reconstruct"], ["did you mean pretrain?"]),
    ],
    ids=lambda value: " ".join(value) if "=" in value[0] else "",
)
def test_wrong_use_is_told(verb: Verb, words: list[str], parts: list[str]) -> None:
    device = [] if any(word.startswith("device") for word in words) else ["device=cpu"]
    check(verb("train", "trainer=smoke", *device, *words), 2, *parts)


def test_a_network_that_cannot_draw_is_told_with_those_that_can(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(EncoderDecoder, "use_reconstruction_head")
    able = [name for name in ABLE if name != "encoder_decoder"]
    result = train(*MODEL["encoder_decoder"], *PRETRAIN)
    check(result, 2, "pretrain=reconstruct: encoder_decoder cannot draw", f"model.name={' or '.join(able)}")
