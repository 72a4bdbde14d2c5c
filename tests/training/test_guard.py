"""Guard: a step whose loss or gradient is no finite number ends the training, and changes nothing."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from rnnvision.training import TrainingError, read_checkpoint
from rnnvision.training.failures import NotFiniteError
from rnnvision.training.guard import Guard
from tests.training.cases import OPTIMIZERS, checkpoint_of, last, make_data, make_learner, make_trainer

pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")


class Breaks(Callback):
    """Sets one value of what step `at` is about to use, counted from 1; keeps the weights of before each step."""

    def __init__(self, value: float, at: int, name: str = "head.weight") -> None:
        self.value, self.at, self.name = value, at, name
        self.before: dict[str, Tensor] = {}

    def on_before_optimizer_step(self, trainer: L.Trainer, pl_module: Any, optimizer: Any) -> None:
        self.before = {name: held.clone() for name, held in pl_module.state_dict().items()}
        if trainer.global_step + 1 == self.at:
            pl_module.network.get_parameter(self.name).grad.view(-1)[-1] = self.value


@pytest.mark.parametrize(
    ("value", "at", "optimizer", "options"),
    [
        (math.nan, 1, "adamw", {}),
        (math.inf, 3, "adam", {"gradient_clip_val": 1.0}),
        (-math.inf, 4, "sgd", {"gradient_clip_val": 0.1, "gradient_clip_algorithm": "value"}),  # which makes it finite
        (math.nan, 2, "rmsprop", {"accumulate_grad_batches": 2}),
    ],
)
def test_a_gradient_that_is_not_finite_is_never_used(
    tmp_path: Path, value: float, at: int, optimizer: str, options: dict[str, Any]
) -> None:
    breaks, data = Breaks(value, at), make_data()
    learner = make_learner(data, optimizer=optimizer)
    batches = data.num_train_batches()
    trainer = make_trainer(tmp_path, max_epochs=4, callbacks=[breaks, last(tmp_path)], **options)
    with pytest.raises(
        NotFiniteError, match=f"^the gradient became {abs(value)} .*: lr [0-9.e-]+; gradient norms: head.weight "
    ) as error:
        trainer.fit(learner, datamodule=data)
    assert all(torch.equal(held, breaks.before[name]) for name, held in learner.state_dict().items())
    each = options.get("accumulate_grad_batches", 1)
    steps = math.ceil(batches / each)
    done = (at - 1) % steps * each
    facts = error.value.facts
    assert (facts["step"], facts["epoch"]) == (at, 1 + (at - 1) // steps)
    assert facts["batches"] == list(range(done + 1, min(done + each, batches) + 1))
    assert facts["lr"] == OPTIMIZERS[optimizer]["lr"]
    assert set(facts["gradient_norms"]) == {name for name, _ in learner.network.named_parameters()}
    assert checkpoint_of(tmp_path).exists() == (at > steps)


@pytest.mark.parametrize("validates", [True, False])
@pytest.mark.parametrize("at", [3, 4, 6])  # the last step of an epoch, and the first one; of three
def test_a_step_that_a_gpu_tells_of_late_is_in_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, validates: bool
) -> None:
    monkeypatch.setattr("rnnvision.training.guard._is_read_late", lambda loss: True)
    trainer = make_trainer(
        tmp_path,
        max_epochs=3,
        limit_val_batches=1.0 if validates else 0,
        callbacks=[Breaks(math.nan, at), last(tmp_path)],
    )
    with pytest.raises(NotFiniteError, match=rf"^the gradient became nan .*\(step {at}\): .* norms: head.weight nan,"):
        trainer.fit(make_learner(make_data()), datamodule=make_data())
    assert checkpoint_of(tmp_path).exists() == (at > 3)
    if at > 3:
        assert read_checkpoint(checkpoint_of(tmp_path))["epoch"] == 0


class Saves(Callback):
    """Writes a checkpoint before the second step."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            trainer.save_checkpoint(self.path)


def test_a_checkpoint_within_an_epoch_waits_for_what_a_gpu_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnvision.training.guard._is_read_late", lambda loss: True)
    path = tmp_path / "within.ckpt"
    trainer = make_trainer(tmp_path, callbacks=[Breaks(math.nan, 1), Saves(path)])
    with pytest.raises(NotFiniteError, match=r"^the gradient became nan .*\(step 1\)"):
        trainer.fit(make_learner(make_data()), datamodule=make_data())
    assert not path.exists()


def test_a_finite_gradient_stays_as_it_is() -> None:
    """And one whose norm is no float32 is finite."""
    network = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network.weight.grad, network.bias.grad = torch.tensor([[3e38, -3e38]]), torch.tensor([1e-45])
    before = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    guard = Guard()
    guard.add(0, torch.tensor(1.0))
    guard.look(network, optimizer, lambda: (0, 0))
    assert all(torch.equal(a, p.grad) for a, p in zip(before, network.parameters(), strict=True) if p.grad is not None)


@pytest.mark.parametrize(("scale", "ends"), [(2.0, False), (1.0, True)])
def test_with_a_loss_scaler_a_gradient_may_overflow_until_its_scale_is_one(scale: float, ends: bool) -> None:
    class Scaler:
        def get_scale(self) -> float:
            return scale

    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    guard = Guard()
    for loss, raises in ((1.0, ends), (math.inf, True)):
        network.weight.grad = torch.tensor([[math.inf]])
        guard.add(0, torch.tensor(loss))
        try:
            guard.look(network, optimizer, lambda: (0, 0), scaler=Scaler())
        except NotFiniteError:
            assert raises
        else:
            assert not raises


class Spoils(Callback):
    """Sets a part of the state after the last step of epoch 2."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: Any) -> None:
        if trainer.current_epoch == 1:
            if self.what == "optimizer":
                state = trainer.optimizers[0].state
                state[next(iter(state))]["exp_avg_sq"].view(-1)[0] = math.inf
            else:
                getattr(pl_module.network, self.what)[0] = math.nan


@pytest.mark.parametrize("what", ["optimizer", "statistics"])
def test_a_state_that_is_not_finite_is_never_saved(tmp_path: Path, what: str) -> None:
    data = make_data()
    learner = make_learner(data)
    learner.network.register_buffer("statistics", torch.zeros(3))
    learner.network.register_buffer("mask", torch.tensor([0.0, -math.inf]))  # which may be so
    trainer = make_trainer(tmp_path, max_epochs=3, limit_val_batches=0, callbacks=[Spoils(what), last(tmp_path)])
    with pytest.raises(TrainingError, match=r"^the (weights|state of optimizer 0) \(.*\) became (nan|inf) in epoch 2"):
        trainer.fit(learner, datamodule=data)
    assert read_checkpoint(checkpoint_of(tmp_path))["epoch"] == 0
