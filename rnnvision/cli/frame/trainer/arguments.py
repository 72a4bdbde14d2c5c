"""The arguments of Lightning's Trainer: what each may be here, checked before anything is read.

All of them are keys of `trainer`; those in `REFUSED` would contradict what this project does itself.
"""

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rnnvision.checks import MOST, at_least, choose_one, number
from rnnvision.cli.frame.arguments import annotations_of, arguments_of, check_types
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError
from rnnvision.signature import parameters

if TYPE_CHECKING:
    from rnnvision.data import ImageData

REFUSED = {  # argument -> what does it here
    "logger": "the loggers are a group of their own; choose logger=csv, tensorboard, mlflow or wandb",
    "callbacks": "the callbacks are a group of their own; choose callbacks=early_stopping, or +callbacks.NAME={...}",
    "plugins": "how checkpoints are written is fixed; modules of your own are plugins=[MODULE]",
    "default_root_dir": "everything lies in the run folder; choose log_dir=FOLDER or hydra.run.dir=FOLDER",
    "enable_checkpointing": "follows from the callbacks; choose callbacks.best=null and callbacks.last=null for none",
    "enable_model_summary": "the first line of a run describes the network; rnnvision benchmark says more",
    "use_distributed_sampler": "the loaders distribute the images to the processes themselves",
    "reload_dataloaders_every_n_epochs": "the order and the augmentation of each epoch are new without it",
    "overfit_batches": "the batches would be others in each epoch; choose debug=overfit, or data.max_train_samples=64",
    "limit_predict_batches": "no verb predicts with a Trainer; see rnnvision.inference",
    "barebones": "leaves out checkpoints and logs, which a run is made of; rnnvision benchmark measures the speed",
    "model_registry": "checkpoints stay in the run folder",
}
CHOICES: dict[str, tuple[object, ...]] = {
    "accelerator": ("auto", "cpu", "gpu", "cuda", "mps"),
    "strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false"),
    "precision": ("auto", "32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true"),
    "gradient_clip_algorithm": ("norm", "value"),
    "profiler": ("simple", "advanced", "pytorch"),
}
ALIASES = {"16": "16-mixed", "32": "32-true", "64": "64-true", "bf16": "bf16-mixed"}  # of precisions, Lightning's
LEAST: dict[str, int] = {"accumulate_grad_batches": 1, "check_val_every_n_epoch": 1, "min_epochs": 0, "min_steps": 0}
LEAST |= {"num_sanity_val_steps": -1, "log_every_n_steps": 0, "max_epochs": -1, "max_steps": -1, "fast_dev_run": 0}
LEAST |= {"num_nodes": 1}
LIMITS = {"limit_train_batches": "train", "limit_val_batches": "validate", "limit_test_batches": "test"}


def trainer_key(key: str) -> str | None:
    """What to say of an argument of Lightning's that is not in conf/trainer; None for one that there is not."""
    from lightning import Trainer

    if key in REFUSED:
        return REFUSED[key]
    return f"is not in this trainer's file; write it as +trainer.{key}=VALUE" if key in parameters(Trainer) else None


def check_trainer(arguments: Mapping[str, Any]) -> None:
    """Check the arguments of a Trainer that the configuration gives.

    Raises:
        UsageError: for one that is unknown, refused or has a value that cannot be; it says what is legal.
    """
    from lightning import Trainer

    defaults = {name: parameter.default for name, parameter in parameters(Trainer).items()}
    check_trainer_values(arguments, defaults, annotations_of(Trainer))


