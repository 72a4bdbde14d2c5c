"""The time that a step of a training takes here: python -m rnnvision.cli.compare.trial CONFIG.yaml SECONDS RESULT.json

`compare` runs it for a budget in minutes, before a network's first run. It trains as `train` would, keeps nothing, and
stops after SECONDS of steps and one validation.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning as L
from omegaconf import DictConfig, OmegaConf

from rnnvision.atomic import whole
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_INTERRUPT, EXIT_USAGE
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.cli.frame.setup import make_training
from rnnvision.cli.frame.strangers.reading import read_pairs
from rnnvision.cli.frame.trainer.attributes import callbacks_of
from rnnvision.errors import FailureError, UsageError
from rnnvision.insight import wait_for
from rnnvision.masking import shows_no_secret
from rnnvision.runs import RunFolder, is_first_process

WARMUP = 2  # steps that are not counted
FOREVER = 1000  # epochs; the clock ends it before


class Stopwatch(L.Callback):
    """Count steps and their time after `WARMUP` of them, validations apart, and stop after `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.steps = 0
        self.step_seconds = 0.0  # of all counted steps
        self.validation_seconds = 0.0  # of the last validation
        self._since: float | None = None

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any, **kwargs: Any) -> None:
        self.steps += 1
        if self.steps == WARMUP:
            self._resume(trainer)
        elif self._since is not None and self.step_seconds + time.perf_counter() - self._since >= self.seconds:
            self._pause(trainer)
            trainer.should_stop = True

    def on_validation_start(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        self._pause(trainer)
        self._began = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, learner: L.LightningModule) -> None:
        wait_for(trainer.strategy.root_device)
        self.validation_seconds = time.perf_counter() - self._began
        if self.steps >= WARMUP:
            self._resume(trainer)

    def _pause(self, trainer: L.Trainer) -> None:
        if self._since is not None:
            wait_for(trainer.strategy.root_device)
            self.step_seconds += time.perf_counter() - self._since
            self._since = None

    def _resume(self, trainer: L.Trainer) -> None:
        wait_for(trainer.strategy.root_device)
        self._since = time.perf_counter()


def time_steps(cfg: DictConfig, seconds: float) -> dict[str, Any]:
    """Train with the configuration of a run for `seconds`: seconds a step and a validation, and steps an epoch."""
    cfg = cfg.copy()
    OmegaConf.set_struct(cfg, False)
    cfg.callbacks, cfg.logger = None, None
    cfg.trainer.update({"max_epochs": FOREVER, "max_steps": -1})
    load_plugins_of(cfg)
    with tempfile.TemporaryDirectory() as folder:
        training = make_training(cfg, RunFolder(folder, folder, "trial"))
        data, trainer = training.data, training.trainer
        watch = Stopwatch(seconds)
        callbacks_of(trainer).append(watch)
        trainer.fit(training.learner, datamodule=data)
    counted = watch.steps - WARMUP
    return {
        "steps": counted,
        "seconds": watch.step_seconds,
        "step_seconds": watch.step_seconds / max(1, counted),
        "validation_seconds": watch.validation_seconds,
        "epoch_steps": data.num_train_batches(trainer.world_size, trainer.limit_train_batches),
        "validate_every": trainer.check_val_every_n_epoch or 1,
    }


@shows_no_secret()
def main() -> None:
    config, seconds, result = sys.argv[1:]
    try:
        cfg = read_pairs(Path(config))
        found = time_steps(cfg, float(seconds))
    except (UsageError, FailureError) as error:
        print(f"rnnvision trial: {error}", file=sys.stderr)
        sys.exit(EXIT_USAGE if isinstance(error, UsageError) else EXIT_FAILURE)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPT)
    if is_first_process():
        with whole(Path(result)) as file:
            file.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
