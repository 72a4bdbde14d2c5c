"""BestCheckpoint keeps the best weights: by its figure, and by the loss where several are equal in it."""

import math
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from rnnvision.training import FIGURES, BestCheckpoint
from rnnvision.training.checkpoint import FORMAT
from tests.training.cases import make_trainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:`ModelCheckpoint\\(monitor=.*could not find"),
]
NAN = math.nan


class Script(L.LightningModule):
    """Logs the accuracy and the loss of each epoch from a list, and keeps the number of the epoch as its weight."""

    def __init__(self, figures: list[tuple[float, float]], stage: str) -> None:
        super().__init__()
        self.figures, self.stage = figures, stage
        self.epoch = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        with torch.no_grad():
            self.epoch.fill_(self.current_epoch)
        return self.epoch * 0

    def validation_step(self, batch: Tensor, batch_idx: int) -> None: ...

    def _log_figures(self) -> None:
        accuracy, loss = self.figures[self.current_epoch]
        self.log_dict({f"{self.stage}/accuracy": accuracy, f"{self.stage}/loss": loss})

    def on_train_epoch_end(self) -> None:
        if self.stage == "train":
            self._log_figures()

    def on_validation_epoch_end(self) -> None:
        if self.stage == "val":
            self._log_figures()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["rnnvision"] = {"format": FORMAT}


def kept(folder: Path, figures: list[tuple[float, float]], monitor: str, stops: tuple[int, ...], **trainer: Any) -> int:
    """The epoch of which the best checkpoint is, of a run that stops and goes on; the folder is renamed each time."""
    last = None
    for number, epochs in enumerate(stops):
        here = folder.rename(folder.with_name(f"{folder.name}{number}")) if last else folder
        last = here / last.name if last else None
        best = BestCheckpoint(here, monitor=monitor)
        every = ModelCheckpoint(here, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        fit = make_trainer(here, max_epochs=epochs, callbacks=[best, every], **trainer)
        data = [torch.zeros(1)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)  # Lightning's, of the other callback's folder
            fit.fit(Script(figures, monitor.partition("/")[0]), data, data, ckpt_path=last)
        folder, last = here, here / "last.ckpt"
    return int(torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]["epoch"])


TIED = [(0.5, 2.0), (0.9, 1.4), (0.9, 0.3), (0.8, 0.1), (0.9, 0.7)]
SEQUENCES = {
    "ties go to the lowest loss": (TIED, {"accuracy": 2, "loss": 3}),
    "the first of equal ones": ([(0.9, 0.5), (0.9, 0.5), (0.1, 0.6)], {"accuracy": 0, "loss": 0}),
    "a loss that is no number loses": ([(0.9, NAN), (0.9, 0.5), (0.9, NAN)], {"accuracy": 1, "loss": 1}),
}


@pytest.mark.parametrize("stage", ["val", "train"])
@pytest.mark.parametrize("figure", ["accuracy", "loss"])
@pytest.mark.parametrize("name", SEQUENCES)
def test_it_keeps_the_best(tmp_path: Path, name: str, figure: str, stage: str) -> None:
    figures, expected = SEQUENCES[name]
    assert kept(tmp_path / "run", figures, f"{stage}/{figure}", (len(figures),)) == expected[figure]


@pytest.mark.parametrize("stops", [(1, 5), (2, 5), (3, 4, 5)], ids=str)
@pytest.mark.parametrize("figure", ["accuracy", "loss"])
def test_a_resumed_run_in_a_renamed_folder_knows_the_best(tmp_path: Path, figure: str, stops: tuple[int, ...]) -> None:
    expected = SEQUENCES["ties go to the lowest loss"][1][figure]
    assert kept(tmp_path / "run", TIED, f"val/{figure}", stops) == expected


def test_an_epoch_without_a_validation_is_not_looked_at(tmp_path: Path) -> None:
    figures = [(0.9, 0.1), (0.5, 2.0), (0.9, 0.1), (0.6, 1.0), (0.9, 0.1)]
    assert kept(tmp_path / "run", figures, "val/accuracy", (5,), check_val_every_n_epoch=2) == 3


def test_a_figure_that_is_not_logged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="monitor=val_acc: choose one of val/accuracy"):
        BestCheckpoint(tmp_path, monitor="val_acc")


def test_a_loss_is_better_when_lower_and_an_accuracy_when_higher(tmp_path: Path) -> None:
    assert {name: BestCheckpoint(tmp_path, monitor=name).mode for name in FIGURES if name != "lr"} == {
        "val/accuracy": "max",
        "val/loss": "min",
        "train/accuracy": "max",
        "train/loss": "min",
    }
