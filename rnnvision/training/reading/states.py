"""What a training leaves in a checkpoint to go on from: the entries, and how each is built."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from rnnvision.training.reading.description import is_map, text, whole


def is_number(value: Any) -> bool:
    return type(value) in (int, float) or (isinstance(value, Tensor) and value.ndim == 0)


def is_number_or_none(value: Any) -> bool:
    return value is None or is_number(value)


WEIGHTS = ("state_dict", "current_model_state", "averaging_state")  # the last two are of Lightning's averages
# States of callbacks, by the name of their class: those that have to be there, and what each must be.
CALLBACKS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "EarlyStopping": {"wait_count": whole, "stopped_epoch": whole, "patience": whole, "best_score": is_number},
    "ModelCheckpoint": {
        "best_model_path": text,
        "kth_best_model_path": text,
        "last_model_path": text,
        "dirpath": text,
        "best_model_score": is_number_or_none,
        "current_score": is_number_or_none,
        "kth_value": is_number,
        "best_k_models": lambda v: is_map(v) and all(map(is_number, v.values())),
    },
    "EMAWeightAveraging": {"latest_update_step": whole},
}
CALLBACKS["BestCheckpoint"] = {**CALLBACKS["ModelCheckpoint"], "best_loss": lambda v: type(v) in (int, float)}


# Where a training is within an epoch, see `rnnvision.cli.frame.trainer.position`.
POSITION: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("epoch", "batches", "of_batches"), whole),
    **dict.fromkeys(("ended", "in_validation"), lambda v: type(v) is bool),
    "sums": lambda v: _table(v, torch.float64) and v.shape[1] == 3,
    "random": lambda v: _table(v, torch.uint8) and all(map(_is_generator, v)),
    "rows": lambda v: type(v) is list and all(is_map(row) and all(map(_cell, row.values())) for row in v),
    "seconds": lambda v: type(v) in (int, float),
    "validated": lambda v: (
        type(v) in (list, tuple)
        and [type(part) for part in v] == [int, dict, bool]
        and all(type(figure) in (int, float) for figure in v[1].values())
    ),
}

# What it has on a GPU only, and what an earlier version did not write.
OF_SOME = {"random_cuda": lambda v: _table(v, torch.uint8), "cut": POSITION["rows"]}


def wrong_state(checkpoint: Mapping[str, Any]) -> str | None:
    """The first entry of a training that is not built as Lightning writes it, in words; None where all are."""
    for name, is_right in ENTRIES.items():
        if name in checkpoint and not is_right(checkpoint[name]):
            return f"its {name} is not what a training writes"
    if "loops" in checkpoint and not {"epoch", "global_step"} <= checkpoint.keys():
        return "it does not say after how many steps it was written"
    return None


def _table(value: Any, dtype: torch.dtype) -> bool:
    """Whether a value is a row for each process."""
    return isinstance(value, Tensor) and value.dtype == dtype and value.ndim == 2 and len(value) > 0


def _is_generator(state: Tensor) -> bool:
    try:
        torch.Generator().set_state(state.clone())  # of a part of a larger tensor torch reads from elsewhere, and dies
    except (RuntimeError, TypeError):
        return False
    return True


def _cell(value: Any) -> bool:
    return value is None or type(value) in (int, float) or text(value)


def _position(value: Any) -> bool:
    if not is_map(value) or not all(name in value and is_right(value[name]) for name, is_right in POSITION.items()):
        return False
    return all(is_right(value[name]) for name, is_right in OF_SOME.items() if name in value)


def _weights(value: Any) -> bool:
    return is_map(value) and all(isinstance(weight, Tensor) for weight in value.values())


def _callbacks(value: Any) -> bool:
    if not is_map(value) or not all(isinstance(state, dict) for state in value.values()):
        return False
    for key, state in value.items():
        rules = CALLBACKS.get(key.partition("{")[0], {})
        if not all(name in state and is_right(state[name]) for name, is_right in rules.items()):
            return False
    return True


def _is_version(value: Any) -> bool:
    return text(value) and value[:1].isdigit() and all(part.isalnum() for part in value.replace("+", ".").split("."))


def _is_optimizer(value: Any) -> bool:
    return (
        is_map(value)
        and isinstance(value.get("state"), dict)
        and all(whole(index) and is_map(state) for index, state in value["state"].items())
        and type(value.get("param_groups")) is list
        and all(is_map(group) and type(group.get("params")) is list for group in value["param_groups"])
        and all(whole(index) for group in value["param_groups"] for index in group["params"])
    )


def _are_loops(value: Any) -> bool:
    fit = value.get("fit_loop") if isinstance(value, dict) else None
    if not isinstance(fit, dict) or not all(isinstance(loop, dict) and is_map(loop) for loop in value.values()):
        return False
    for progress, counts in (("epoch_progress", ("processed", "completed")), ("epoch_loop.batch_progress", ("ready",))):
        now = fit.get(progress, {}).get("current") if isinstance(fit.get(progress), dict) else None
        if not isinstance(now, dict) or not all(whole(now.get(count)) for count in counts):
            return False
    stepped = fit.get("epoch_loop.state_dict", {})
    if not isinstance(stepped, dict) or not whole(stepped.get("_batches_that_stepped", 0)):
        return False
    return all(_counts(part) for loop in value.values() for key, part in loop.items() if key.endswith("progress"))


def _counts(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_counts, value.values()))
    return type(value) is bool or whole(value)


ENTRIES: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(WEIGHTS, _weights),
    **dict.fromkeys(("epoch", "global_step"), whole),
    "pytorch-lightning_version": _is_version,
    "optimizer_states": lambda v: type(v) is list and all(map(_is_optimizer, v)),
    "lr_schedulers": lambda v: type(v) is list and all(map(is_map, v)),
    "callbacks": _callbacks,
    "loops": _are_loops,
    "position": _position,
}
