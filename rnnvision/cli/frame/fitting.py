"""What every stage of a training shares: its optimiser and schedule, and how it begins and ends."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import named_arguments, optimizer_arguments
from rnnvision.cli.frame.messages import UsageError, arguments_of

if TYPE_CHECKING:
    import lightning as L
    from torch import nn

    from rnnvision.data import ImageData
    from rnnvision.training import Learner


def optimisation(cfg: DictConfig, network: "nn.Module", data: "ImageData", trainer: "L.Trainer") -> dict[str, Any]:
    """The arguments `optimizer` and `scheduler` of a Learner, each tried once: what is wrong in them is found here."""
    from rnnvision.training import SCHEDULES, count_steps, make_optimizer, make_scheduler
    from rnnvision.training.optim import plateau

    optimizer = optimizer_arguments(cfg)
    scheduler = named_arguments("scheduler", cfg.scheduler, {**SCHEDULES, "plateau": plateau})
    with arguments_of("trainer"):
        steps = count_steps(
            data.num_train_batches(trainer.world_size, trainer.limit_train_batches),
            max_epochs=trainer.max_epochs,
            max_steps=trainer.max_steps,
            accumulate=trainer.accumulate_grad_batches,
        )
    with arguments_of("optimizer"):
        trial = make_optimizer(network, **optimizer)
    with arguments_of("scheduler"):
        make_scheduler(trial, total_steps=steps, **scheduler)
    return {
        "optimizer": partial(make_optimizer, **optimizer),
        "scheduler": partial(make_scheduler, total_steps=steps, **scheduler),
    }


def fit(trainer: "L.Trainer", learner: "Learner", data: "ImageData", last: Path | None) -> float:
    """Train, from the checkpoint `last` where there is one; returns the seconds it took.

    An interruption becomes the exit code of its signal.
    """
    import torch
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    started = time.monotonic()
    try:
        trainer.fit(learner, datamodule=data, ckpt_path=None if last is None else str(last))
    except MisconfigurationException as error:
        raise UsageError(f"trainer: {' '.join(str(error).split())}") from error
    except SystemExit as error:  # Lightning turns Ctrl-C into exit code 1
        raise SystemExit(error.code if error.code not in (0, 1, None) else 130) from error
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()  # the test that follows runs in one process
    return time.monotonic() - started
