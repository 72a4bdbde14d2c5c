"""The work of every contender, and how it takes turns. Imports nothing but NumPy: two environments share it."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np

BATCH_SIZE = 128
CLIP_NORM = 1.0
NUM_CLASSES = 10
BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass(frozen=True)
class Work:
    """A network over the rows of an image, its last state into a linear head, and how it is trained."""

    hidden_size: int
    num_layers: int
    optimizer: str  # adam, or adamw: matrices decay, biases do not
    lr: float
    weight_decay: float
    one_cycle: bool  # the learning rate goes up and down, changed each step; else it is constant
    samples: int  # training images, an epoch of which is one turn


NETWORKS = {
    "lstm64": Work(64, 1, "adamw", 4e-3, 0.05, one_cycle=True, samples=12_800),
    "lstm128": Work(128, 1, "adamw", 4e-3, 0.05, one_cycle=True, samples=12_800),
    "article": Work(256, 2, "adam", 1e-3, 0.0, one_cycle=False, samples=3_840),
}


def one_cycle(done: float) -> float:
    """The factor on the learning rate at the share `done` of the training: from 0.04 up to 1 and down to 0.0001."""
    start, end, part = (0.04, 1.0, done / 0.25) if done < 0.25 else (1.0, 1e-4, (done - 0.25) / 0.75)
    return end + (start - end) * (1 + cos(pi * min(part, 1.0))) / 2


# The images, as MNIST's own files, so that torchvision reads them too.


def write_images(root: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write uint8 images (N, 28, 28) and labels (N,) as MNIST's training split; its test split is empty."""
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    for part, count in (("train", len(labels)), ("t10k", 0)):
        for kind, array in (("images-idx3", images[:count]), ("labels-idx1", labels[:count])):
            header = np.array([0x800 + array.ndim, *array.shape], dtype=">u4")
            (folder / f"{part}-{kind}-ubyte").write_bytes(header.tobytes() + array.astype(np.uint8).tobytes())


def read_images(root: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (N, 28, 28) and labels uint8 (N,)."""
    images, labels = (root / "MNIST" / "raw" / f"train-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1"))
    return (
        np.frombuffer(images.read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28).copy(),
        np.frombuffer(labels.read_bytes(), np.uint8, offset=8).copy(),
    )


def arguments() -> argparse.Namespace:
    """What the parent tells a contender."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--images", type=Path, required=True, help="folder that `write_images` filled")
    parser.add_argument("--mean", type=float, required=True)
    parser.add_argument("--std", type=float, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True, help="of the schedule: more than there are turns")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True, help="for what a contender writes")
    return parser.parse_args()


class Turns:
    """The contender's end of the pipe: it sleeps in `wait` until its turn comes, trains an epoch, and calls `done`."""

    def __init__(self) -> None:
        self._replies = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever a library prints goes to the log
        self._started = 0.0

    def ready(self, **facts: Any) -> None:
        """Tell the parent, with what it should know, that all is set up."""
        self._say(facts)

    def wait(self) -> bool:
        """Sleep until asked to train, and start the clock; False where there is no more to do."""
        line = sys.stdin.readline()
        self._started = time.perf_counter()
        return line.strip() == "train"

    def done(self, loss: float) -> None:
        """Stop the clock. `loss` is the mean of the epoch: computing it waits for all that is still being computed."""
        self._say({"seconds": time.perf_counter() - self._started, "loss": loss})

    def __iter__(self) -> Iterator[None]:
        while self.wait():
            yield

    def _say(self, reply: dict[str, Any]) -> None:
        self._replies.write(json.dumps(reply) + "\n")
        self._replies.flush()
