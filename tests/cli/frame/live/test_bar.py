"""The live line of a training: what it says in each stage, and how seldom it asks the device."""

import pickle
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.profilers import Profiler
from torch.utils.data import DataLoader, IterableDataset

from rnnvision.cli.frame.live import bar as bar_module
from rnnvision.cli.frame.live.bar import LiveBar
from rnnvision.training.scores import EpochSums
from tests.cli.frame.live.screen import ESCAPE, console_of, written
from tests.training.cases import make_data, make_learner, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")


class Clock:
    """Time that goes on with each look at it, so that each drawing is due, or none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
        self.now, self.step = 0.0, step
        monkeypatch.setattr(bar_module.time, "monotonic", self)

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def bar() -> LiveBar:
    return LiveBar(console_of(160))


def drawn(bar: LiveBar) -> list[str]:
    """Each line that was drawn."""
    assert bar._console is not None
    texts = [ESCAPE.sub("", text) for text in written(bar._console).split("\r")]
    return [" ".join(text.split()) for text in texts if text]


def fit(folder: Path, bar: LiveBar, learner: Any = None, data: Any = None, **arguments: Any) -> L.Trainer:
    data, sanity = make_data() if data is None else data, arguments.pop("sanity", 0)
    shows = {"callbacks": [bar], "enable_progress_bar": True, "enable_checkpointing": False}
    trainer: Any = make_trainer(folder, **shows, **arguments)
    trainer.num_sanity_val_steps = sanity
    trainer.fit(learner or make_learner(data), data)
    return trainer


def test_each_stage_says_where_it_is(tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch, 0.2)
    data, learner = make_data(), make_learner(make_data())
    trainer = fit(tmp_path, bar, learner, data, max_epochs=2, sanity=1)
    trainer.validate(learner, datamodule=data, verbose=False)
    trainer.test(learner, datamodule=data, verbose=False)
    data.tested_split = "train"
    trainer.test(learner, datamodule=data, verbose=False)
    labels = list(dict.fromkeys(re.split(" [━─]", line)[0] for line in drawn(bar)))
    assert labels == [
        "Check of validation", "Epoch 1/2", "Epoch 1/2 validation", "Epoch 2/2", "Epoch 2/2 validation",
        "Validation", "Test", "Test on train",
    ]  # fmt: skip
    last = [line for line in drawn(bar) if line.startswith("Epoch 2/2 ") and "validation" not in line][-1]
    assert " images/s 0:00 left" in last
    assert " run " not in last  # it ends with this epoch
    assert any(" run 0:" in line for line in drawn(bar) if line.startswith("Epoch 1/2 "))


def test_loss_and_accuracy_are_those_of_the_epoch_so_far(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its last batch they are the figures of its kept line."""
    Clock(monkeypatch, 0.2)
    trainer = fit(tmp_path, bar, max_epochs=1)
    figures = trainer.callback_metrics
    expected = f"3/3 loss {float(figures['train/loss']):.4f} accuracy {float(figures['train/accuracy']):.4f}"
    assert any(expected in line for line in drawn(bar)), drawn(bar)


class Endless(IterableDataset):  # type: ignore[type-arg]
    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            yield torch.zeros(4, 1, 4, 4), torch.zeros(4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_epochs": -1, "max_steps": 5}, ["Epoch 1 ", " 1/3 step 1/5 ", "Epoch 2 ", " 2/2 step 5/5 "]),
        ({"max_epochs": -1, "max_steps": 2, "accumulate_grad_batches": 2}, [" 3/3 step 2/2 "]),
        ({"max_epochs": 3, "max_time": {"hours": 2}}, [" run 0:0"]),
        ({"max_epochs": -1, "max_time": {"seconds": 20}}, [" run 0:1", " run 0:0"]),
    ],
    ids=["steps", "accumulated", "epochs before time", "time"],
)
def test_the_limit_that_ends_the_run_is_the_one_that_counts(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Any], expected: list[str]
) -> None:
    Clock(monkeypatch, 0.2)
    fit(tmp_path, bar, **limits, **({"limit_train_batches": 3} if "max_time" not in limits else {}))
    for words in expected:
        assert any(words in f"{line} " for line in drawn(bar)), (words, drawn(bar))


