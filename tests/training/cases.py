"""Tiny trainings: made-up images of 4 x 4 pixels, a network of a few hundred weights, epochs of a few steps."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn

from rnnvision.data import ImageData
from rnnvision.nn import build
from rnnvision.nn.parts import freeze_parts
from rnnvision.training import Learner, VerifiedCheckpointIO, count_steps, make_optimizer, make_scheduler
from rnnvision.training.checkpoint import FORMAT
from tests.nn.cases import parameters_of, tiny

NETWORK: dict[str, Any] = {"name": "sequence_classifier", "hidden_size": 6, "num_layers": 2, "dropout": 0.3}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"name": "adam", "lr": 3e-3},
    "adamw": {"name": "adamw", "lr": 3e-3, "weight_decay": 0.05, "betas": [0.9, 0.99]},
    "sgd": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True},
    "rmsprop": {"name": "rmsprop", "lr": 1e-3, "momentum": 0.5},
}


def make_data(num_classes: int = 4, **arguments: Any) -> ImageData:
    sizes = {"image_shape": (1, 4, 4), "num_classes": num_classes, "num_train": 60, "num_test": 70, "noise": 1.0}
    return ImageData("fake", **{**sizes, "batch_size": 16, "eval_batch_size": 32, "val_fraction": 0.3, **arguments})


def make_network(data: ImageData, **arguments: Any) -> tuple[nn.Module, dict[str, Any]]:
    """The network, and the arguments that it was made from."""
    shape = {"input_shape": list(data.input_shape), "num_classes": len(data.class_names)}
    name = arguments.get("name", NETWORK["name"])
    own = {key: value for key, value in NETWORK.items() if key in parameters_of(name)}
    made_from = {"name": name, **tiny(name), **own, **shape, **arguments}
    torch.manual_seed(0)
    return build(**made_from), made_from


def make_learner(
    data: ImageData,
    *,
    network: dict[str, Any] | None = None,
    optimizer: str = "adamw",
    scheduler: dict[str, Any] | None = None,
    total_epochs: int = 4,
    freeze: Sequence[str] = (),
    **arguments: Any,
) -> Learner:
    module, made_from = make_network(data, **(network or {}))
    freeze_parts(module, freeze=freeze)
    steps = count_steps(data.num_train_batches(), max_epochs=total_epochs)
    schedule = partial(make_scheduler, total_steps=steps, **scheduler) if scheduler else None
    description = {
        "format": FORMAT,
        "network": made_from,
        "class_names": list(data.class_names),
        "normalisation": data.normalisation,
        "data": data.describe(),
        "versions": {"python": "3"},
    }
    optimizer_of = partial(make_optimizer, **OPTIMIZERS[optimizer])
    return Learner(
        module,
        **{
            "num_classes": len(data.class_names),
            "optimizer": optimizer_of,
            "scheduler": schedule,
            "description": description,
            **arguments,
        },
    )


def make_trainer(folder: Path, **arguments: Any) -> L.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    return L.Trainer(
        accelerator="cpu",
        devices=1,
        default_root_dir=folder,
        plugins=[VerifiedCheckpointIO()],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        **{**quiet, "max_epochs": 1, "enable_checkpointing": bool(arguments.get("callbacks")), **arguments},
    )


def best(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder / "checkpoints",
        "best",
        "val/accuracy",
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )


def last(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(folder / "checkpoints", "last", save_on_train_epoch_end=True, enable_version_counter=False)


def checkpoint_of(folder: Path, name: str = "last") -> Path:
    return folder / "checkpoints" / f"{name}.ckpt"


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, tensors and all."""
    if isinstance(one, Tensor):
        return isinstance(other, Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def train(folder: Path, *callbacks: Callback, **arguments: Any) -> Learner:
    """Two epochs, the best and the last checkpoint kept."""
    data = make_data()
    learner = make_learner(data, **arguments)
    trainer = make_trainer(folder, max_epochs=2, callbacks=[best(folder), last(folder), *callbacks])
    trainer.fit(learner, datamodule=data)
    return learner


# What `read_checkpoint` accepts with the fewest entries.
SMALLEST: dict[str, Any] = {"rnnvision": {"format": FORMAT}, "state_dict": {"network.weight": torch.arange(6.0)}}


def save(path: Path, **entries: Any) -> Path:
    VerifiedCheckpointIO().save_checkpoint({**SMALLEST, **entries}, path)
    return path


def sampled(every: list[Any], chosen: list[Any]) -> list[Any]:
    """Parameters of a test: those that were chosen, and all others where slow tests run."""
    return [case if case in chosen else pytest.param(case, marks=pytest.mark.slow) for case in every]
