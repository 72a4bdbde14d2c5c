"""The stages of a training: others' weights, pre-training, then epochs of gradient steps, or one fit to the end."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rnnvision.checks import counted
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.setup import Training
from rnnvision.cli.frame.trainer.attributes import is_trial
from rnnvision.cli.frame.trainer.environment import OF_PROCESSES, environment_kept, interruption_told
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import is_first_process, read_epochs, read_json

if TYPE_CHECKING:
    import lightning as L

    from rnnvision.data import ImageData
    from rnnvision.training import Learner


class Stage(Protocol):
    """A part of a run. What it cannot do of what the configuration says, its constructor refuses."""

    line: str  # what the first lines of a run say of it; "" for nothing

    def run(self) -> dict[str, float]:
        """Do it, or go on with it where the run folder says that it has begun; returns its figures by name."""


def stages_of(training: Training) -> list[Stage]:
    """The stages that a configuration asks for, in their order; all is checked, nothing is done yet.

    Raises:
        UsageError: for what one of them cannot do.
    """
    from rnnvision.cli.train.fine_tune import FineTuning
    from rnnvision.cli.train.one_go import OneGoFit
    from rnnvision.cli.train.pretrain import Reconstruction
    from rnnvision.nn import fits_in_one_go

    cfg = training.cfg
    stages: list[Stage] = [FineTuning(training)] if cfg.get("weights") is not None else []
    stages += [Reconstruction(training)] if cfg.get("pretrain") is not None else []
    return [*stages, OneGoFit(training) if fits_in_one_go(cfg.model.name) else Epochs(training)]


class Epochs:
    """Epochs of gradient steps, with a validation after each and checkpoints."""

    def __init__(self, training: Training) -> None:
        from rnnvision.cli.train.resume.progress import resume_line

        self.training = training
        folder = training.run.path
        last = folder / "checkpoints" / "last.ckpt"
        self.last = last if training.cfg.resume is not None and last.is_file() else None
        begun = (folder / "pretrain" / "last.ckpt").is_file()
        if training.cfg.resume is not None and self.last is None and not begun:
            why = _why_none(folder, plain(training.cfg.callbacks))
            raise UsageError(f"resume={training.run.shown()}: holds no checkpoints/last.ckpt; {why}")
        lines = (
            *(() if self.last is None else (resume_line(self.last), _table_line(training, self.last))),
            self._validation_line(),
        )
        self.line = "\n".join(line for line in lines if line)

    def _batches(self) -> int:
        """Of an epoch, in each process."""
        trainer = self.training.trainer
        return self.training.data.num_train_batches(trainer.world_size, trainer.limit_train_batches)

    def _validation_line(self) -> str:
        """Of a limit that ends the training before its first validation, at the end of an epoch."""
        trainer = self.training.trainer
        every, epochs, steps = trainer.check_val_every_n_epoch, trainer.max_epochs, trainer.max_steps
        if every is None or trainer.limit_val_batches == 0 or is_trial(trainer):
            return ""
        if epochs is not None and 0 < epochs < every:
            return f"note      no validation: trainer.check_val_every_n_epoch={every}, of trainer.max_epochs={epochs}"
        first = every * math.ceil(self._batches() / trainer.accumulate_grad_batches)
        if trainer.val_check_interval != 1.0 or not 0 < steps < first:
            return ""
        return f"note      no validation: it would come after {first} steps, and trainer.max_steps={steps} ends before"

    def run(self) -> dict[str, float]:
        trainer, learner, folder = self.training.trainer, self.training.learner, self.training.run.path
        before = _earlier(folder, self.last) if self.last is not None else {}
        seconds = fit(trainer, learner, self.training.data, self.last)
        stopped = "; ".join(_early_stops(trainer, folder))
        if not learner.has_trained and self.last is not None:
            _require_best(self.training)
            print(f"train     {_nothing_left(self.training, stopped)}", flush=True)
            return before
        if stopped and is_first_process() and not _limit_is_reached(trainer):
            print(f"stopped   early: {stopped}", flush=True)
        figures = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("train/")}
        figures["train/seconds"] = round(before.get("train/seconds", 0.0) + seconds, 3)
        if learner.samples_seen:
            figures["train/samples_per_second"] = round(learner.samples_seen / seconds, 2)
        return figures


def _require_best(training: Training) -> None:
    """Refuse to score what is trained already by other weights than its best.

    Raises:
        UsageError: with what else can be done.
    """
    from rnnvision.training import best_is_lost

    if best_is_lost(training.run.path / "checkpoints"):
        last = Path(training.run.shown()) / "checkpoints" / "last.ckpt"
        raise UsageError(
            f"{training.run.shown()}: nothing is left to train, and checkpoints/best.ckpt is damaged or gone; what was "
            f"scored stays in metrics.json; measure the last weights: "
            f"{command([override('ckpt', last)], 'rnnvision evaluate')}"
        )


def _table_line(training: Training, last: Path) -> str:
    """Of a run whose metrics.csv is gone: a checkpoint has the rows of one epoch, its newest."""
    from rnnvision.cli.train.resume.progress import read_progress
    from rnnvision.training import RunLog

    missing = any(isinstance(log, RunLog) and not log.path.exists() for log in training.trainer.loggers)
    first = read_progress(last).first_row
    if not missing or not first:
        return ""
    which = "epoch 1 is" if first == 1 else f"epochs 1 to {first} are"
    return f"resume    metrics.csv is missing: {which} not in it any more"


def _why_none(folder: Path, callbacks: Mapping[str, Any] | None) -> str:
    """Why a run has no checkpoint to go on with; what it scored is written at the end of its training."""
    if (folder / "metrics.json").is_file():
        return "its training has ended, and none was saved (callbacks.last=null, callbacks=none), or it is gone"
    if saved := sorted(path.name for path in (folder / "checkpoints").glob("*.ckpt*")):
        return f"{', '.join(saved)}: damaged, or without the state of an optimiser; begin a run of its own"
    if not any(str((node or {}).get("_target_")).endswith("Checkpoint") for node in (callbacks or {}).values()):
        return "it saves none (callbacks=none); begin a run of its own in another folder"
    if epochs := len(read_epochs(folder / "metrics.csv")):
        ended = f"{counted(epochs, 'epoch')} of it ended, so what was saved is gone"
        return f"{ended}; begin a run of its own in another folder, or remove this one"
    return "it stopped before anything was saved; begin a run of its own"


def _early_stops(trainer: "L.Trainer", folder: Path) -> list[str]:
    """What each of the callbacks that stop early has against another epoch."""
    from rnnvision.cli.train.resume.progress import early_stop

    if is_trial(trainer):
        return []
    found = (early_stop(callback, folder) for callback in trainer.early_stopping_callbacks)
    return [reason for reason in found if reason is not None]


def _limit_is_reached(trainer: "L.Trainer") -> bool:
    epochs = trainer.max_epochs not in (None, -1) and trainer.current_epoch >= trainer.max_epochs
    return epochs or 0 < trainer.max_steps <= trainer.global_step


def _nothing_left(training: Training, stopped: str) -> str:
    if not stopped or _limit_is_reached(training.trainer):
        return "nothing is left to train; what is here is tested again"
    callbacks = plain(training.cfg.callbacks) or {}
    stopping = [name for name, node in callbacks.items() if str((node or {}).get("_target_")).endswith("EarlyStopping")]
    stopping = stopping or ["NAME"]  # of a class of one's own
    words = " ".join(f"+callbacks.{name}=null" for name in stopping)  # a resume is composed without them
    return (
        f"nothing is left to train: it stopped early: {stopped}; what is here is tested again\n"
        f"          to go on anyway: {words}, or a larger +callbacks.{stopping[0]}.patience"
    )


def _earlier(folder: Path, last: Path) -> dict[str, float]:
    """The figures of a training so far: of its metrics.csv, which an interrupted one has too, and its metrics.json."""
    from rnnvision.cli.train.resume.progress import read_progress

    written = {key: value for key, value in read_json(folder / "metrics.json").items() if key.startswith("train/")}
    progress = read_progress(last)
    rows = [row for row in read_epochs(folder / "metrics.csv") if int(row["epoch"]) < progress.first_row]
    rows += [{key: str(value) for key, value in row.items()} for row in progress.cut or progress.rows]
    found = {key: float(value) for row in rows for key, value in row.items() if key.startswith("train/") and value}
    begun = 0.0 if progress.cut else progress.seconds
    seconds = begun + sum(float(row["seconds"]) for row in rows if row.get("seconds"))
    return {**written, **found, "train/seconds": round(max(seconds, written.get("train/seconds", 0.0)), 3)}


def fit(trainer: "L.Trainer", learner: "Learner", data: "ImageData", last: Path | None) -> float:
    """Train, from the checkpoint `last` where there is one; returns the seconds it took.

    An interruption becomes the exit code of its signal.

    Raises:
        UsageError: for what Lightning refuses before the first step.
        FailureError: for what it refuses later, and where memory runs out.
    """
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from rnnvision.cli.frame.trainer.processes import lost
    from rnnvision.cli.train.failure import FAILURE, told_whole, too_little_memory
    from rnnvision.cli.train.resume.progress import go_on
    from rnnvision.training.failures import NotFiniteError, ran_out
    from rnnvision.training.reading.restoring import blame_checkpoint

    (Path(trainer.default_root_dir) / FAILURE).unlink(missing_ok=True)
    if last is not None:
        go_on(trainer, last)
        blame_checkpoint(trainer, last)
    started = time.monotonic()
    try:
        with environment_kept(*OF_PROCESSES), interruption_told():
            trainer.fit(learner, datamodule=data, ckpt_path=None if last is None else str(last))
    except MisconfigurationException as error:
        refused = FailureError if learner.has_trained else UsageError
        raise refused(f"trainer: {' '.join(str(error).split())}") from error
    except NotFiniteError as error:
        raise told_whole(error, trainer, data) from error
    except (MemoryError, RuntimeError, OSError) as error:
        if ran_out(error):
            raise too_little_memory(trainer, learner, data) from error
        if (reason := lost(trainer, error)) is None:
            raise
        raise FailureError(reason) from error
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # the test that follows runs in one process
    return time.monotonic() - started
