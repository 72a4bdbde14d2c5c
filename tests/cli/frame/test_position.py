"""A training that ends within an epoch goes on at the very batch, as if nothing had happened."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging
from torch import Tensor

from rnnvision.cli.frame.signals import STOP, Stopped
from rnnvision.cli.frame.trainer.position import Position
from rnnvision.cli.frame.trainer.saving import Saving, last_of
from rnnvision.cli.train.stages import fit
from rnnvision.data import Augmentation
from rnnvision.training import BestCheckpoint, Learner, RunLog, read_checkpoint
from tests.training.cases import last, make_data, make_learner, make_trainer, same

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:The dirpath has changed:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of training batches:UserWarning"),
]
EPOCHS, BATCHES = 3, 4
# Two things each that have a state of their own: of the data, the learner, the Trainer; and of callbacks.
PAIRS: dict[str, dict[str, Any]] = {
    "average, workers": {
        "callbacks": [lambda: EMAWeightAveraging(decay=0.5)],
        "data": {"format": "streaming", "num_workers": 2},
    },
    "mixed images, streaming": {
        "data": {"format": "streaming", "num_workers": 0, "augmentation": Augmentation(mixup=0.5, shift=1)},
    },
    "plateau, several validations": {
        "learner": {"scheduler": {"name": "plateau", "patience": 0}},
        "trainer": {"val_check_interval": 2},
    },
    "balanced, accumulated": {
        "data": {"sampler": "balanced"},
        "trainer": {"accumulate_grad_batches": 2},
    },
    "schedule, limit of steps": {
        "learner": {"scheduler": {"name": "one_cycle"}},
        "trainer": {"max_steps": 10, "max_epochs": -1},
    },
    "early stopping, cut images": {
        "data": {"augmentation": Augmentation(cutmix=1.0)},
        "callbacks": [lambda: EarlyStopping("val/loss", patience=1)],
    },
}


@pytest.fixture(autouse=True)
def _no_signal() -> Iterator[None]:
    yield
    STOP.forget()


def train(folder: Path, pair: dict[str, Any], *, go_on: bool = False) -> Learner:
    """Train in a folder, with a checkpoint after each step."""
    data = make_data(num_train=86, **pair.get("data", {}))
    learner = make_learner(data, total_epochs=EPOCHS, seed=1, **pair.get("learner", {}))
    callbacks = [make() for make in pair.get("callbacks", [])]
    callbacks += [BestCheckpoint(folder / "checkpoints"), last(folder)]
    position = Position()
    arguments: dict[str, Any] = {"max_epochs": EPOCHS, **pair.get("trainer", {})}
    trainer = make_trainer(
        folder,
        **arguments,
        logger=RunLog(str(folder), echo=False),
        callbacks=[position, Saving(position, last_of(callbacks), 1), *callbacks],
    )
    fit(trainer, learner, data, folder / "checkpoints" / "last.ckpt" if go_on else None)
    return learner


def results(folder: Path) -> list[Any]:
    """All that a training leaves but times and places."""
    found: list[Any] = []
    for name in ("last", "best"):
        checkpoint = read_checkpoint(folder / "checkpoints" / f"{name}.ckpt")
        entries = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "averaging_state", "current_model_state")
        position = {**checkpoint["position"], "rows": None, "cut": None, "seconds": 0}
        text = json.dumps(checkpoint["callbacks"], default=str)
        callbacks = json.loads(re.sub(r"/\w[^\"]*/checkpoints", "/checkpoints", text))
        for state in callbacks.values():
            state.pop("current_score", None)  # of the last time that it looked, of which Lightning makes no use
        found += [{key: checkpoint.get(key) for key in entries}, position, callbacks]
    rows = (folder / "metrics.csv").read_text().splitlines()
    at = rows[0].split(",").index("seconds")
    return [*found, [row.split(",")[:at] + row.split(",")[at + 1 :] for row in rows]]


def ends_in(monkeypatch: pytest.MonkeyPatch, name: str, step: int, error: BaseException | None) -> None:
    """Raise in a step of the learner, or without an error let a signal come."""
    of_learner = getattr(Learner, name)

    def ends(self: Learner, *arguments: Any) -> Any:
        if self.trainer.global_step == step and not self.trainer.sanity_checking:
            monkeypatch.setattr(Learner, name, of_learner)
            if error is not None:
                raise error
            STOP.requested = 143
        return of_learner(self, *arguments)

    monkeypatch.setattr(Learner, name, ends)


@pytest.mark.parametrize("name", PAIRS)
def test_it_goes_on_at_the_very_batch_twice_and_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pair = PAIRS[name]
    train(tmp_path / "whole", pair)
    place = tmp_path / "place"
    for number, step in enumerate((3, 5)):
        ends_in(
            monkeypatch, "training_step", step // pair.get("trainer", {}).get("accumulate_grad_batches", 1), LostError()
        )
        with pytest.raises(LostError):
            train(place, pair, go_on=bool(number))
        place = place.rename(tmp_path / f"moved{number}")
    learner = train(place, pair, go_on=True)
    assert learner.samples_seen > 0
    assert same(results(place), results(tmp_path / "whole"))


class LostError(Exception):
    pass


@pytest.mark.parametrize(
    ("name", "step", "batches", "in_validation"),
    [
        ("training_step", 0, 1, False),
        ("training_step", 3, 4, True),  # the last one of an epoch
        ("validation_step", 2, 2, True),  # within an epoch; the average is in the place of the weights
        ("training_step", 11, 4, True),  # the last one of all
    ],
)
def test_a_signal_saves_before_the_next_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, step: int, batches: int, in_validation: bool
) -> None:
    pair = {
        "callbacks": [lambda: EMAWeightAveraging(decay=0.5)],
        "data": {"eval_batch_size": 8},
        "trainer": {"val_check_interval": 2},
    }
    train(tmp_path / "whole", pair)
    ends_in(monkeypatch, name, step, None)
    with pytest.raises(SystemExit) as stopped, STOP.at_work():
        train(tmp_path / "parts", pair)
    assert stopped.value.code == 143
    found = read_checkpoint(tmp_path / "parts" / "checkpoints" / "last.ckpt")["position"]
    assert (found["batches"], found["in_validation"]) == (batches, in_validation)
    STOP.forget()
    train(tmp_path / "parts", pair, go_on=True)
    assert same(results(tmp_path / "parts"), results(tmp_path / "whole"))


@pytest.mark.parametrize("step", [4, 8])
def test_a_limit_of_steps_that_ends_an_epoch_leaves_its_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    pair = {"trainer": {"max_steps": 2 * BATCHES, "max_epochs": -1}}
    train(tmp_path / "whole", pair)
    ends_in(monkeypatch, "training_step", step - 1, None)
    with pytest.raises(SystemExit), STOP.at_work():
        train(tmp_path / "parts", pair)
    STOP.forget()
    train(tmp_path / "parts", pair, go_on=True)
    assert same(results(tmp_path / "parts"), results(tmp_path / "whole"))


def test_a_signal_before_the_first_step_leaves_nothing_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends_in(monkeypatch, "on_train_start", 0, None)
    with pytest.raises(SystemExit), STOP.at_work():
        train(tmp_path, {})
    assert not (tmp_path / "checkpoints" / "last.ckpt").exists()
    STOP.forget()


def test_processes_end_by_what_they_have_agreed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    told = SimpleNamespace(accumulate_grad_batches=1, world_size=2, strategy=SimpleNamespace(root_device="cpu"))

    def all_reduce(code: Tensor, operation: object) -> None:
        STOP.requested = 143  # a signal comes when this process has said that it has none

    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    monkeypatch.setattr(STOP, "requested", None)
    monkeypatch.setattr(STOP, "_stage", "at work")
    saving, learner = Saving(Position(), None), L.LightningModule()
    saving.on_train_batch_start(cast(L.Trainer, told), learner, None, 0)
    with pytest.raises(Stopped):
        saving.on_train_batch_start(cast(L.Trainer, told), learner, None, 8)


class Noted(Saving):
    """Notes the steps after which it would save."""

    def __init__(self, every: int) -> None:
        super().__init__(Position(), Path("last.ckpt"), every)
        self.steps: list[int] = []

    def _save(self, trainer: L.Trainer) -> None:
        self.steps.append(trainer.global_step)
        self._saved = trainer.global_step

    def begin(self, batch: int) -> None:
        told = SimpleNamespace(accumulate_grad_batches=1, world_size=1, global_step=batch)
        self.on_train_batch_start(cast(L.Trainer, told), L.LightningModule(), None, batch)


def test_it_saves_every_so_many_steps_and_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    saving = Noted(3)
    for batch in range(10):
        saving.begin(batch)
    assert saving.steps == [3, 6, 9]
    monkeypatch.setattr(STOP, "requested", 143)
    monkeypatch.setattr(STOP, "_stage", "at work")
    for batch, steps in ((9, [3, 6, 9]), (10, [3, 6, 9, 10])):
        with pytest.raises(Stopped):
            saving.begin(batch)
        assert saving.steps == steps


@pytest.mark.parametrize("pair", [{}, {"trainer": {"max_steps": BATCHES + 2, "max_epochs": -1}}], ids=["whole", "cut"])
def test_a_row_that_was_not_written_any_more_is_in_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pair: dict[str, Any]
) -> None:
    """Lightning logs the figures of an epoch after its checkpoint is written."""
    train(tmp_path / "whole", pair)
    end = RunLog.log_metrics
    with monkeypatch.context() as patch:

        def dies(self: RunLog, metrics: dict[str, float], step: int | None = None) -> None:
            if "train/loss" in metrics and metrics["epoch"] == 1:
                raise LostError
            end(self, metrics, step)

        patch.setattr(RunLog, "log_metrics", dies)
        with pytest.raises(LostError):
            train(tmp_path / "parts", pair)
    train(tmp_path / "parts", pair, go_on=True)
    assert same(results(tmp_path / "parts"), results(tmp_path / "whole"))


def test_an_epoch_of_two_processes_has_the_seconds_of_both(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path), echo=False)
    log.go_back_to(0, [], seconds=100.0)
    log.log_graph(L.LightningModule())
    log.log_metrics({"epoch": 0, "train/loss": 1.0}, 3)
    assert 100 <= float((tmp_path / "metrics.csv").read_text().split(",")[-1]) < 101
