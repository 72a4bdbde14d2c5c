"""The figures that a Learner logs, which direction of each is better, and the checkpoint of the best epoch."""

import math
from pathlib import Path
from typing import Any, Literal

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from rnnvision.checks import one_of
from rnnvision.training.saving.paths import in_own_folder

# Whether less or more of a figure is better; of a learning rate neither is.
FIGURES: dict[str, str | None] = {
    "val/accuracy": "max",
    "val/loss": "min",
    "train/accuracy": "max",
    "train/loss": "min",
    "lr": None,
}


class BestCheckpoint(ModelCheckpoint):
    """Keep the weights with the best figure; of those that are equal in it, the ones with the lowest loss.

    An accuracy has few values, so that good epochs often share the best one; the loss tells them apart, where Lightning
    keeps the first of them. A figure of validation is looked at right after each validation, so that it is one of the
    weights that are saved, and a figure of training at the end of each epoch.

    Args:
        dirpath: folder of the checkpoint, which may be another when a run is resumed.
        filename: without its ending.
        monitor: one of `FIGURES`.
        mode: "min" or "max"; None takes the better direction of the figure.
        save_top_k: 1, or 0 to save nothing.
        every_n_epochs: look at every n-th epoch only.
        save_weights_only: leave out the state of the optimiser.
    """

    def __init__(
        self,
        dirpath: str | Path,
        filename: str = "best",
        monitor: str = "val/accuracy",
        mode: str | None = None,
        save_top_k: Literal[0, 1] = 1,
        every_n_epochs: int = 1,
        save_weights_only: bool = False,
    ) -> None:
        one_of("monitor", monitor, FIGURES)
        super().__init__(
            dirpath,
            filename,
            monitor,
            mode=mode or FIGURES[monitor] or "min",
            save_top_k=save_top_k,
            every_n_epochs=every_n_epochs,
            save_weights_only=save_weights_only,
            save_on_train_epoch_end=not monitor.startswith("val/"),
            enable_version_counter=False,
        )
        self._loss_name = "val/loss" if monitor.startswith("val/") else "train/loss"
        self.best_loss = math.inf  # of the weights that are kept

    def check_monitor_top_k(self, trainer: L.Trainer, current: Tensor | None = None) -> bool:
        """Whether the weights of now are better than those that are kept; Lightning saves them then."""
        better = super().check_monitor_top_k(trainer, current)
        found = trainer.callback_metrics.get(self._loss_name)
        loss = math.inf if found is None or math.isnan(found) else float(found)
        if not better and current is not None and self.best_model_score is not None:
            better = bool(current == self.best_model_score) and loss < self.best_loss
        if better:
            self.best_loss = loss
        return better

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "best_loss": self.best_loss}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, also where the run folder has been renamed: Lightning would forget the best score.

        Where the file itself is gone, the best of the epochs that follow is kept.
        """
        state = in_own_folder(state_dict, self)
        if not Path(state["best_model_path"]).is_file():
            return
        loss = state.get("best_loss")
        self.best_loss = loss if isinstance(loss, float) and state["best_k_models"] else math.inf
        super().load_state_dict(state)
