"""What ends a training: a figure or a weight that is no finite number, told with its epoch, before it is kept."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from rnnvision.training import BestCheckpoint, TrainingError, read_checkpoint
from rnnvision.training.failures import require_finite, require_finite_state
from tests.training.cases import checkpoint_of, last, make_data, make_learner, make_trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    # torchmetrics says it of a validation, before it is looked at; the command filters it too.
    pytest.mark.filterwarnings("ignore:Encountered `nan` values in tensor:UserWarning"),
]


class LastStep(Callback):
    """Sets a weight after the last step of epoch 2, when no loss of training can show it any more."""

    def __init__(self, value: float) -> None:
        self.value = value

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, *rest: Any) -> None:
        if trainer.current_epoch == 1 and trainer.is_last_batch:
            with torch.no_grad():
                pl_module.network.head.bias[0] = self.value


@pytest.mark.parametrize("loss", ["nan", "inf"])
def test_a_loss_that_is_no_number_ends_the_training_without_a_checkpoint(tmp_path: Path, loss: str) -> None:
    data = make_data()
    learner = make_learner(data)
    with torch.no_grad():
        learner.network.head.bias[0] = -float(loss)
    trainer = make_trainer(tmp_path, callbacks=[last(tmp_path)])
    with pytest.raises(TrainingError, match=f"^the training loss became {loss} in epoch 1, batch 1 "):
        trainer.fit(learner, datamodule=data)
    assert not checkpoint_of(tmp_path).exists()


@pytest.mark.parametrize(
    ("value", "validates", "broken"),
    [
        (math.nan, True, "val/loss became nan"),
        (-math.inf, True, "val/loss became inf"),
        (math.inf, False, r"weights \(network.head.bias\) became inf"),
    ],
)
def test_weights_that_break_in_the_last_step_of_an_epoch_end_it_and_the_epoch_before_stays(
    tmp_path: Path, value: float, validates: bool, broken: str
) -> None:
    data = make_data()
    checkpoints = [last(tmp_path), *([BestCheckpoint(tmp_path / "best", monitor="val/loss")] if validates else [])]
    trainer = make_trainer(
        tmp_path,
        max_epochs=3,
        limit_val_batches=1.0 if validates else 0,
        callbacks=[LastStep(value), *checkpoints],
    )
    with pytest.raises(TrainingError, match=f"^the {broken}.* in epoch 2; try a smaller optimizer.lr"):
        trainer.fit(make_learner(data), datamodule=data)
    for path in (checkpoint_of(tmp_path), *([tmp_path / "best" / "best.ckpt"] if validates else [])):
        checkpoint = read_checkpoint(path)
        assert checkpoint["epoch"] == 0
        assert all(bool(weight.isfinite().all()) for weight in checkpoint["state_dict"].values())


def test_a_score_beside_one_that_is_no_number_is_none() -> None:
    require_finite({"test/accuracy": 0.1, "test/nll": 9.0})
    for value in (math.nan, math.inf):
        with pytest.raises(TrainingError, match=f"^test/nll is {value}: .*smaller optimizer.lr"):
            require_finite({"test/accuracy": 0.1, "test/nll": value})


@pytest.mark.parametrize("entry", ["state_dict", "current_model_state"])
def test_neither_an_average_nor_what_it_is_of_is_saved_where_it_is_not_finite(tmp_path: Path, entry: str) -> None:
    good, bad = {"a": torch.ones(2)}, {"a": torch.tensor([1.0, math.nan])}
    checkpoint = {"state_dict": good, "current_model_state": good}
    require_finite_state(checkpoint, (), make_trainer(tmp_path))
    with pytest.raises(TrainingError, match=r"weights \(a\) became nan"):
        require_finite_state({**checkpoint, entry: bad}, (), make_trainer(tmp_path))
