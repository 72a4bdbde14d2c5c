"""Optimisers with weight decay only where it belongs, and learning-rate schedules over a known number of steps."""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from rnnvision.checks import at_least, fraction, number, positive, probability
from rnnvision.nn import RecurrentLayer
from rnnvision.nn.kernels.threads import one_thread
from rnnvision.nn.parts import frozen_names, parameters_in

LARGEST_RATE = 1000.0
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


def parameter_groups(
    network: nn.Module, weight_decay: float, *, spare: bool = True, lr_factors: Mapping[str, float] | None = None
) -> list[dict[str, Any]]:
    """Three groups: matrices decay; biases, norms and other vectors do not, since they do not overfit but set scales.

    Nor do matrices that a module names in `undecayed`, such as learned positions (unless `spare` is false), nor the
    parameters of state transitions (`RecurrentLayer.state_parameters`), which are the third group. Where parts of the
    network have an `lr_factor` of their own, see `factors_of`, each of the three is divided by it. What is frozen is
    left out.
    """
    modules = list(network.modules())
    layers = [layer for layer in modules if isinstance(layer, RecurrentLayer)]
    moving = {id(getattr(layer, name)) for layer in layers for name in layer.state_parameters}
    spared = [(module, name) for module in modules for name in getattr(module, "undecayed", ())] if spare else []
    kept = {id(getattr(module, name)) for module, name in spared}
    trained = [p for p in network.parameters() if p.requires_grad]
    rest = [p for p in trained if id(p) not in moving]
    decaying = {id(p) for p in rest if p.ndim >= 2} - kept
    kinds: list[tuple[list[nn.Parameter], dict[str, Any]]] = [
        ([p for p in rest if id(p) in decaying], {"weight_decay": weight_decay}),
        ([p for p in rest if id(p) not in decaying], {"weight_decay": 0.0}),
        ([p for p in trained if id(p) in moving], {"weight_decay": 0.0, "moves_state": True}),
    ]
    factors = factors_of(network, lr_factors)
    groups = []
    for parameters, settings in kinds:
        for factor in dict.fromkeys(factors.get(id(p), 1.0) for p in parameters):
            held = [p for p in parameters if factors.get(id(p), 1.0) == factor]
            groups.append({"params": held, **settings, "lr_factor": factor})
    return groups


def factors_of(network: nn.Module, lr_factors: Mapping[str, float] | None) -> dict[int, float]:
    """The factor on the learning rate of each parameter, by its id, where a part that it lies in has one.

    Raises:
        ValueError: for a part that the network does not have, that is frozen or shares a weight with another one, and
            for a factor that is no number above 0.
    """
    frozen = frozen_names(network)
    owner: dict[str, str] = {}
    for part, factor in (lr_factors or {}).items():
        positive(f"lr_factors.{part}", factor)
        given = f"lr_factors.{part}={factor}"
        try:
            names = parameters_in(network, part)
        except ValueError as error:
            raise ValueError(f"{given}: {error}") from error
        if frozen.issuperset(names):
            raise ValueError(f"{given}: is frozen, and has no learning rate; leave one of the two out")
        if shared := [name for name in names if name in owner]:
            raise ValueError(f"{given}: {shared[0]} lies in {owner[shared[0]]} too; give each weight one factor")
        owner |= dict.fromkeys(names, part)
    return {id(network.get_parameter(name)): float((lr_factors or {})[part]) for name, part in owner.items()}


