"""Saving: the last checkpoint is written within an epoch too, every so many steps and before a signal ends a run."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from rnnvision.checks import at_least
from rnnvision.cli.frame.arguments import arguments_of
from rnnvision.cli.frame.signals import STOP
from rnnvision.cli.frame.trainer.attributes import is_trial
from rnnvision.cli.frame.trainer.position import Position
from rnnvision.errors import UsageError

AGREE = 8  # batches after which several processes ask each other whether one was told to end


def last_of(callbacks: Sequence[Callback]) -> Path | None:
    """The file from which a run with these callbacks is resumed; None where none is written."""
    found = (c for c in callbacks if isinstance(c, ModelCheckpoint) and c.filename == "last" and c.monitor is None)
    return next((Path(str(c.dirpath)) / f"last{c.FILE_EXTENSION}" for c in found if c.save_top_k != 0), None)


class Saving(Callback):
    """Write the last checkpoint between two batches of an epoch; at its end another callback does.

    While a training runs, a signal is heard between two batches, so that what is written is whole; within a validation
    too, which is begun anew when the run goes on.

    Args:
        position: of the same Trainer.
        last: the file; None to write none.
        every: steps of the optimiser between two checkpoints.
    """

    def __init__(self, position: Position, last: Path | None, every: int | None = None) -> None:
        if every is not None:
            with arguments_of(""):
                at_least("save_every", every, 1)
            if last is None:
                raise UsageError(
                    f"save_every={every}: there is no last checkpoint to write (callbacks.last); leave one of them out"
                )
        self.position, self.last, self.every = position, last, every
        self._saved = 0  # step
        self._deferring = ExitStack()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._saved = trainer.global_step
        self._deferring.enter_context(STOP.deferred())

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        # The step before is behind, and all that follows it, such as a validation; the end of an epoch is saved anyway.
        if batch_idx % trainer.accumulate_grad_batches:
            return
        if self._is_to_end(trainer, batch_idx):
            self._end(trainer)
        elif batch_idx and self.every is not None and trainer.global_step - self._saved >= self.every:
            self._save(trainer)

    def on_validation_batch_start(self, trainer: L.Trainer, *rest: Any) -> None:
        waits = trainer.state.fn != "fit" or trainer.sanity_checking or trainer.world_size > 1
        if STOP.requested is None or waits or trainer.fit_loop.epoch_loop._should_accumulate():
            return
        self._end(trainer)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._deferring.close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._deferring.close()

    def _is_to_end(self, trainer: L.Trainer, batch: int) -> bool:
        if trainer.world_size == 1:
            return STOP.requested is not None
        if batch % AGREE:
            return False
        code = torch.tensor(STOP.requested or 0, device=trainer.strategy.root_device)
        torch.distributed.all_reduce(code, torch.distributed.ReduceOp.MAX)
        if agreed := int(code):  # a signal that has come since waits: the others know nothing of it
            STOP.requested = STOP.requested or agreed
        return agreed != 0

    def _end(self, trainer: L.Trainer) -> None:
        if self.last is not None and trainer.global_step > self._saved:  # else there is nothing new to save
            self._save(trainer)
        STOP.obey()

    def _save(self, trainer: L.Trainer) -> None:
        if not is_trial(trainer):
            self.position.save(trainer, str(self.last))
        self._saved = trainer.global_step
