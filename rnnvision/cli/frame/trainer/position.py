"""Where a training is within an epoch: kept in each checkpoint, and put back when it is resumed from one.

A checkpoint has an entry `position` for that, see `Position.on_save_checkpoint`. Lightning's own counts are brought
into the one form in which it goes on at the next batch, whatever hook the checkpoint was written in.
"""

from collections.abc import Mapping
from typing import Any, cast

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, WeightAveraging
from torch import Tensor

from rnnvision.cli.frame.trainer.attributes import callbacks_of
from rnnvision.nn.parts import hold_frozen
from rnnvision.training.learner import Learner
from rnnvision.training.run_log import RunLog
from rnnvision.training.scores import EpochSums

ENTRY = "position"
COUNTS = ("ready", "started", "processed", "completed")


class Position(Callback):
    """Write what a resume within an epoch needs, and go on from it; to be given to every Trainer that trains."""

    def __init__(self) -> None:
        self.begun: Mapping[str, Any] | None = None  # of the checkpoint that the training goes on from
        self._between_batches = False
        self._in_validation = False
        self._begins_validation = False  # one that was interrupted

    # Written.

    def save(self, trainer: L.Trainer, path: str) -> None:
        """Write a checkpoint at the start of a batch, which is not trained yet, or within a validation.

        The validation is begun anew by a training that is resumed from it, and must not go on here.
        """
        self._in_validation = bool(trainer.validating)
        self._between_batches = not self._in_validation
        if self._in_validation:  # which sees the average
            for average in (c for c in callbacks_of(trainer) if isinstance(c, WeightAveraging)):
                average.on_validation_epoch_end(trainer, trainer.lightning_module)
        try:
            trainer.save_checkpoint(path)
        finally:
            self._between_batches = self._in_validation = False

    def on_save_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        """Add what is not Lightning's to keep.

        `position` holds: `epoch`, counted from 0, and `batches`, which are trained of it, of `of_batches`; `random`
        (ranks, bytes), torch's generator, and `random_cuda`; `sums` (ranks, 3) of the epoch, `validated`; `rows` of
        metrics.csv that are of this epoch, and its `seconds` so far; `cut`, the rows in their place where the training
        ended within it and does not go on.
        """
        if trainer.state.fn != "fit" or not isinstance(pl_module, Learner):
            return
        loop = trainer.fit_loop
        epochs: Any = loop.epoch_progress.current
        has_ended = epochs.processed > epochs.completed
        is_whole = loop.epoch_loop._num_ready_batches_reached()
        epoch = trainer.current_epoch
        batches = loop.epoch_loop.batch_progress.current.ready - self._between_batches
        if self._between_batches or self._in_validation or (has_ended and not is_whole):
            _within_epoch(checkpoint["loops"]["fit_loop"], trainer, epoch, batches, validates=self._in_validation)
        step, figures = pl_module._validated
        log = _run_log(trainer)
        rows = [] if log is None else log.rows_of(epoch)
        ended = [] if log is None or not has_ended else log.rows_of(epoch, _ended_row(trainer))
        checkpoint[ENTRY] = {
            "epoch": epoch,
            "batches": batches,
            "of_batches": int(trainer.num_training_batches),
            "ended": bool(has_ended and is_whole),
            "in_validation": self._in_validation,
            "sums": _of_all_ranks(trainer, pl_module.sums.all().cpu().double()),
            "validated": [step, dict(figures), pl_module._validated_this_epoch],
            "random": _of_all_ranks(trainer, torch.get_rng_state()),
            "rows": ended if has_ended and is_whole else rows,
            "cut": [] if is_whole else ended,
            "seconds": 0.0 if log is None else log.seconds,
        }
        if pl_module.device.type == "cuda":
            checkpoint[ENTRY]["random_cuda"] = _of_all_ranks(trainer, torch.cuda.get_rng_state(pl_module.device))

    # Read.

    def on_load_checkpoint(self, trainer: L.Trainer, pl_module: L.LightningModule, checkpoint: dict[str, Any]) -> None:
        self.begun = checkpoint.get(ENTRY)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        begun, self.begun = self.begun, None
        if begun is None or not isinstance(pl_module, Learner):
            return
        step, figures, this_epoch = begun["validated"]
        pl_module._validated = (step, dict(figures))
        if begun["ended"]:
            return
        self._begins_validation = begun["in_validation"]
        pl_module._validated_this_epoch = this_epoch
        hold_frozen(pl_module.network)  # as at the start of an epoch, which is behind
        pl_module.sums = EpochSums.of(_of_rank(trainer, begun["sums"]), pl_module.device)
        pl_module.samples_seen = -int(begun["sums"][:, 2].sum())  # which another process has seen
        if begun["batches"] < trainer.num_training_batches:  # else it is the next epoch that is read
            cast(Any, trainer.train_dataloader).begin_at(begun["batches"])
        torch.set_rng_state(_of_rank(trainer, begun["random"]))
        if pl_module.device.type == "cuda" and "random_cuda" in begun:
            torch.cuda.set_rng_state(_of_rank(trainer, begun["random_cuda"]), pl_module.device)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self._begins_validation and not trainer.sanity_checking:
            self._begins_validation = False
            total: Any = trainer.fit_loop.epoch_loop.val_loop.batch_progress.total
            total.ready, total.started = total.processed, total.processed


