"""Training as `rnnvision train` builds it, on the GPU, and timed epoch by epoch."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import Callback
from peers.project import training_of

from gpu.measuring import LeftOutError, Told
from rnnvision.cli.frame.setup import Training
from rnnvision.errors import UsageError
from rnnvision.insight import wait_for

if TYPE_CHECKING:
    import lightning as L

# What makes a network so small that a step on a CPU takes no time.
TINY = {
    "sequence_classifier": ["model.hidden_size=8", "model.num_layers=1"],
    "vision_lstm": ["model.hidden_size=16", "model.num_layers=2"],
    "sequencer2d": [
        *("model.layers=[1,1]", "model.embed_dims=[8,8]", "model.hidden_sizes=[4,4]"),
        *("model.patch_sizes=[2,1]", "model.mlp_ratios=[2,2]"),
    ],
}
PRECISIONS = {"fp32": "32-true", "fp16": "16-mixed", "bf16": "bf16-mixed"}


class _EnoughError(Exception):
    """As many epochs were timed as were to be."""


class Clock(Callback):
    """Seconds from the start of each epoch to where the next one can begin, with the GPU's work finished."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.starts: list[float] = []

    def on_train_epoch_start(self, trainer: "L.Trainer", module: "L.LightningModule") -> None:
        wait_for(trainer.strategy.root_device)
        self.starts.append(time.perf_counter())
        if len(self.starts) > self.epochs:
            raise _EnoughError

    @property
    def seconds(self) -> list[float]:
        return [after - before for before, after in zip(self.starts, self.starts[1:], strict=False)]


def make(words: list[str], told: Told, case: str, *, samples: int, epochs: int, precision: str) -> Training:
    """A training on `samples` images, an epoch, of what `words` choose; images are synthetic, which is no faster.

    The trainer ends after `epochs` and one more: see `time_epochs`.

    Raises:
        LeftOutError: for a precision that the device does not have.
    """
    words = [
        *words,
        "data=fake",
        f"device={'gpu' if told.device_type == 'cuda' else 'cpu'}",
        *(f"data.num_train={samples * 10 // 9 + 10}", "data.num_test=4", f"data.max_train_samples={samples}"),
        *(f"trainer.precision={PRECISIONS[precision]}", f"trainer.max_epochs={epochs + 1}", "name=gpu"),
    ]
    folder = Path(told.folder / "".join(c if c.isalnum() else "_" for c in case))
    try:
        return training_of(words, folder)
    except UsageError as error:
        if "precision" in str(error):
            raise LeftOutError(str(error)) from error
        raise


def time_epochs(training: Training, epochs: int) -> list[float]:
    """Seconds of each of that many epochs; one more is begun, so that each ends as a next one begins."""
    clock = Clock(epochs)
    trainer: Any = training.trainer
    trainer.callbacks.append(clock)
    try:
        trainer.fit(training.learner, datamodule=training.data)
    except _EnoughError:
        return clock.seconds
    raise AssertionError("the training ended before the epochs were timed")