def make_optimizer(
    network: nn.Module,
    name: str,
    *,
    weight_decay: float = 0.0,
    state_lr_factor: float = 1.0,
    lr_factors: Mapping[str, float] | None = None,
    **options: Any,
) -> Optimizer:
    """The optimiser called `name` in `OPTIMIZERS` over `parameter_groups`; `options` are those of the torch class.

    The parameters of state transitions have `state_lr_factor` times the learning rate. S4, S5 and the LRU are trained
    with a factor below 1 (arXiv 2111.00396, 2208.04933, 2303.06349). `lr_factors` are those of parts of the network,
    see `rnnvision.nn.parts`; a state transition within a part has both.

    On the CPU torch's default is a Python loop over the parameters, a tenth of the step time of a small network; the
    fused kernel is used there, if the class has one.

    Raises:
        ValueError: for a value that torch rejects, and for a part that cannot have a factor.

    Examples:
        >>> optimizer = make_optimizer(nn.Linear(4, 2), "adamw", lr=1e-3, weight_decay=0.05)
        >>> [group["weight_decay"] for group in optimizer.param_groups]  # of the matrix and of the bias
        [0.05, 0.0]
    """
    number("weight_decay", weight_decay, LARGEST_RATE)  # torch looks only at its default, which the groups override
    number("state_lr_factor", state_lr_factor, LARGEST_RATE)
    if "lr" in options:
        number("lr", options["lr"], LARGEST_RATE)
    for key in ("alpha", "momentum"):  # a moving average of weight 1 and more never forgets
        if key in options:
            probability(key, options[key])
    made = OPTIMIZERS[name]
    on_cpu = all(p.device.type == "cpu" for p in network.parameters())
    if on_cpu and "fused" in inspect.signature(made).parameters:
        options = {"fused": True, **options}
    optimizer = made(parameter_groups(network, weight_decay, lr_factors=lr_factors), **options)
    for group in optimizer.param_groups:
        if group.get("moves_state"):
            group["lr_factor"] *= state_lr_factor
        group["lr"] *= group["lr_factor"]
    return optimizer


def learning_rate(optimizer: Optimizer) -> float:
    """The learning rate of the parameters that have no factor, as it is now."""
    rates = {group.get("lr_factor", 1.0): group["lr"] for group in reversed(optimizer.param_groups)}
    factor = 1.0 if 1.0 in rates else max(rates)
    return rates[factor] / (factor or 1.0)


def clip_gradients(optimizer: Optimizer, limit: float, algorithm: str | None = None) -> None:
    """Clip the gradients of an optimiser: their norm, all together, or each value (`algorithm="value"`)."""
    clip = clip_grad_value_ if algorithm == "value" else clip_grad_norm_
    with one_thread():  # a norm is a sum, and the same in however many threads the step was taken
        clip([p for group in optimizer.param_groups for p in group["params"]], limit)


def constraining(optimizer: Optimizer, network: nn.Module) -> Optimizer:
    """An optimiser after each step of which the layers of a network bring their weights back where they may be."""
    layers = [layer for layer in network.modules() if isinstance(layer, RecurrentLayer)]
    trained = [layer for layer in layers if any(p.requires_grad for p in layer.parameters())]
    limited = [layer for layer in trained if type(layer).constrain is not RecurrentLayer.constrain]

    @torch.no_grad()
    def constrain(*_: Any) -> None:
        for layer in limited:
            layer.constrain()

    if limited:
        optimizer.register_step_post_hook(constrain)
    return optimizer


def regrouped(state: dict[str, Any], network: nn.Module) -> dict[str, Any]:
    """An optimiser's state dict in today's groups, where it has those of an earlier version without `undecayed`."""
    if any("lr_factor" in group for group in state["param_groups"]):  # which those of earlier versions do not say
        return state
    now, before = (parameter_groups(network, 0.0, spare=spare) for spare in (True, False))
    sizes, todays, earlier = (
        [len(group["params"]) for group in groups] for groups in (state["param_groups"], now, before)
    )
    if sizes == todays or sizes != earlier or len(now) != len(before):
        return state
    place = {id(p): i for i, p in enumerate(p for group in before for p in group["params"])}
    order = [place[id(p)] for group in now for p in group["params"]]
    groups, start = [], 0
    for group, size in zip(state["param_groups"], todays, strict=True):
        groups.append({**group, "params": list(range(start, start + size))})
        start += size
    known = state["state"]
    return {**state, "state": {i: known[old] for i, old in enumerate(order) if old in known}, "param_groups": groups}


