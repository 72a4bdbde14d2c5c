"""Failures of a training: figures and weights that are no finite numbers, and memory that runs out."""

import math
from collections.abc import Mapping

import lightning as L
import torch
from torch import nn

from rnnvision.errors import FailureError

# How torch says that there is no more memory, on the CPU and on a GPU.
SAYS_SO = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


class TrainingError(FailureError):
    """Training that cannot continue. The message is one line for the user."""


def diverged(what: str, value: float, trainer: L.Trainer) -> TrainingError:
    """What became no finite number, in which epoch of a training as the screen counts them, and what to try."""
    when = f" in epoch {trainer.current_epoch + 1}" if trainer.state.fn == "fit" else ""
    return TrainingError(f"the {what} became {value}{when}; try a smaller optimizer.lr or trainer.gradient_clip_val")


def are_finite(network: nn.Module) -> bool:
    """Whether all weights are finite; waits once for the device."""
    found = [parameter.detach().isfinite().all() for parameter in network.parameters()]
    return not found or bool(torch.stack(found).all())


def require_finite(figures: Mapping[str, float]) -> None:
    """Refuse scores of which one is no finite number: an accuracy beside it counts answers that mean nothing.

    Raises:
        TrainingError: with the figure.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise TrainingError(
                f"{name} is {value}: the network gives no finite numbers; train it with a smaller optimizer.lr or "
                f"trainer.gradient_clip_val"
            )


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out.

    Examples:
        >>> ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"))
        True
        >>> ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    text = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in text for word in SAYS_SO))
