"""This project as its users train: `rnnvision train`'s own data, Learner and Trainer, from its own configuration.

Validation and checkpoints are left out, since no other contender has them; metrics.csv is kept.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from hydra import compose, initialize_config_dir
from lightning.pytorch.callbacks import Callback

from peers.work import NETWORKS, Turns, Work, arguments
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.setup import Training, make_training
from rnnvision.runs import RunFolder, versions

if TYPE_CHECKING:
    import lightning as L


class Clock(Callback):
    """Wait for a turn before each epoch; the turn ends where the next epoch could begin."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_epoch_start(self, trainer: "L.Trainer", module: "L.LightningModule") -> None:
        if trainer.current_epoch > 0:
            self.turns.done(float(trainer.callback_metrics["train/loss"]))
        if not self.turns.wait():
            sys.exit()


def make(work: Work, folder: Path, *overrides: str) -> Training:
    """What `rnnvision train` would make of this work; `overrides` as on its command line."""
    words = [
        "device=cpu",
        *("model=lstm", f"model.hidden_size={work.hidden_size}", f"model.num_layers={work.num_layers}"),
        *(f"optimizer={work.optimizer}", f"optimizer.lr={work.lr}", f"optimizer.weight_decay={work.weight_decay}"),
        *(f"scheduler={'one_cycle' if work.one_cycle else 'constant'}", "name=peers"),
        *overrides,
    ]
    return training_of(words, folder)


def training_of(words: list[str], folder: Path) -> Training:
    """What `rnnvision train` would make of these words, without validation and checkpoints."""
    words = [
        f"logger.csv.save_dir='{folder}'",
        *("callbacks.best=null", "callbacks.last=null", "trainer.limit_val_batches=0"),
        *words,
    ]
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", words)
    folder.mkdir(parents=True, exist_ok=True)
    return make_training(cfg, RunFolder(folder, folder, "train"))


def main() -> None:
    told, turns = arguments(), Turns()
    torch.set_num_threads(told.threads)
    precision = {"float32": "32-true", "bfloat16": "bf16-mixed"}[told.precision]
    training = make(
        NETWORKS[told.network],
        told.folder,
        "data=mnist",
        f"data.max_train_samples={told.samples}",
        f"trainer.max_epochs={told.epochs}",
        f"trainer.precision={precision}",
    )
    turns.ready(versions=versions(), threads=torch.get_num_threads())
    training.trainer.callbacks.append(Clock(turns))  # type: ignore[attr-defined]  # it is a list of Lightning's
    training.trainer.fit(training.learner, datamodule=training.data)


if __name__ == "__main__":
    main()