# Schedules are factors on the learning rate as a function of the completed share of training, so a resumed run needs no
# state of theirs and a longer one neither rises again nor fails.


def constant(done: float, *, warmup: float = 0.0) -> float:
    """1 after a linear warm-up over the share `warmup`."""
    return min(1.0, done / warmup) if warmup > 0 else 1.0


def cosine(done: float, *, warmup: float = 0.05, final: float = 0.0) -> float:
    """Half a cosine from 1 to `final` (arXiv 1608.03983, no restarts) after a linear warm-up over a share `warmup`."""
    if done < warmup:
        return done / warmup
    return _anneal(1.0, final, (done - warmup) / (1.0 - warmup))


def one_cycle(done: float, *, warmup: float = 0.25, initial: float = 0.04, final: float = 1e-4) -> float:
    """Up from `initial` to 1 and down to `final`, both along half a cosine (arXiv 1708.07120; torch's OneCycleLR)."""
    if done < warmup:
        return _anneal(initial, 1.0, done / warmup)
    return _anneal(1.0, final, (done - warmup) / (1.0 - warmup))


def _anneal(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(done, 1.0))) / 2


SCHEDULES: dict[str, Callable[..., float]] = {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}


def plateau(optimizer: Optimizer, *, factor: float = 0.5, patience: int = 3, min_lr: float = 0.0) -> ReduceLROnPlateau:
    """Multiply the learning rate by `factor` when val/loss has not fallen for `patience` validations, of each epoch the
    last one."""
    fraction("factor", factor)
    at_least("patience", patience, 0)
    number("min_lr", min_lr, LARGEST_RATE)
    least = [min_lr * group.get("lr_factor", 1.0) for group in optimizer.param_groups]
    return ReduceLROnPlateau(optimizer, factor=factor, patience=patience, min_lr=least)


NEVER = 10**9  # epochs


def make_scheduler(optimizer: Optimizer, name: str, *, total_steps: int, **options: Any) -> dict[str, Any]:
    """The schedule called `name` in `SCHEDULES`, or "plateau", as Lightning's dictionary.

    `total_steps` counts optimiser steps of the whole training.

    Raises:
        ValueError: for a share of warm-up outside [0, 1), and for one of the learning rate that is none.
    """
    if name == "plateau":
        # The Learner steps it before the epoch's checkpoint is saved; Lightning would do so after, and a resumed run
        # would miss the step. Lightning keeps its state all the same.
        return {
            "scheduler": plateau(optimizer, **options),
            "interval": "epoch",
            "frequency": NEVER,
            "monitor": "val/loss",
        }
    warmup = options.get("warmup", 0.0)
    if not 0.0 <= warmup < 1.0:
        raise ValueError(f"warmup={warmup}: must lie in [0, 1), the share of the training steps")
    for key in ("initial", "final"):
        if key in options:
            number(key, options[key], 1.0)
    shape = partial(SCHEDULES[name], **options)
    return {"scheduler": LambdaLR(optimizer, lambda step: shape(step / total_steps)), "interval": "step"}


def count_steps(batches: int, *, max_epochs: int | None, max_steps: int = -1, accumulate: int = 1) -> int:
    """Optimiser steps of a training with so many `batches` per epoch.

    Raises:
        ValueError: if neither `max_epochs` nor `max_steps` limits it.
    """
    limits: Iterable[int] = [max_steps] if max_steps > 0 else []
    if max_epochs is not None and max_epochs >= 0:
        limits = [*limits, max_epochs * math.ceil(batches / accumulate)]
    if not limits:
        raise ValueError("max_epochs=-1: a schedule needs an end; set max_epochs or max_steps")
    return max(1, min(limits))