def _within_epoch(state: dict[str, Any], trainer: L.Trainer, epoch: int, batches: int, *, validates: bool) -> None:
    """Bring the counts of a checkpoint into those with which Lightning goes on after so many batches of an epoch.

    With `validates` it begins with the validation that follows them.
    """
    for part, done in (("current", epoch), ("total", state["epoch_progress"]["total"]["completed"])):
        state["epoch_progress"][part] = _begun(done)
    progress = state["epoch_loop.batch_progress"]
    total = progress["total"]["completed"]
    progress["current"], progress["total"] = dict.fromkeys(COUNTS, batches), dict.fromkeys(COUNTS, total)
    if validates:  # from its first batch, of which it is to look as if it had been interrupted
        validation = state["epoch_loop.val_loop.batch_progress"]
        before = validation["total"]["completed"] - validation["current"]["completed"]
        for part, done in (("current", 0), ("total", before)):
            validation[part] = _begun(done)
    elif _follows_validation(trainer, batches, total):
        # Lightning will find that a validation is due, see that it was, and count the step a second time.
        state["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1


def _begun(done: int) -> dict[str, int]:
    """The counts where so many have ended, and one more has begun."""
    return {"ready": done + 1, "started": done + 1, "processed": done, "completed": done}


def _follows_validation(trainer: L.Trainer, batches: int, total: int) -> bool:
    every = trainer.val_check_batch
    if not trainer.fit_loop.epoch_loop._should_check_val_epoch() or every is None or every == float("inf"):
        return False
    return (total if trainer.check_val_every_n_epoch is None else batches) % every == 0


def _ended_row(trainer: L.Trainer) -> dict[str, Any]:
    """The figures of the epoch that ends, as Lightning will log them when its checkpoints are written."""
    figures = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("train/") or k == "lr"}
    return {**figures, "step": trainer.fit_loop.epoch_loop._batches_that_stepped - 1}


def _run_log(trainer: L.Trainer) -> RunLog | None:
    return next((logger for logger in trainer.loggers if isinstance(logger, RunLog)), None)


def _of_all_ranks(trainer: L.Trainer, own: Tensor) -> Tensor:
    """(ranks, *own.shape) on the CPU; every rank has to ask for it."""
    if trainer.world_size == 1:
        return own.detach().cpu()[None].clone()
    mine = own.detach().to(trainer.strategy.root_device)
    every = [torch.empty_like(mine) for _ in range(trainer.world_size)]
    torch.distributed.all_gather(every, mine)
    return torch.stack(every).cpu()


def _of_rank(trainer: L.Trainer, found: Tensor) -> Tensor:
    """The part of this process, or of another one where there were fewer.

    It is a tensor of its own: of a part of a larger one torch would read the state of a generator from elsewhere.
    """
    return found[trainer.global_rank % len(found)].cpu().clone()
