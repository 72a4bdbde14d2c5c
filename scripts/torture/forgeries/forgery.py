"""A forgery: what is forged of a box of honest files, and which commands are given it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rnnvision.training.checkpoint import digests_of

RUN = "run"  # within a box: the folder of an honest run
OUTSIDE = "outside"  # beside the box: nothing there may be read into an answer, written or removed
BEST, LAST = "run/checkpoints/best.ckpt", "run/checkpoints/last.ckpt"
PREVIOUS = "run/checkpoints/previous.ckpt"
SAFETENSORS, ONNX, PT2 = "model.safetensors", "model.onnx", "model.pt2"

# The verb and the words of a command, in a box; `load` is rnnvision.load and one answer.
WAYS: dict[str, tuple[str, ...]] = {
    "load": ("load", BEST),
    "evaluate": ("evaluate", f"ckpt={BEST}"),
    "predict": ("predict", f"ckpt={BEST}", "source=seven.png"),
    "weights": ("train", f"weights={BEST}", "data=digits", "model=lstm", "model.hidden_size=8", "trainer=smoke"),
    "export": ("export", f"ckpt={BEST}", "format=safetensors", "output=made.safetensors"),
    "benchmark": ("benchmark", f"ckpt={BEST}", "rounds=1", "latency_rounds=1", "batch_sizes=[1]", "lengths=[8]"),
    "resume": ("train", f"resume={RUN}", "trainer.max_epochs=3"),
    "report": ("report", f"run={RUN}"),
    "results": ("results", "log_dir=.", "by=folder"),
    "diff": ("diff", RUN, "honest"),
    "load onnx": ("load", ONNX),
    "load pt2": ("load", PT2),
    "load safetensors": ("load", SAFETENSORS),
    "predict onnx": ("predict", f"ckpt={ONNX}", "source=seven.png"),
    "published": ("load", "weights.pth"),
}
USE = ("load", "evaluate", "predict", "weights", "export")  # of a checkpoint, in turn


@dataclass(frozen=True)
class Forgery:
    """One forgery.

    Attributes:
        name: what is wrong.
        forge: changes the files of a box.
        ways: keys of WAYS.
        may_pass: whether a command may also end well, where what is forged is left out or is as good as the honest one.
    """

    name: str
    forge: Callable[[Path], object]
    ways: tuple[str, ...]
    may_pass: bool = False


Edit = Callable[[dict[str, Any]], Any]


def edited(edit: Edit, *files: str) -> Callable[[Path], object]:
    """Change the content of checkpoints, and compute the digests anew."""

    def forge(box: Path) -> None:
        for name in files or (BEST, LAST):
            content = torch.load(box / name, weights_only=True)
            content.pop("digests")
            edit(content)
            save(content, box / name)

    return forge


def save(content: dict[str, Any], path: Path) -> None:
    try:
        digests = digests_of(content)
    except Exception:  # of tensors without bytes
        digests = {}
    torch.save({**content, "digests": digests}, path)


def put(*place: Any) -> Edit:
    """An edit: the last of `place` becomes the value at the keys before it."""
    *keys, last, value = place

    def edit(content: dict[str, Any]) -> None:
        for key in keys:
            content = content[key]
        content[last] = copy.deepcopy(value)

    return edit


def drop(*place: Any) -> Edit:
    *keys, last = place

    def edit(content: dict[str, Any]) -> None:
        for key in keys:
            content = content[key]
        del content[last]

    return edit
