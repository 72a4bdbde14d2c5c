"""What a checkpoint has of a training, compared with the training that is to go on from it, before it does.

The fused kernels of torch's optimisers trust the shapes of their states: with others they write where they should not.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from rnnvision.training.reading.description import finite

STEPS = "step"  # how often a parameter was updated: a number, where all other states are like the parameter
FREE = ("fused", "foreach")  # how it is computed, which the device decides
ADDED = {"lr_factor", "moves_state", "decoupled_weight_decay", "initial_lr", "capturable", "differentiable", "maximize"}


def wrong_for(checkpoint: Mapping[str, Any], made: Any) -> str | None:
    """What of a checkpoint does not fit a training, in words; None where all does.

    Args:
        checkpoint: of which each entry is built as it should be, see `states`.
        made: the optimiser of the training, or Lightning's dictionary of that and its scheduler.
    """
    optimizer, schedule = (made["optimizer"], made["lr_scheduler"]) if isinstance(made, dict) else (made, None)
    states = checkpoint.get("optimizer_states", [])
    if len(states) > 1:
        return f"it is of a training with {len(states)} optimisers"
    schedules = checkpoint.get("lr_schedulers", [])
    if len(schedules) > 1:
        return f"it is of a training with {len(schedules)} schedules"
    wrong = wrong_optimizer(states[0], optimizer) if states else None
    if wrong is None and schedules and schedule is not None:
        wrong = wrong_schedule(schedules[0], schedule["scheduler"])
    return wrong


def wrong_optimizer(state: Mapping[str, Any], optimizer: Optimizer) -> str | None:
    """What of the state of an optimiser does not fit this one, in words; None where all does."""
    mine, saved = optimizer.param_groups, state["param_groups"]
    if [len(group["params"]) for group in saved] != [len(group["params"]) for group in mine]:
        return "the optimiser has other groups of parameters"
    for own, theirs in zip(mine, saved, strict=True):
        if missing := sorted(own.keys() - theirs.keys() - {*FREE, *ADDED}):
            return f"the optimiser has no {missing[0]}"
        if theirs.get("fused") and theirs.get("foreach"):
            return "the optimiser is both fused and foreach"
        for key, value in theirs.items():
            if key in own and key != "params" and (wrong := _wrong_setting(key, value, own[key])):
                return wrong
            if key not in own and not (value is None or type(value) in (bool, str) or finite(value)):
                return f"the optimiser has {key}={value!s:.40}"
    places = [index for group in saved for index in group["params"]]
    parameters = [p for group in mine for p in group["params"]]
    if len(set(places)) != len(places) or not set(state["state"]) <= set(places):
        return "the optimiser has states of other parameters"
    groups = [group for group in saved for _ in group["params"]]
    for place, parameter, group in zip(places, parameters, groups, strict=True):
        if wrong := _wrong_moments(state["state"].get(place), parameter, _moments(optimizer, group)):
            return wrong
    return None


def _wrong_setting(key: str, saved: Any, own: Any) -> str | None:
    if key in FREE:
        fits = saved in (None, True, False) and type(saved) in (bool, type(None))
    elif type(own) in (bool, type(None), str):
        fits = saved is own or saved == own
    elif type(own) in (list, tuple):
        fits = type(saved) in (list, tuple) and len(saved) == len(own) and all(finite(v) and 0 <= v < 1 for v in saved)
    else:
        fits = finite(saved) and saved >= 0
    return None if fits else f"the optimiser has {key}={saved!s:.40}, and in this run {key}={own}"


def _moments(optimizer: Optimizer, group: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The states of a parameter: those that it has, and those that it may have."""
    if isinstance(optimizer, Adam):
        return {STEPS, "exp_avg", "exp_avg_sq"} | ({"max_exp_avg_sq"} if group.get("amsgrad") else set()), set()
    if isinstance(optimizer, RMSprop):
        centred = {"grad_avg"} if group.get("centered") else set()
        return {STEPS, "square_avg"} | centred | ({"momentum_buffer"} if group.get("momentum") else set()), set()
    return set(), {"momentum_buffer"} if isinstance(optimizer, SGD) else set()


def _wrong_moments(state: Any, parameter: Tensor, known: tuple[set[str], set[str]]) -> str | None:
    if not state:
        return None
    needed, possible = known
    if not needed <= state.keys() <= needed | possible:
        return f"the optimiser has the states {', '.join(map(str, state))[:80]} of a parameter"
    for name, value in state.items():
        if name == STEPS:
            if not (isinstance(value, Tensor) and value.ndim == 0 and value.dtype == torch.float32):
                return "the optimiser counts its steps by what is no number"
            if not 0 <= float(value) < math.inf:
                return f"the optimiser has taken {float(value)} steps"
        elif not (value is None and name in possible):
            if not isinstance(value, Tensor) or value.shape != parameter.shape or not value.is_floating_point():
                return f"the optimiser has a state {name} that is not like its parameter of {tuple(parameter.shape)}"
            if not bool(value.isfinite().all()):
                return f"the optimiser has a state {name} that is not finite"
    return None


def wrong_schedule(state: Mapping[str, Any], scheduler: Any) -> str | None:
    """What of the state of a schedule does not fit this one, in words; None where all does."""
    own = scheduler.state_dict()
    if others := sorted(state.keys() ^ own.keys()):
        return f"the schedule has other entries: {', '.join(others)[:80]}"
    for key, value in state.items():
        if not _alike(value, own[key]):
            return f"the schedule has {key}={value!s:.40}, and in this run {own[key]!s:.40}"
    return None


def _alike(saved: Any, own: Any) -> bool:
    """Whether a value is of the kind of another one: a number for a number, a list for a list as long."""
    if type(own) in (int, float):
        return type(saved) in (int, float) and not math.isnan(saved)
    if type(own) in (list, tuple):
        return type(saved) is type(own) and len(saved) == len(own) and all(map(_alike, saved, own))
    if isinstance(own, dict):
        return isinstance(saved, dict) and saved.keys() == own.keys() and all(_alike(saved[k], own[k]) for k in own)
    return type(saved) is type(own) and (type(own) is bool or saved == own)
