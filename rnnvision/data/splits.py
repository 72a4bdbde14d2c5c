"""Splits: what the reader of a data set returns, and the error that it raises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from rnnvision.errors import FailureError

Self = TypeVar("Self", bound="Samples")


class DataError(FailureError):
    """Data that is missing, damaged or not what it claims to be. The message is for the user, one line at the least."""


class Samples(ABC):
    """Images with their labels: in memory (`Split`), in files or in shards (`EncodedSplit`)."""

    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    @abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that the network sees."""

    @property
    def shard_of(self) -> Tensor | None:
        """(N,) number of the shard of each sample: those of a shard are best read together; None without shards."""
        return None

    @abstractmethod
    def load(self, index: int) -> Tensor:
        """One image as it is stored, uint8 (C, any height, any width); DataError if it cannot be read."""

    def square(self, image: Tensor) -> Tensor:
        """Such an image at the size of `image_shape`, if nothing is cropped at random."""
        return image

    @abstractmethod
    def select(self: Self, index: Tensor) -> Self:
        """The samples of these indices, in their order."""

    def divide(self: Self, fraction: float, seed: int) -> tuple[Self, Self]:
        """Two random parts, by a generator of their own: the rest, and round(fraction * N) samples."""
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        count = round(fraction * len(self))
        return self.select(order[count:]), self.select(order[:count])

    def fixed_fifth(self: Self) -> tuple[Self, Self]:
        """The rest, and a fifth of each class that is always the same: where there is no official test split."""
        from sklearn.model_selection import train_test_split

        everything = torch.arange(len(self))
        rest, fifth = train_test_split(everything, test_size=0.2, random_state=0, stratify=self.labels)
        return self.select(rest), self.select(fifth)


@dataclass(frozen=True, eq=False)
class Split(Samples):
    """Images uint8 (N, C, H, W) and their labels int64 (N,)."""

    images: Tensor
    labels: Tensor

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def load(self, index: int) -> Tensor:
        return self.images[index]

    def select(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Splits:
    """The official splits of a data set. `val` is None where it has none: then it is cut from `train`.

    `origin` says where the data came from; `root` is the `root` that finds it again from any working directory. `notes`
    are lines for the user, on what was skipped. `settled` holds options of the reader that the data decided.
    """

    train: Samples
    test: Samples
    class_names: tuple[str, ...]
    origin: str
    val: Samples | None = None
    root: str | None = None
    notes: tuple[str, ...] = ()
    settled: Mapping[str, Any] = field(default_factory=dict)
