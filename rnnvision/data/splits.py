"""What a reader of a data set gives, and the error that it raises."""

from dataclasses import dataclass

import torch
from torch import Tensor


class DataError(Exception):
    """Data that is missing, damaged or not what it claims to be. The message is one line for the user."""


@dataclass(frozen=True)
class Split:
    """Images uint8 (N, C, H, W) and their labels int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])

    def divide(self, fraction: float, seed: int) -> tuple["Split", "Split"]:
        """Two parts by a generator of its own: the rest, and round(fraction * N) samples."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        count = round(fraction * len(self))
        return self.select(order[count:]), self.select(order[:count])


@dataclass(frozen=True)
class Splits:
    """The official splits of a data set. `val` is None where it has none: then it is cut from `train`.

    `origin` says where the data came from; `root` is the `root` that finds it again from any working directory.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...]
    origin: str
    val: Split | None = None
    root: str | None = None
