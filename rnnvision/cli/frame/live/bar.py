"""The progress of a training or a test on a terminal: a live line in place of Lightning's bar.

    Epoch  3/20  ━━━━━━━━━──────────  210/421  loss 0.1234  accuracy 0.9650  24,310 images/s  0:08 left  run 2:31 left

Nothing is read from the device but when the line is drawn, ten times a second at most.
"""

import math
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar, Timer

from rnnvision.cli.frame.live.line import SECONDS_BETWEEN, LiveLine, live_line
from rnnvision.cli.frame.live.words import Part, Rate, duration, left, line_of, of_total, rate_words
from rnnvision.cli.frame.trainer.attributes import callbacks_of

if TYPE_CHECKING:
    from rich.console import Console

SHORT = 0.5  # seconds: what began so long ago or longer is followed by a drawing at once


class LiveBar(ProgressBar):
    """Show the epoch that runs, a validation or a test; on the first process alone.

    Args:
        console: where; by default what this process prints to, as a terminal.
    """

    # Lightning calls six hooks of a callback each step; None it leaves out, which its types do not say.
    on_train_batch_start = on_before_zero_grad = on_before_backward = None  # type: ignore[assignment]
    on_after_backward = on_before_optimizer_step = None  # type: ignore[assignment]

    def __init__(self, console: "Console | None" = None) -> None:
        super().__init__()
        self._console = console
        self._enabled = True
        self._stack: ExitStack | None = None  # holds the line that is open
        self._line: LiveLine | None = None
        self._next = 0.0  # nothing is drawn before
        self._began = 0.0  # of the epoch, validation or test that runs
        self._rate = Rate()
        self._done, self._images = 0, 0
        self._run_began, self._run_done = 0.0, 0  # of the training, and its batches since

    def disable(self) -> None:
        self._enabled = False
        self._close()

    def enable(self) -> None:
        self._enabled = True

    # Called by Lightning.

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._run_began, self._run_done = time.monotonic(), 0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begin()
        self._draw_epoch(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._done = batch_idx + 1
        self._run_done += 1
        if time.monotonic() >= self._next:
            self._draw_epoch(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begin()
        self._draw_evaluation(self._validation_label(trainer, pl_module), self._total_of(trainer, "val"))

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if self._counts(batch, batch_idx):
            self._draw_evaluation(self._validation_label(trainer, pl_module), self._total_of(trainer, "val"))

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begin()  # an epoch may go on after it

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._begin()
        self._draw_evaluation(_test_label(trainer), self._total_of(trainer, "test"))

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if self._counts(batch, batch_idx):
            self._draw_evaluation(_test_label(trainer), self._total_of(trainer, "test"))

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        self._close()

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        self._close()

    # What is counted.

    def _begin(self) -> None:
        now = time.monotonic()
        if now - self._began > SHORT:
            self._next = 0.0
        self._began, self._rate, self._done, self._images = now, Rate(), 0, 0

    def _counts(self, batch: Any, batch_idx: int) -> bool:
        """Count a batch of validation or test; whether it is time to draw."""
        self._done = batch_idx + 1
        self._images += len(batch[0])
        return time.monotonic() >= self._next

    def _total_of(self, trainer: L.Trainer, stage: str) -> int | None:
        name = "num_sanity_val_batches" if trainer.sanity_checking else f"num_{stage}_batches"
        found: Any = getattr(trainer, name)
        return _finite(sum(found) if isinstance(found, list) else found)

    def _validation_label(self, trainer: L.Trainer, pl_module: Any) -> str:
        if trainer.sanity_checking:
            return "Check of validation"
        return "Validation" if trainer.state.fn == "validate" else f"{_epoch_label(trainer, pl_module)} validation"

    # What is drawn.

    def _draw_epoch(self, trainer: L.Trainer, pl_module: Any) -> None:
        if not self._enabled or time.monotonic() < self._next:
            return
        loss, accuracy = pl_module.sums.means() if self._done else (math.nan, math.nan)  # before, of the last epoch
        accuracy = accuracy if pl_module.classifies else math.nan
        rate = self._rate.at(self._done)
        total = _finite(trainer.num_training_batches)
        of_run = _batches_left(trainer, total, self._done)
        if of_run is not None and (total is None or self._done + of_run < total):
            total = self._done + of_run  # a limit of steps ends the run within this epoch
        of_epoch = None if total is None else total - self._done
        steps = f"step {trainer.global_step:,}/{trainer.max_steps:,}" if trainer.max_steps > 0 else ""
        per_batch = pl_module.sums.count * trainer.world_size / self._done if self._done else math.nan
        parts = [
            Part(of_total(self._done, total), 5),
            Part(steps, 6),
            Part(f"loss {loss:.4f}" if self._done else "", 1),
            Part("" if math.isnan(accuracy) else f"accuracy {accuracy:.4f}", 3),
            Part(rate_words(None if rate is None else rate * per_batch, " images"), 7),
            Part(_left_words(None if of_epoch is None else left(of_epoch, rate)), 2),
            Part(self._run_words(trainer, of_epoch, of_run), 4),
        ]
        self._draw(_epoch_label(trainer, pl_module), None if not total else self._done / total, parts)

    def _run_words(self, trainer: L.Trainer, of_epoch: int | None, of_run: int | None) -> str:
        """Time left of the run, where it does not end with this epoch."""
        limits = [timer.time_remaining() for timer in callbacks_of(trainer) if isinstance(timer, Timer)]
        seconds = [limit for limit in limits if limit is not None]
        if of_run is not None and of_run != of_epoch and self._run_done:
            seconds.append(of_run * (time.monotonic() - self._run_began) / self._run_done)  # validations among it
        return f"run {duration(min(seconds))} left" if seconds else ""

    def _draw_evaluation(self, label: str, total: int | None) -> None:
        if not self._enabled or time.monotonic() < self._next:
            return
        rate = self._rate.at(self._done)
        per_batch = self._images / self._done if self._done else math.nan
        parts = [
            Part(of_total(self._done, total), 2),
            Part(rate_words(None if rate is None else rate * per_batch, " images"), 4),
            Part(_left_words(None if total is None else left(total - self._done, rate)), 1),
        ]
        self._draw(label, None if not total else self._done / total, parts)

    def _draw(self, label: str, share: float | None, parts: list[Part]) -> None:
        if self._line is None:
            self._console = self._console or _console()
            self._stack = ExitStack()
            self._line = self._stack.enter_context(live_line(self._console))
        self._line.draw(line_of(self._line.console, label, share, parts))
        self._next = time.monotonic() + SECONDS_BETWEEN

    def _close(self) -> None:
        if self._stack is not None:
            self._stack.close()
        self._stack = self._line = None


def _console() -> "Console":
    from rich.console import Console

    return Console(file=sys.__stdout__, highlight=False)  # not sys.stdout, which also writes to the log of the run


def _epoch_label(trainer: L.Trainer, pl_module: Any) -> str:
    word = "Epoch" if pl_module.classifies else "Pretraining"
    last = trainer.max_epochs
    if last in (None, -1):
        return f"{word} {trainer.current_epoch + 1}"
    return f"{word} {trainer.current_epoch + 1:{len(str(last))}}/{last}"


def _test_label(trainer: L.Trainer) -> str:
    split = getattr(getattr(trainer, "datamodule", None), "tested_split", "test")
    return "Test" if split == "test" else f"Test on {split}"


def _batches_left(trainer: L.Trainer, total: int | None, done: int) -> int | None:
    """Batches until the limit of epochs or of steps, if there is one."""
    found = []
    if trainer.max_epochs not in (None, -1) and total is not None:
        found.append((trainer.max_epochs - trainer.current_epoch) * total - done)
    if trainer.max_steps > 0:
        found.append((trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches)
    return max(0, min(found)) if found else None


def _finite(count: int | float) -> int | None:
    return int(count) if math.isfinite(count) else None


def _left_words(seconds: float | None) -> str:
    return "" if seconds is None else f"{duration(seconds)} left"
