"""What it costs a training step to look whether its loss and gradients are finite: python scripts/bench_guard.py

CPU time on one thread, of steps with Lightning's Trainer; what the guard takes is measured within them, so that
whatever else runs on the machine changes both alike. One row a network: ms a step, microseconds of the guard, share.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from rnnvision.data import ImageData
from rnnvision.nn import build
from rnnvision.training import Learner, make_optimizer
from rnnvision.training.guard import Guard

NETWORKS: dict[str, dict[str, Any]] = {
    "LSTM 8, 4 x 4 images": {"hidden_size": 8, "image": (1, 4, 4), "batch_size": 16},
    "LSTM 64": {"hidden_size": 64},
    "LSTM 128": {"hidden_size": 128},
    "LSTM 256": {"hidden_size": 256},
    "2 x LSTM 256": {"hidden_size": 256, "num_layers": 2},
}
WARM_UP = 5


class Timed(Guard):
    """A guard that adds up its own time: of every second step, and of the others that of the clock, to be taken off."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()

    def begin(self) -> None:
        self._looks, self._took = True, {True: 0.0, False: 0.0}

    def took(self, steps: int) -> float:
        """Seconds a step, of as many as were taken since `begin`."""
        return (self._took[True] - self._took[False]) / (steps / 2)

    def add(self, *arguments: Any) -> None:
        self._time(super().add, *arguments)

    def look(self, *arguments: Any, **options: Any) -> None:
        self._time(super().look, *arguments, **options)
        self._looks = not self._looks

    def _time(self, work: Callable[..., None], *arguments: Any, **options: Any) -> None:
        began = time.process_time()
        if self._looks:
            work(*arguments, **options)
        self._took[self._looks] += time.process_time() - began


class Clock(Callback):
    """CPU time of the steps after the first ones, and the guard's."""

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == WARM_UP:
            pl_module._guard.begin()
            self.began = time.process_time()
        self.ended = time.process_time()


def measured(steps: int, *, image: tuple[int, int, int] = (1, 28, 28), batch_size: int = 128, **network: Any) -> str:
    """A row: how long a step of this network takes, and the guard's part of it."""
    data = ImageData("fake", image_shape=image, num_train=steps * batch_size * 2, num_test=8, batch_size=batch_size)
    module = build("sequence_classifier", input_shape=list(image), num_classes=10, **network)
    learner = Learner(module, num_classes=10, optimizer=lambda n: make_optimizer(n, "adamw", lr=1e-3))
    learner._guard = guard = Timed()
    clock = Clock()
    trainer = L.Trainer(
        max_steps=steps + WARM_UP,
        limit_val_batches=0,
        accelerator="cpu",
        callbacks=[clock],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(learner, datamodule=data)
    took = (clock.ended - clock.began) / steps
    guards = guard.took(steps)
    return f"{1e3 * took:8.2f} ms  {1e6 * guards:8.1f} us  {guards / took:8.3%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    told = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for name, network in NETWORKS.items():
        print(f"{name:22} {measured(told.steps, **network)}", flush=True)


if __name__ == "__main__":
    main()
