"""Checkpoints of a training whose states are forged: what it would go on from."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from torture.forgeries.forgery import LAST, OUTSIDE, Edit, Forgery, drop, edited, put

NAN = float("nan")
OPTIM, S = "optimizer_states", "lr_schedulers"
FIT = ("loops", "fit_loop")


def moments(change: Callable[[Tensor], Any], *names: str) -> Edit:
    """An edit of states of all parameters: exp_avg, unless others are named."""

    def edit(content: dict[str, Any]) -> None:
        for state in content[OPTIM][0]["state"].values():
            for name in names or ("exp_avg",):
                state[name] = change(state[name])

    return edit


def groups(**values: Any) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        for group in content[OPTIM][0]["param_groups"]:
            group.update(values)

    return edit


def callback(kind: str, **values: Any) -> Edit:
    """An edit of the states of the callbacks of a class; a value that is called is given the state."""

    def edit(content: dict[str, Any]) -> None:
        for key, state in content["callbacks"].items():
            if key.startswith(kind):
                state.update({name: value(state) if callable(value) else value for name, value in values.items()})

    return edit


def _victim(state: dict[str, Any]) -> str:
    return f"{state['dirpath']}/../../../{OUTSIDE}/victim"


def _shuffled(content: dict[str, Any]) -> None:
    for group in content[OPTIM][0]["param_groups"]:
        group["params"] = [0] * len(group["params"])


def _other_places(content: dict[str, Any]) -> None:
    state = content[OPTIM][0]["state"]
    content[OPTIM][0]["state"] = {place + 10**6: value for place, value in state.items()}


OPTIMIZER: dict[str, Edit] = {
    "exp_avg of 0 numbers": moments(lambda t: t.flatten()[:0].clone()),
    "exp_avg of 1 number": moments(lambda t: t.flatten()[:1].clone()),
    "exp_avg of 3 numbers": moments(lambda t: t.flatten()[:3].clone()),
    "exp_avg of no dimension": moments(lambda t: torch.tensor(0.0)),
    "exp_avg_sq of 1 number": moments(lambda t: t.flatten()[:1].clone(), "exp_avg_sq"),
    "both of 1 number": moments(lambda t: t.flatten()[:1].clone(), "exp_avg", "exp_avg_sq"),
    "exp_avg larger": moments(lambda t: torch.zeros(t.numel() * 100)),
    "exp_avg flat": moments(lambda t: t.flatten()),
    "exp_avg of whole numbers": moments(lambda t: t.long()),
    "exp_avg of bytes": moments(lambda t: t.to(torch.uint8)),
    "exp_avg complex": moments(lambda t: t.to(torch.complex64)),
    "exp_avg NaN": moments(lambda t: torch.full_like(t, NAN)),
    "exp_avg a number": moments(lambda t: 0.5),
    "exp_avg a text": moments(lambda t: "a"),
    "exp_avg nothing": moments(lambda t: None),
    "step of 3 numbers": moments(lambda t: torch.ones(3), "step"),
    "step of 0 numbers": moments(lambda t: torch.ones(0), "step"),
    "step a text": moments(lambda t: "1", "step"),
    "step NaN": moments(lambda t: torch.tensor(NAN), "step"),
    "step below 0": moments(lambda t: torch.tensor(-5.0), "step"),
    "step of whole numbers": moments(lambda t: torch.tensor(5), "step"),
    "states of other parameters": _other_places,
    "parameters that are all the first": _shuffled,
    "no exp_avg": lambda content: [state.pop("exp_avg") for state in content[OPTIM][0]["state"].values()],
    "one state more": lambda content: [s.update(more=torch.ones(3)) for s in content[OPTIM][0]["state"].values()],
    "no states": put(OPTIM, []),
    "two optimisers": lambda content: content[OPTIM].append(content[OPTIM][0]),
    "no groups": put(OPTIM, 0, "param_groups", []),
    "groups of text": put(OPTIM, 0, "param_groups", ["a"]),
    "params of text": groups(params=["a"]),
    "states in a list": put(OPTIM, 0, "state", [1, 2]),
    "a state that is a number": put(OPTIM, 0, "state", 0, 5),
    "lr NaN": groups(lr=NAN),
    "lr a text": groups(lr="0.1"),
    "lr below 0": groups(lr=-1.0),
    "lr a tensor of 3": groups(lr=torch.ones(3)),
    "betas of 3": groups(betas=(0.9, 0.9, 0.9)),
    "betas above 1": groups(betas=(1.5, 0.9)),
    "betas of text": groups(betas=("a", "b")),
    "eps nothing": groups(eps=None),
    "weight_decay infinite": groups(weight_decay=float("inf")),
    "fused a text": groups(fused="yes"),
    "amsgrad": groups(amsgrad=True),
    "maximize": groups(maximize=True),
    "capturable": groups(capturable=True),
    "differentiable": groups(differentiable=True),
    "fused and foreach": groups(fused=True, foreach=True),
    "a group without lr": lambda content: [group.pop("lr") for group in content[OPTIM][0]["param_groups"]],
}
SCHEDULE: dict[str, Edit] = {
    "empty": put(S, [{}]),
    "a text": put(S, ["a"]),
    "two": lambda content: content[S].append(content[S][0]),
    "that hides a method": put(S, 0, "step", 5),
    "that hides its optimiser": put(S, 0, "optimizer", None),
    "last_epoch a text": put(S, 0, "last_epoch", "a"),
    "base_lrs of another length": put(S, 0, "base_lrs", [0.1]),
    "base_lrs of text": put(S, 0, "base_lrs", ["a", "b"]),
    "lr_lambdas too few": put(S, 0, "lr_lambdas", []),
    "lr_lambdas of text": put(S, 0, "lr_lambdas", ["a", "b"]),
}
LOOPS: dict[str, Edit] = {
    "none": put("loops", {}),
    "a list": put("loops", []),
    "fit_loop a text": put("loops", "fit_loop", "a"),
    "no fit_loop": drop(*FIT),
    "no epoch_progress": drop(*FIT, "epoch_progress"),
    "epochs a text": put(*FIT, "epoch_progress", "current", "processed", "two"),
    "epochs below 0": put(*FIT, "epoch_progress", "current", "processed", -1),
    "epochs NaN": put(*FIT, "epoch_progress", "current", "completed", NAN),
    "batches a list": put(*FIT, "epoch_loop.batch_progress", "current", "ready", []),
    "batches nothing": put(*FIT, "epoch_loop.batch_progress", None),
    "no state": drop(*FIT, "epoch_loop.state_dict"),
    "steps a text": put(*FIT, "epoch_loop.state_dict", "_batches_that_stepped", "a"),
    "is_last_batch a text": put(*FIT, "epoch_loop.batch_progress", "is_last_batch", "no"),
    "optimiser's steps a text": put(
        *FIT, "epoch_loop.automatic_optimization.optim_progress", "optimizer", "step", "total", "ready", "a"
    ),
    "no validate_loop": drop("loops", "validate_loop"),
}
REST: dict[str, Edit] = {
    "epoch a text": put("epoch", "one"),
    "epoch below 0": put("epoch", -1),
    "epoch 2**70": put("epoch", 2**70),
    "global_step a text": put("global_step", "a"),
    "global_step NaN": put("global_step", NAN),
    "no global_step": drop("global_step"),
    "no loops": drop("loops"),
    "no optimizer_states": drop(OPTIM),
    "no callbacks": drop("callbacks"),
    "version a text": put("pytorch-lightning_version", "none at all"),
    "version a number": put("pytorch-lightning_version", 2),
    "version of 2019": put("pytorch-lightning_version", "0.5.0"),
    "callbacks a list": put("callbacks", [1]),
    "a callback's state a text": lambda content: content["callbacks"].update(dict.fromkeys(content["callbacks"], "a")),
    "best_model_path a number": callback("BestCheckpoint", best_model_path=5),
    "best_model_score a text": callback("BestCheckpoint", best_model_score="a"),
    "best_k_models a list": callback("BestCheckpoint", best_k_models=[]),
    "best_loss a text": callback("BestCheckpoint", best_loss="a"),
    "kth_value of 3": callback("BestCheckpoint", kth_value=torch.ones(3)),
    "wait_count a text": callback("EarlyStopping", wait_count="a"),
    "best_score of 3": callback("EarlyStopping", best_score=torch.ones(3)),
    "state_dict of another network": put("state_dict", "network.head.weight", torch.ones(3, 3)),
    "state_dict NaN": put("state_dict", "network.head.bias", torch.full((10,), NAN)),
}
# Paths of files that Lightning would remove: all of them stay.
PATHS: dict[str, Edit] = {
    "kth_best_model_path outside": callback("BestCheckpoint", kth_best_model_path=_victim),
    "best_model_path outside": callback("BestCheckpoint", best_model_path=_victim),
    "last_model_path outside": callback("ModelCheckpoint", last_model_path=_victim, best_model_path=_victim),
    "best_k_models outside": callback(
        "BestCheckpoint", best_k_models=lambda s: {_victim(s): torch.tensor(0.0)}, kth_best_model_path=_victim
    ),
}
PASS = {
    "no optimizer_states",
    "no callbacks",
    "no global_step",
    "no states",
    "version of 2019",
    "no validate_loop",
    "no state",
    "no loops",
}


def _all() -> list[Forgery]:
    families = {"optimiser": OPTIMIZER, "schedule": SCHEDULE, "loops": LOOPS, "training": REST}
    found = [
        Forgery(f"{family}: {name}", edited(edit, LAST), ("resume",), name in PASS)
        for family, edits in families.items()
        for name, edit in edits.items()
    ]
    return found + [
        Forgery(f"callback: {name}", edited(edit, LAST), ("resume",), may_pass=True) for name, edit in PATHS.items()
    ]


FORGERIES = _all()
