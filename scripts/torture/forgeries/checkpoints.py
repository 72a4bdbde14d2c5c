"""Checkpoints whose description or weights are forged."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import torch
from torch import Tensor

from torture.forgeries.forgery import OUTSIDE, USE, Edit, Forgery, drop, edited, put

NAN, INF = float("nan"), float("inf")
D = "rnnvision"
HEAD = "network.head.weight"

NETWORKS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "empty": {},
    "a text": "lstm",
    "a number": 7,
}
ARGUMENTS: dict[str, Any] = {
    "name": [5, None, "os.system", "no_such_network", ["sequence_classifier"], "x" * 100_000],
    "_target_": ["os.system"],
    "hidden_size": [10**6, 10**9, 10**30, "8", -1, 0, 1.5, None, [8], NAN, {}],
    "num_layers": [100_000, 10**12, "1", 0, None, [1]],
    "input_shape": [
        [3, 1_000_000, 1_000_000],
        [1, 8],
        [1, 8, 8, 8],
        [0, 8, 8],
        [1, -8, 8],
        "188",
        [1, 8, 8.0],
        None,
        [1, 60_000, 1_000],
        [10**9, 8, 8],
        {},
    ],
    "num_classes": [10**9, 0, "10", None, 9],
    "recurrence": ["no_such", 5, None, [], "lru"],
    "layer": [5, {"x": 1}, {"weight_init": 3}, [1]],
    "scan": ["no_such", 7, "patches"],
    "order": ["no_such", []],
    "patch_size": [0, "4", [1, 2, 3], 10**9],
    "order_seed": [-1, 2**70, "a"],
    "bidirectional": ["yes", 2, True],
    "dropout": [NAN, 2.0, "a"],
    "embed_size": [10**8, -1],
    "no_such_argument": [1],
}
ENTRIES: dict[str, list[Any]] = {
    "class_names": [
        None,
        5,
        [],
        "0123456789",
        list(range(10)),
        [str(i) for i in range(11)],
        [str(i) for i in range(9)],
        {},
        ["a" * 1_000_000] * 10,
        [["a"]] * 10,
    ],
    "normalisation": [
        None,
        [],
        {"mean": "a", "std": [1.0]},
        {"mean": [0.5], "std": [0.0]},
        {"mean": [NAN], "std": [1.0]},
        {"mean": [0.5], "std": [INF]},
        {"mean": [0.5] * 3, "std": [0.5] * 3},
        {"mean": [0.5]},
        {"mean": [[0.5]], "std": [[0.5]]},
    ],
    "data": [None, [], {}, {"name": 5}, {"name": "no_such_data", "root": None}, {"name": ["digits"], "root": None}],
    "images": [5, [1], {"train": -1}, {"train": "many"}],
    "files": [
        5,
        {},
        {"root": 5, "files": {}},
        {"root": "a", "files": {"train": torch.ones(2)}},
        {"root": "a", "files": 3},
    ],
    "versions": [5, ["1"], {"torch": 2}],
    "plugins": ["os", 5, ["os.system"], ["no_such_module"], [5], ["../evil"], [None]],
    "validation": [5, {"val/loss": "a"}, [0.5]],
    "temperature": [0, -1.0, NAN, "1", None, [], 10**400],
    "temperatures": [[NAN], "x", 5, [0.0], ["a"], [[1.0]]],
    "objective": ["draw", 5, None, [], "reconstruct"],
    "format": [99, "2", None, 2.5, [2]],
    "weights": [5, {"from": 5}],
    "frozen": [5, [5]],
}
OF_DATA: dict[str, list[Any]] = {
    "root": [5, "a\0b", ["a"], "x" * 100_000],
    "eval_batch_size": [0, -1, "x", 10**12, 1.5],
    "cache": [f"../{OUTSIDE}/cache", True],
    "num_workers": [100_000],
    "val_fraction": [NAN, 2.0, "a"],
    "split_seed": ["a", -1],
    "on_bad_file": ["no_such", 5],
    "format": ["no_such", 5],
    "max_train_samples": [0, "a"],
    "no_such_option": [1],
    "mean": ["a", [NAN]],
}


def _weights(change: Callable[[Tensor], Any]) -> Edit:
    def edit(content: dict[str, Any]) -> None:
        content["state_dict"][HEAD] = change(content["state_dict"][HEAD])

    return edit


def _spoiled(value: float) -> Callable[[Tensor], Tensor]:
    def change(weight: Tensor) -> Tensor:
        return weight.clone().index_fill_(0, torch.tensor([0]), value)

    return change


WEIGHTS: dict[str, Edit] = {
    "one is missing": drop("state_dict", HEAD),
    "one more": put("state_dict", "network.more", torch.ones(3)),
    "none": put("state_dict", {}),
    "a list": put("state_dict", [torch.ones(3)]),
    "a number": put("state_dict", HEAD, 3),
    "a text": put("state_dict", HEAD, "weight"),
    "a name that is a number": put("state_dict", 5, torch.ones(3)),
    "transposed": _weights(lambda w: w.T.contiguous()),
    "of no dimension": _weights(lambda w: torch.tensor(1.0)),
    "empty": _weights(lambda w: w[:0].clone()),
    "one row": _weights(lambda w: w[:1].clone()),
    "one dimension more": _weights(lambda w: w[None].clone()),
    "whole numbers": _weights(lambda w: w.long()),
    "booleans": _weights(lambda w: w > 0),
    "complex": _weights(lambda w: w.to(torch.complex64)),
    "sparse": _weights(lambda w: w.to_sparse()),
    "on meta": _weights(lambda w: w.to("meta")),
    "NaN": _weights(_spoiled(NAN)),
    "infinite": _weights(_spoiled(INF)),
}


def _all() -> list[Forgery]:
    edits: dict[str, Edit] = {f"network: {name}": put(D, "network", value) for name, value in NETWORKS.items()}
    edits |= {
        f"{key}={value!s:.40}": put(D, "network", key, value) for key, values in ARGUMENTS.items() for value in values
    }
    edits |= {f"{key}: {value!s:.40}": put(D, key, value) for key, values in ENTRIES.items() for value in values}
    edits |= {f"no {key}": drop(D, key) for key in ("network", "class_names", "normalisation", "format")}
    edits |= {"no data": drop(D, "data"), "no name": drop(D, "network", "name")}
    edits |= {f"weights: {name}": edit for name, edit in WEIGHTS.items()}
    ways = cycle(USE)
    found = [Forgery(name, edited(edit), (next(ways), next(ways)), name in HARMLESS) for name, edit in edits.items()]
    return found + [
        Forgery(f"data.{key}={value!s:.40}", edited(put(D, "data", key, value)), ("evaluate", "load"), may_pass=True)
        for key, values in OF_DATA.items()
        for value in values
    ]


# What some commands have no use for.
HARMLESS = {
    "no data",
    f"order_seed={2**70}",
    "plugins: ['no_such_module']",
    "objective: reconstruct",
    *(f"data: {value!s:.40}" for value in ENTRIES["data"]),
}
FORGERIES = _all()
