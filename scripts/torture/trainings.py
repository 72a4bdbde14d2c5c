"""Trainings in forks of a process that has imported all they need, killed where a trial says, and how two compare."""

import csv
import io
import math
import multiprocessing.util
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnvision.cli.frame.places import prepare
from rnnvision.cli.train import main
from rnnvision.training import Learner, read_checkpoint
from torture.trial import become, ended

# Four epochs of twelve batches of the digits, the last one of 15 images.
SMALL = (
    *("model=gru", "model.hidden_size=8", "model.num_layers=2", "model.dropout=0.3", "data=digits"),
    *("data.batch_size=117", "trainer.max_epochs=4", "device=cpu", "callbacks=[early_stopping,ema]"),
)
EPOCHS, BATCHES = 4, 12
STEPS = EPOCHS * BATCHES
TIMED = ("seconds",)  # columns of metrics.csv that no two runs share
# And of a checkpoint: where a run lies, and the last score that Lightning looked at, of which it makes no use.
OWN = (*TIMED, "root", "current_score")


def forked(words: Sequence[str], folder: Path, before: Callable[[], None] | None = None) -> int:
    """Begin `rnnvision train` in a folder, as a fork; returns its process. What it prints is added to the file `log`.

    `before` is called within it.
    """
    _import_all()
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process

    def act() -> None:
        os.setpgid(0, 0)
        os.chdir(folder)
        with Path("log").open("ab") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        # Not those that a test has put in their place.
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(number, "w", closefd=False)) for number in (1, 2))
        sys.argv = ["train.py", *words]
        if before is not None:
            before()
        main()

    become(act, at_end=multiprocessing.util._exit_function)  # type: ignore[attr-defined]  # which a fork leaves out


def trained(words: Sequence[str], folder: Path, before: Callable[[], None] | None = None) -> int | None:
    folder.mkdir(parents=True, exist_ok=True)
    return ended(forked(words, folder, before))


def killed_in_step(step: int, by: int = signal.SIGKILL) -> Callable[[], None]:
    """A signal at the beginning of a step of the whole training, counted from 0."""

    def prepare_it() -> None:
        train = Learner.training_step

        def training_step(self: Learner, *arguments: Any) -> Tensor:
            if self.trainer.global_step == step:
                os.killpg(0, by)
            return train(self, *arguments)

        Learner.training_step = training_step  # type: ignore[assignment,method-assign]

    return prepare_it


def killed_in_validation(step: int) -> Callable[[], None]:
    """SIGKILL within the validation after so many steps."""

    def prepare_it() -> None:
        validate = Learner.validation_step

        def validation_step(self: Learner, *arguments: Any) -> None:
            if self.trainer.global_step == step:
                os.killpg(0, signal.SIGKILL)
            validate(self, *arguments)

        Learner.validation_step = validation_step  # type: ignore[assignment,method-assign]

    return prepare_it


def difference(one: Path, other: Path) -> str | None:
    """In what the results of two run folders differ; None where all that is trained is the same to the last bit."""
    for name in ("last", "best"):
        first, second = (read_checkpoint(folder / "checkpoints" / f"{name}.ckpt") for folder in (one, other))
        for entry in sorted({*first, *second}):
            if path := _differs(_comparable(first.get(entry)), _comparable(second.get(entry))):
                return f"{name}.ckpt: {entry}{path}"
    for name in ("metrics.csv", "predictions.csv"):
        mine, theirs = (_rows(folder / name) for folder in (one, other))
        if mine != theirs:
            wrong = next((i for i, rows in enumerate(zip(mine, theirs, strict=False)) if rows[0] != rows[1]), "length")
            return f"{name}: row {wrong}"
    return None


def _comparable(value: Any) -> Any:
    """A value without what depends on the place and the time of a run."""
    if isinstance(value, dict):
        return {_comparable(key): _comparable(item) for key, item in value.items() if key not in OWN}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    if isinstance(value, str) and os.sep in value:
        return Path(value).name
    return value


def _differs(one: Any, other: Any) -> str | None:
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        same = isinstance(one, Tensor) and isinstance(other, Tensor) and one.dtype == other.dtype
        return None if same and torch.equal(one, other) else " "
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if (key in one) != (key in other):
                return f"[{key}] is in one only"
            if (path := _differs(one[key], other[key])) is not None:
                return f"[{key}]{path}"
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return next(
            (f"[{i}]{p}" for i, pair in enumerate(zip(one, other, strict=True)) if (p := _differs(*pair))), None
        )
    both_nan = isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other)
    return None if both_nan or (type(one) is type(other) and one == other) else f": {one!r} and {other!r}"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)]


def _import_all() -> None:
    """Import once what each training needs; no thread is started, which no fork would have."""
    if "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    prepare("rnnvision.cli.train", "rnnvision.training.learner", "rnnvision.data.datamodule", "hydra")
