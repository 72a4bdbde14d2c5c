"""How far a run has got that is resumed, what has ended it, and what Lightning has to be told to go on rightly."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping

from rnnvision.checks import counted
from rnnvision.cli.frame.trainer.attributes import callbacks_of
from rnnvision.runs import read_epochs
from rnnvision.training import RunLog


@dataclass(frozen=True)
class Progress:
    """What the last checkpoint of a run says of its training."""

    epochs: int  # that have ended
    steps: int  # of the optimiser
    batches: int  # of the epoch after them, which had begun
    of_batches: int
    in_validation: bool  # after these batches
    rows: list[dict[str, Any]]  # of metrics.csv, of the epoch `first_row`
    cut: list[dict[str, Any]]  # the rows in their place where the training ended within this epoch and does not go on
    first_row: int  # earlier rows are in the file, what is there of this epoch and of later ones is trained again
    seconds: float  # of the epoch that had begun
    callbacks: dict[str, Any]  # state_key -> state


def read_progress(last: Path) -> Progress:
    """What the checkpoint `last`, which was written at the end of an epoch, says of the training so far.

    Raises:
        UsageError: if it cannot be read.
    """
    from rnnvision.training import facts_of

    checkpoint = facts_of(last)
    epochs = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    position = checkpoint.get("position")  # that an earlier version did not write
    within = {} if position is None or position["ended"] else position
    return Progress(
        epochs=epochs,
        steps=checkpoint["global_step"],
        batches=within.get("batches", 0),
        of_batches=within.get("of_batches", 0),
        in_validation=within.get("in_validation", False),
        rows=[] if position is None else position["rows"],
        cut=within.get("cut", []),
        first_row=epochs if position is None else position["epoch"],
        seconds=within.get("seconds", 0.0),
        callbacks=checkpoint.get("callbacks", {}),
    )


def resume_line(last: Path, stage: str = "") -> str:
    """What to say of an epoch that had begun; "" where the checkpoint `last` is of the end of one."""
    progress = read_progress(last)
    if not progress.batches:
        return ""
    then = ", before the validation" if progress.in_validation else ""
    number = f"{progress.epochs + 1}{stage}"
    return f"resume    in epoch {number}, after {progress.batches} of {progress.of_batches} batches{then}"


def go_on(trainer: L.Trainer, last: Path) -> None:
    """Prepare a Trainer that goes on from the checkpoint `last`."""
    # Of a callback that was taken out or changed: what may be is said when the run is resumed.
    warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`")
    # Its place is told to the loader by `Position`.
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended")
    progress = read_progress(last)
    _go_back(trainer, progress.first_row, progress.rows, progress.seconds)
    states = [(c, progress.callbacks.get(c.state_key)) for c in trainer.early_stopping_callbacks]
    stopped = any(early_stop(callback, last.parents[1], state) for callback, state in states if state is not None)
    if progress.cut:  # until it is known that there is something left to train
        _go_back(trainer, progress.first_row, progress.cut, progress.seconds)
    callbacks_of(trainer).append(GoOn(trainer, progress, has_stopped=stopped))


def _go_back(trainer: L.Trainer, epoch: int, rows: list[dict[str, Any]], seconds: float = 0.0) -> None:
    for log in (logger for logger in trainer.loggers if isinstance(logger, RunLog)):
        log.go_back_to(epoch, rows, seconds)


class GoOn(Callback):
    """Make Lightning go on at the next epoch or batch, with what the configuration says now.

    With a limit of steps Lightning takes each checkpoint for one within an epoch: it would not begin the epoch, or end
    the last one a second time; and it would leave out the validation that follows the last step. A patience it would
    take from the checkpoint, and what stopped early it would go on with.
    """

    def __init__(self, trainer: L.Trainer, progress: Progress, *, has_stopped: bool) -> None:
        steps = trainer.max_steps
        reached = progress.steps >= steps and not progress.in_validation
        self.max_steps = None if reached else steps  # None: there is no limit, or it is reached
        self.validates = progress.in_validation
        self.patience = {callback: callback.patience for callback in trainer.early_stopping_callbacks}
        self.has_stopped = has_stopped
        self.progress = progress

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.should_stop = self.has_stopped
        if self.max_steps is not None:
            trainer.fit_loop.epoch_loop.max_steps = -1

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not self.validates:  # else the limit may be reached, and would end the training before the validation
            self._limit_again(trainer)
        for callback, patience in self.patience.items():
            callback.patience = patience
        if self.progress.cut:
            _go_back(trainer, self.progress.first_row, self.progress.rows)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._limit_again(trainer)

    def _limit_again(self, trainer: L.Trainer) -> None:
        if self.max_steps is not None:
            trainer.fit_loop.epoch_loop.max_steps = self.max_steps


def early_stop(callback: EarlyStopping, folder: Path, saved: dict[str, Any] | None = None) -> str | None:
    """What the callback, as it is configured now, has against another epoch; None for nothing.

    Args:
        callback: of the training.
        folder: of the run, where metrics.csv is.
        saved: the state of the callback in a checkpoint; by default the one it has.
    """
    state = callback.state_dict() if saved is None else saved
    rows = [row for row in read_epochs(folder / "metrics.csv") if row.get(callback.monitor)]
    name, waited = callback.monitor, int(state["wait_count"])
    better = torch.lt if callback.mode == "min" else torch.gt
    if rows:
        last = torch.tensor(float(rows[-1][name]))
        if callback.check_finite and not torch.isfinite(last):
            return f"{name} became {float(last)}"
        if callback.stopping_threshold is not None and better(last, callback.stopping_threshold):
            return f"{name} {float(last):.4f} has passed stopping_threshold={callback.stopping_threshold}"
        if callback.divergence_threshold is not None and better(-last, -callback.divergence_threshold):
            return f"{name} {float(last):.4f} has passed divergence_threshold={callback.divergence_threshold}"
    if waited < max(callback.patience, 1):
        return None
    times = counted(waited, "validation" if name.startswith("val/") else "epoch")
    return f"{name} has not improved for {times}{_best(float(state['best_score']), name, rows)}"


def _best(score: float, name: str, rows: list[dict[str, str]]) -> str:
    """The best figure and its epoch, as far as they are known."""
    if not math.isfinite(score):
        return ""
    epoch = next((int(row["epoch"]) + 1 for row in rows if math.isclose(float(row[name]), score, rel_tol=1e-6)), None)
    return f" (best {score:.4f}{f' in epoch {epoch}' if epoch else ''})"