def check_trainer_values(
    arguments: Mapping[str, Any], defaults: Mapping[str, Any], annotations: Mapping[str, Any]
) -> None:
    """Check the arguments of a Trainer whose own have these defaults and types; raises as `check_trainer` does."""
    given = {key: value for key, value in arguments.items() if value is not None}
    for key in arguments:
        if key not in defaults:
            takes = [name for name in defaults if name not in REFUSED]
            raise UsageError(f"trainer.{key}: there is no such key; {choose_one(key, takes, 'trainer.')}")
    for key in REFUSED:
        if key not in given or given[key] == defaults[key]:
            continue
        raise UsageError(f"trainer.{key}={yaml_text(given[key])}: {REFUSED[key]}")
    for key, legal in CHOICES.items():
        value = given.get(key)
        if key in given and value not in legal and not (key == "precision" and str(value) in ALIASES):
            choice = choose_one(value, map(str, legal), f"trainer.{key}=")
            raise UsageError(f"trainer.{key}={yaml_text(value)}: {choice}")
    check_types("trainer", {k: v for k, v in arguments.items() if k not in CHOICES}, annotations)
    with arguments_of("trainer"):
        for key, least in LEAST.items():
            if key in given and not isinstance(given[key], bool):
                at_least(key, given[key], least)
        if "gradient_clip_val" in given:
            number("gradient_clip_val", given["gradient_clip_val"])
    devices = given.get("devices", 1)
    if isinstance(devices, str) and not re.fullmatch(r"auto|-1|\d+(,\s*\d+)*,?", devices):
        raise UsageError(f"trainer.devices={devices}: must be a number, a list, such as [0,1], or auto")
    for key in ("max_epochs", "max_steps"):
        if given.get(key) == 0:
            raise UsageError(f"trainer.{key}=0: leaves nothing to train; choose at least 1")
    for key, fewest in (("max_epochs", "min_epochs"), ("max_steps", "min_steps")):
        if 0 < given.get(key, -1) < given.get(fewest, 0):
            raise UsageError(f"trainer.{fewest}={given[fewest]}: is more than trainer.{key}={given[key]}")
    for key in ("max_time", "val_check_interval"):
        _check_time(key, given.get(key))
    for key, purpose in LIMITS.items():
        if key in given and not 0 <= given[key] <= (1 if isinstance(given[key], float) else MOST):
            raise UsageError(f"trainer.{key}={given[key]}: must be a share from 0.0 to 1.0, or a number of batches")
        if given.get(key) == 0 and key != "limit_val_batches":
            raise UsageError(
                f"trainer.{key}={given[key]}: leaves nothing to {purpose}; choose at least 1, or 1.0 for all"
            )
    every, interval = arguments.get("check_val_every_n_epoch", 1), given.get("val_check_interval")
    if every is None and (interval is None or isinstance(interval, float)):
        raise UsageError(
            "trainer.check_val_every_n_epoch=null: validation then follows every so many batches; choose them, "
            "+trainer.val_check_interval=100"
        )


def _check_time(key: str, value: object) -> None:
    """Check a time, or what `val_check_interval` may be instead of one."""
    batches = "" if key == "max_time" else "a number of batches, a share of an epoch from 0.0 to 1.0, or a time, "
    seconds: float = 0
    with suppress(TypeError, ValueError, OverflowError):
        if isinstance(value, str) and len(parts := [int(part) for part in value.split(":")]) == 4:
            days, hours, minutes, rest = parts
            seconds = timedelta(days=days, hours=hours, minutes=minutes, seconds=rest).total_seconds()
        elif isinstance(value, dict):
            seconds = timedelta(**value).total_seconds()
        elif batches and isinstance(value, (int, float)) and not isinstance(value, bool):
            seconds = value if isinstance(value, int) or value <= 1 else 0
    if value is not None and not seconds > 0:
        raise UsageError(
            f"trainer.{key}={yaml_text(value)}: must be {batches}DD:HH:MM:SS, such as 00:02:30:00, or {{hours: 2}}, "
            f"and above 0"
        )


def check_batches(arguments: Mapping[str, Any], data: "ImageData", world_size: int) -> None:
    """Check that the limits of a Trainer leave batches of this data, of which there are so many in each process.

    Raises:
        UsageError: for a limit that leaves none, and for a validation that no epoch would reach.
    """
    samples = {"validate": len(data.known.parts()["val"]), "test": len(data.known.test)}
    there = {purpose: math.ceil(size / data.eval_batch_size) for purpose, size in samples.items()}
    there["train"] = data.num_train_batches(world_size)
    for key, purpose in LIMITS.items():
        limit = arguments.get(key)
        if isinstance(limit, float) and limit > 0 and int(there[purpose] * limit) == 0:
            raise UsageError(
                f"trainer.{key}={limit}: of {there[purpose]} batches this is none to {purpose} on; "
                f"choose a larger share, or a number of batches"
            )
    batches = data.num_train_batches(world_size, arguments.get("limit_train_batches") or 1.0)
    interval = arguments.get("val_check_interval")
    within_epochs = arguments.get("check_val_every_n_epoch", 1) is not None
    if within_epochs and isinstance(interval, int) and interval > batches:
        raise UsageError(
            f"trainer.val_check_interval={interval}: an epoch has {batches} batches; choose at most so many, or "
            f"trainer.check_val_every_n_epoch=null to count over epochs"
        )
