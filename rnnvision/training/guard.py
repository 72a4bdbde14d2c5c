"""Guard: the loss and the gradients of each step are finite, or the training ends before the weights change."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rnnvision.training.failures import NotFiniteError
from rnnvision.training.optim import learning_rate

WIDE = {torch.float16: torch.float32, torch.bfloat16: torch.float32}  # whose own range a norm may leave


@dataclass(frozen=True)
class Step:
    """A step of an optimiser.

    Attributes:
        number: from 1, over all epochs.
        epoch: from 0.
        batches: those that its gradients are of, from 0 in their epoch.
        lr: the learning rate.
    """

    number: int
    epoch: int
    batches: tuple[int, ...]
    lr: float


@dataclass(frozen=True)
class _Pending:
    """What the GPU has found out about a step, on its way here: the loss, the scale, and the norm of each gradient."""

    step: Step
    names: Sequence[str]
    found: Tensor
    arrived: "torch.cuda.Event | None"


class Guard:
    """Look at the steps of one training.

    On the CPU in one pass over the gradients, some microseconds. On a GPU each step is looked at while the next one
    is computed, since whoever waits for a GPU leaves it idle: the weights of a bad step change there, but `settle`,
    which comes before each checkpoint, raises.

    With a loss scaler (16-mixed) gradients that overflow are a part of its search for a scale, and it leaves out
    their step; the guard ends the training when they do so at a scale of 1, and for the loss.
    """

    def __init__(self) -> None:
        self._batches: list[int] = []  # since the last step
        self._loss: Tensor | None = None  # their sum
        self._found, self._one = torch.zeros(()), torch.ones(())
        self._pending: _Pending | None = None

    def add(self, batch: int, loss: Tensor) -> None:
        """Note the loss of a batch, whose gradients are computed next."""
        self._batches.append(batch)
        self._loss = loss if self._loss is None else self._loss + loss

    def look(
        self,
        network: nn.Module,
        optimizer: Optimizer,
        counts: Callable[[], tuple[int, int]],
        *,
        alone: bool = True,
        scaler: Any = None,
    ) -> None:
        """Look at the gradients that the optimiser is about to use.

        Args:
            network: whose parameters it trains.
            optimizer: the gradients of its parameters are complete and not yet clipped.
            counts: gives the number of steps before this one, and the epoch from 0.
            alone: whether no other process trains with this one. Gradients are the same in all, but not the loss: a
                process that ends for its own would leave the others waiting for it.
            scaler: of the loss; None for none.

        Raises:
            NotFiniteError: for this step, or on a GPU for the one before.
        """
        loss, self._loss = self._loss, None
        batches, self._batches = self._batches, []
        gradients = [g for group in optimizer.param_groups for p in group["params"] if (g := p.grad) is not None]
        if not gradients or loss is None:
            return
        late = _is_read_late(loss)
        if not late and self._are_finite([*gradients, loss] if alone else gradients):
            return
        before, epoch = counts()
        step = Step(before + 1, epoch, tuple(batches), learning_rate(optimizer))
        if late:
            self.settle()
            self._pending = _send(step, network, loss, gradients, scaler)
        else:
            scale = 1.0 if scaler is None else float(scaler.get_scale())
            _judge(step, float(loss) if alone else 0.0, scale, norms_of(network))

    def _are_finite(self, tensors: list[Tensor]) -> bool:
        """In the one pass that torch has for it: the loss scaler's, which multiplies by 1 here."""
        try:
            torch._amp_foreach_non_finite_check_and_unscale_(tensors, self._found, self._one)
        except NotImplementedError:  # for complex numbers
            return all(bool(tensor.isfinite().all()) for tensor in tensors)
        if not self._found.item():
            return True
        self._found.zero_()
        return False

    def settle(self) -> None:
        """Wait for what is known of the last step.

        Raises:
            NotFiniteError: where its loss or its gradients were not.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            if pending.arrived is not None:
                pending.arrived.synchronize()
            loss, scale, *norms = pending.found.tolist()
            _judge(pending.step, loss, scale, dict(zip(pending.names, norms, strict=True)))


def _is_read_late(loss: Tensor) -> bool:
    return not loss.is_cpu


def norms_of(network: nn.Module) -> dict[str, float]:
    """The norm of the gradient of each parameter that has one."""
    held = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return {name: float(torch.linalg.vector_norm(g, dtype=WIDE.get(g.dtype))) for name, g in held.items()}


def _send(step: Step, network: nn.Module, loss: Tensor, gradients: list[Tensor], scaler: Any) -> _Pending:
    """Have the GPU compute what there is to know of a step, and send it here without waiting for it."""
    names = {id(p.grad): name for name, p in network.named_parameters() if p.grad is not None}
    scale = loss.new_ones(()) if scaler is None or scaler._scale is None else scaler._scale
    norms = torch._foreach_norm(gradients, 2, WIDE.get(gradients[0].dtype))
    found = torch.stack([loss.float(), scale.float().reshape(()), *(norm.float() for norm in norms)])
    here = found.to("cpu", non_blocking=loss.is_cuda)  # into pinned memory; other devices have no event to wait for
    arrived = torch.cuda.Event() if loss.is_cuda else None
    if arrived is not None:
        arrived.record()
    return _Pending(step, [names.get(id(gradient), "?") for gradient in gradients], here, arrived)


def _judge(step: Step, loss: float, scale: float, norms: dict[str, float]) -> None:
    """Raise for a loss or a gradient that is not finite."""
    if not math.isfinite(loss):
        what, value = "training loss", loss
    elif bad := [norm for norm in norms.values() if not math.isfinite(norm)]:
        if scale > 1:
            return  # the scaler leaves this step out, and tries a smaller scale
        what, value = "gradient", next((norm for norm in bad if math.isnan(norm)), bad[0])
    else:
        return
    raise NotFiniteError(what, value, step=step.number, epoch=step.epoch, batches=step.batches, lr=step.lr, norms=norms)
