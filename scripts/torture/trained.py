"""Checkpoints of small networks that were trained for two epochs, as bytes."""

import logging
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from rnnvision.data import ImageData
from rnnvision.nn import build
from rnnvision.training import BestCheckpoint, Learner, VerifiedCheckpointIO, make_optimizer, make_scheduler

NETWORKS: dict[str, dict[str, Any]] = {
    "lstm": {"name": "sequence_classifier", "recurrence": "lstm", "hidden_size": 6, "num_layers": 2},
    "mingru": {"name": "sequence_classifier", "recurrence": "mingru", "hidden_size": 5, "bidirectional": True},
    "cnn": {"name": "cnn", "channels": 4, "num_stages": 2},  # it has batch norm, and buffers with it
    "mlp": {"name": "mlp", "hidden_size": 8},
}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "lstm": {"name": "adamw", "weight_decay": 0.05},
    "mingru": {"name": "adam"},
    "cnn": {"name": "sgd", "momentum": 0.9},
    "mlp": {"name": "rmsprop"},
}


def trained(folder: Path, *names: str) -> list[bytes]:
    """last.ckpt and best.ckpt of each network (by default of all of them)."""
    return [path.read_bytes() for name in names or NETWORKS for path in _train(name, folder / name)]


def _train(name: str, folder: Path) -> list[Path]:
    data = ImageData("fake", image_shape=(1, 8, 8), num_classes=4, num_train=40, num_test=4, batch_size=16)
    data.setup("fit")
    arguments = {"input_shape": list(data.input_shape), "num_classes": 4, **NETWORKS[name]}
    torch.manual_seed(0)
    network = build(**arguments)
    learner = Learner(
        network,
        num_classes=4,
        optimizer=partial(make_optimizer, lr=1e-3, **OPTIMIZERS[name]),
        scheduler=partial(make_scheduler, name="cosine", total_steps=6),
        description={
            "network": arguments,
            "class_names": list(data.class_names),
            "normalisation": data.normalisation,
            "data": data.describe(),
        },
    )
    average = [EMAWeightAveraging(decay=0.5)] if name == "mingru" else []
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[Callback] = [BestCheckpoint(folder), last, EarlyStopping("val/loss"), *average]
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = L.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=2,
            logger=False,
            callbacks=callbacks,
            plugins=[VerifiedCheckpointIO()],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(learner, datamodule=data)
    return [folder / "last.ckpt", folder / "best.ckpt"]
