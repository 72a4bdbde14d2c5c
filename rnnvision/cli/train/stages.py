"""The stages of a training: pre-training, then epochs of gradient steps, or one fit to the end."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rnnvision.cli.frame.setup import Training
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import read_epochs, read_json

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
    from rnnvision.cli.train.one_go import OneGoFit
    from rnnvision.cli.train.pretrain import Reconstruction
    from rnnvision.nn import fits_in_one_go

    cfg = training.cfg
    stages: list[Stage] = [Reconstruction(training)] if cfg.get("pretrain") is not None else []
    return [*stages, OneGoFit(training) if fits_in_one_go(cfg.model.name) else Epochs(training)]


class Epochs:
    """Epochs of gradient steps, with a validation after each and checkpoints."""

    line = ""

    def __init__(self, training: Training) -> None:
        self.training = training
        last = training.run.path / "checkpoints" / "last.ckpt"
        self.last = last if training.cfg.resume is not None and last.is_file() else None
        begun = (training.run.path / "pretrain" / "last.ckpt").is_file()
        if training.cfg.resume is not None and self.last is None and not begun:
            raise UsageError(
                f"resume={training.run.shown()}: holds no checkpoints/last.ckpt; "
                f"it stopped before its first epoch ended"
            )

    def run(self) -> dict[str, float]:
        trainer, learner, folder = self.training.trainer, self.training.learner, self.training.run.path
        before = _earlier(folder) if self.last is not None else {}
        seconds = fit(trainer, learner, self.training.data, self.last)
        if not learner.has_trained and self.last is not None:
            print("train     nothing is left to train; what is here is tested again", flush=True)
            return before
        figures = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("train/")}
        figures["train/seconds"] = round(before.get("train/seconds", 0.0) + seconds, 3)
        if learner.samples_seen:
            figures["train/samples_per_second"] = round(learner.samples_seen / seconds, 2)
        return figures


def _earlier(folder: Path) -> dict[str, float]:
    """The figures of a training so far: of its metrics.csv, which an interrupted one has too, and its metrics.json."""
    written = {key: value for key, value in read_json(folder / "metrics.json").items() if key.startswith("train/")}
    rows = read_epochs(folder / "metrics.csv")
    found = {key: float(value) for row in rows for key, value in row.items() if key.startswith("train/") and value}
    seconds = sum(float(row["seconds"]) for row in rows if row.get("seconds"))
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

    from rnnvision.training.memory import ran_out

    started = time.monotonic()
    try:
        trainer.fit(learner, datamodule=data, ckpt_path=None if last is None else str(last))
    except MisconfigurationException as error:
        refused = FailureError if learner.has_trained else UsageError
        raise refused(f"trainer: {' '.join(str(error).split())}") from error
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        raise FailureError(
            f"the memory of the device is too small to train with data.batch_size={data.batch_size}; choose fewer"
        ) from error
    except SystemExit as error:  # Lightning turns Ctrl-C into exit code 1
        raise SystemExit(error.code if error.code not in (0, 1, None) else 130) from error
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # the test that follows runs in one process
    return time.monotonic() - started
