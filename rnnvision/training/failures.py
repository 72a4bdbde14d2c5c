"""Failures of a training: figures and weights that are no finite numbers, and memory that runs out."""

import errno
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.errors import FailureError

if TYPE_CHECKING:
    import lightning as L

# How torch says that there is no more memory, on the CPU and on a GPU.
SAYS_SO = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory", "bad_alloc")


class TrainingError(FailureError):
    """Training that cannot continue. The message is one line for the user."""


BETTER = "a smaller optimizer.lr, or a (smaller) trainer.gradient_clip_val"
ADVICE = f"try {BETTER}"
SHOWN = 3  # norms in a message; the file has all


class NotFiniteError(TrainingError):
    """The loss or the gradient of a step is no finite number; no checkpoint holds the weights after it.

    Attributes:
        facts: plain values: what, value, step (from 1), epoch (from 1), batches (from 1 in the epoch), lr, and
            gradient_norms by parameter.
    """

    def __init__(
        self,
        what: str,
        value: float,
        *,
        step: int,
        epoch: int,
        batches: Sequence[int],
        lr: float,
        norms: Mapping[str, float],
    ) -> None:
        self.facts: dict[str, Any] = {
            "what": what,
            "value": value,
            "step": step,
            "epoch": epoch + 1,
            "batches": [batch + 1 for batch in batches],
            "lr": lr,
            "gradient_norms": dict(norms),
        }
        of = "batches" if len(batches) > 1 else "batch"
        numbers = f"{batches[0] + 1}-{batches[-1] + 1}" if len(batches) > 1 else f"{batches[0] + 1}"
        self.head = f"the {what} became {value} in epoch {epoch + 1}, {of} {numbers} (step {step})"
        self.told = f"lr {lr:g}; gradient norms: {_largest(norms)}"
        super().__init__(f"{self.head}: {self.told}; {ADVICE}")


def _largest(norms: Mapping[str, float]) -> str:
    """The norms that are not finite, then the largest ones."""
    ordered = sorted(norms.items(), key=lambda item: (math.isfinite(item[1]), -item[1]))
    shown = ", ".join(f"{name} {norm:.3g}" for name, norm in ordered[:SHOWN])
    return f"{shown} and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else shown


def diverged(what: str, value: float, trainer: "L.Trainer") -> TrainingError:
    """What became no finite number, in which epoch of a training as the screen counts them, and what to try."""
    when = f" in epoch {trainer.current_epoch + 1}" if trainer.state.fn == "fit" else ""
    return TrainingError(f"the {what} became {value}{when}; {ADVICE}")


def require_finite_state(checkpoint: Mapping[str, Any], buffers: Collection[str], trainer: "L.Trainer") -> None:
    """Refuse to save weights, averages of them or a state of the optimiser that are not finite.

    Args:
        checkpoint: as Lightning has made it.
        buffers: the names of those that may hold infinite values, as a mask does.
        trainer: which trains.

    Raises:
        TrainingError: with the first of them.
    """
    parts = {"weights": checkpoint.get("state_dict", {}), "trained weights": checkpoint.get("current_model_state", {})}
    for i, state in enumerate(checkpoint.get("optimizer_states", [])):
        parts[f"state of optimizer {i}"] = {
            f"{number}.{name}": value for number, held in state["state"].items() for name, value in held.items()
        }
    found = {
        f"{part} ({name})": value
        for part, held in parts.items()
        for name, value in held.items()
        if isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex()) and name not in buffers
    }
    flags: dict[torch.device, list[Tensor]] = {}  # on a GPU, Adam counts its steps on the CPU
    for value in found.values():
        flags.setdefault(value.device, []).append(value.isfinite().all())
    if all(bool(torch.stack(of_device).all()) for of_device in flags.values()):
        return
    name, value = next((name, value) for name, value in found.items() if not bool(value.isfinite().all()))
    raise diverged(name, math.nan if bool(value.isnan().any()) else math.inf, trainer)


def require_finite(figures: Mapping[str, float]) -> None:
    """Refuse scores of which one is no finite number: an accuracy beside it counts answers that mean nothing.

    Raises:
        TrainingError: with the figure.
    """
    for name, value in figures.items():
        if not math.isfinite(value):
            raise TrainingError(f"{name} is {value}: the network gives no finite numbers; train it with {BETTER}")


def finite(answers: Tensor, network: object) -> Tensor:
    """What a network has answered, where all of it is finite: nothing else has a class or a probability.

    Raises:
        TrainingError: with what the network is called, such as the path of its checkpoint.
    """
    if bool(answers.isfinite().all()):
        return answers
    raise TrainingError(f"{network}: the network gives no finite numbers; train it again with {BETTER}")


def ran_out(error: BaseException) -> bool:
    """Whether an error means that memory ran out.

    Examples:
        >>> ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory"))
        True
        >>> ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
        False
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and any(word in text for word in SAYS_SO))