@pytest.mark.filterwarnings("ignore:You defined a `validation_step`", "ignore:.*does not have many workers")
def test_of_an_endless_epoch_there_is_no_bar_and_no_end(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, 0.2)
    endless = DataLoader(Endless(), batch_size=None)
    fit(tmp_path, bar, make_learner(make_data()), endless, max_time={"seconds": 20}, limit_val_batches=0)
    lines = [line for line in drawn(bar) if "loss" in line]
    assert lines
    assert not any("━" in line or "─" in line or "/s 0:" in line or "inf" in line for line in lines)


def test_a_pretraining_says_so_and_has_no_accuracy(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch, 0.2)
    data = make_data()
    learner = make_learner(data, network={"name": "encoder_decoder"}, objective="reconstruct")
    learner.network.use_reconstruction_head()  # type: ignore[operator]
    fit(tmp_path, bar, learner, data, max_epochs=1)
    lines = [line for line in drawn(bar) if "loss" in line]
    assert lines
    assert all(line.startswith("Pretraining 1/1 ") and "accuracy" not in line for line in lines)


# Cost.


@pytest.mark.parametrize("step", [0.0, 0.004, 0.03])
def test_the_device_is_asked_when_the_line_is_drawn_ten_times_a_second_at_most(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    clock = Clock(monkeypatch, step)
    asked = []
    means = EpochSums.means
    monkeypatch.setattr(EpochSums, "means", lambda sums: asked.append(clock.now) or means(sums))
    data = make_data(num_train=400, batch_size=2)
    fit(tmp_path, bar, make_learner(data), data, max_epochs=1, limit_val_batches=0)
    assert len(asked) <= clock.now / bar_module.SECONDS_BETWEEN + 1
    assert all(later - earlier >= bar_module.SECONDS_BETWEEN for earlier, later in pairwise(asked))
    assert len(drawn(bar)) <= len(asked) + 2  # before the first batch nothing is asked
    if step == 0.03:
        assert len(asked) > 10


class Calls(Profiler):
    """Counts what Lightning calls of the bar."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def start(self, action_name: str) -> None:
        if "LiveBar" in action_name:
            self.names.append(action_name.rpartition(".")[2])

    def stop(self, action_name: str) -> None: ...

    def summary(self) -> str:
        return ""


def test_lightning_calls_one_hook_of_the_bar_each_step(tmp_path: Path, bar: LiveBar) -> None:
    calls = Calls()
    fit(tmp_path, bar, max_epochs=1, limit_val_batches=0, profiler=calls)
    assert [name for name in calls.names if "batch" in name or "step" in name or "ward" in name or "grad" in name] == [
        "on_train_batch_end"
    ] * 3


# Ends.


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_whatever_ends_a_training_leaves_no_line_behind(
    tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    Clock(monkeypatch, 0.2)
    learner = make_learner(make_data())
    monkeypatch.setattr(learner, "on_train_epoch_end", lambda: (_ for _ in ()).throw(error()))
    before = sys.stdout, sys.stderr
    with pytest.raises((error, SystemExit)):
        fit(tmp_path, bar, learner)
    assert len(drawn(bar)) > 2
    assert bar._console is not None
    assert written(bar._console).endswith("\r\x1b[2K")
    assert (sys.stdout, sys.stderr) == before


def test_only_the_first_process_draws(tmp_path: Path, bar: LiveBar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(L.Trainer, "is_global_zero", False)
    fit(tmp_path, bar, max_epochs=1)
    assert drawn(bar) == []


def test_it_can_be_sent_to_a_process() -> None:
    """As ddp_spawn does."""
    assert isinstance(pickle.loads(pickle.dumps(LiveBar())), LiveBar)
