"""Splits: what the reader of a data set returns, and the error that it raises."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rnnvision.checks import counted
from rnnvision.data.membership import MOST_COMPARED, NOT_COMPARED, PARTS, Record, chosen, path_keys, placed
from rnnvision.errors import FailureError, UsageError

Self = TypeVar("Self", bound="Samples")
Whole = npt.NDArray[np.int64]


class DataError(FailureError):
    """Data that is missing, damaged or not what it claims to be. The message is for the user, one line at the least."""


class NoFolderError(DataError, UsageError):
    """data.root leads to no folder: wrong use, while other data that is missing is a failure."""


class Samples(ABC):
    """Images with their labels: in memory (`Split`), in files or in shards (`EncodedSplit`)."""

    labels: Tensor
    keys: Tensor | None = None  # int64 (N,), a hash of each path, for the files of a user's folder

    def contents(self) -> Tensor:
        """int64 (N,): a fingerprint of each file of a user's folder, see `rnnvision.data.membership`."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        """What an image is called: its path, or where there is none its index."""
        return str(index)

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

    def seen(self, index: int) -> Tensor:
        """One image as the network sees it if nothing is cut out at random, uint8 of `image_shape`."""
        return self.load(index)

    @abstractmethod
    def select(self: Self, index: Tensor) -> Self:
        """The samples of these indices, in their order."""

    def joined(self: Self, others: Sequence[Self]) -> Self:
        """These samples and those of others of this kind, one after the other."""
        raise NotImplementedError

    def divide(self: Self, fraction: float, seed: int, purpose: str = "val") -> tuple[Self, Self]:
        """The rest, and a share of `fraction` that `seed` chooses: by their paths, or of a fixed set by their order."""
        if (keys := self.keys) is not None:
            rest, part = chosen(keys, self.labels, fraction, purpose, seed)
            return self.select(rest), self.select(part)
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        count = round(fraction * len(self))
        return self.select(order[count:]), self.select(order[:count])

    def fixed_fifth(self: Self) -> tuple[Self, Self]:
        """The rest, and a fifth of each class that is always the same: where there is no official test split."""
        rest, fifth = stratified(self.labels.numpy(), math.ceil(len(self) / 5), np.random.RandomState(0))
        return self.select(torch.from_numpy(rest)), self.select(torch.from_numpy(fifth))


@dataclass(frozen=True, eq=False)
class Split(Samples):
    """Images uint8 (N, C, H, W), their labels int64 (N,), and the files that they were read from, if any."""

    images: Tensor
    labels: Tensor
    files: Samples | None = None

    def name(self, index: int) -> str:
        return str(index) if self.files is None else self.files.name(index)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def load(self, index: int) -> Tensor:
        return self.images[index]

    def select(self, index: Tensor) -> "Split":
        return Split(self.images[index], self.labels[index], None if self.files is None else self.files.select(index))


@dataclass(frozen=True)
class Splits:
    """The official splits of a data set. `val` is None where it has none: then it is cut from `train`.

    `origin` says where the data came from; `root` is the `root` that finds it again from any working directory. `notes`
    are lines for the user, on what was left out or looks doubtful. `cut` says that `test` was cut from `train`.
    `settled` holds options of the reader that the data decided.
    """

    train: Samples
    test: Samples
    class_names: tuple[str, ...]
    origin: str
    val: Samples | None = None
    root: str | None = None
    notes: tuple[str, ...] = ()
    cut: bool = False
    settled: Mapping[str, Any] = field(default_factory=dict)

    def parts(self) -> dict[str, Samples]:
        """The splits that there are, by name."""
        found = {"train": self.train, "val": self.val, "test": self.test}
        return {name: part for name, part in found.items() if part is not None}

    def record(self) -> Record | None:
        """Which file is in which split; None for sets of fixed files."""
        parts = {name: part.keys for name, part in self.parts().items()}
        keys = {name: found for name, found in parts.items() if found is not None}
        if set(keys) != set(PARTS):
            return None
        compares = sum(map(len, keys.values())) <= MOST_COMPARED
        labels = path_keys(self.class_names)
        files = {}
        for name, found in keys.items():
            part = self.parts()[name]
            contents = part.contents() if compares else torch.full_like(found, NOT_COMPARED)
            files[name] = torch.stack([found, contents, labels[part.labels]])
        return Record(self.origin, files)

    def as_trained(self, before: Record, now: Record) -> tuple["Splits", Record]:
        """Each file in the split that it has for a network which was trained with `before`; what has changed is noted.

        `now` is the record of these splits; theirs in turn is returned.
        """
        places, same = placed(now, before, cut=self.cut)
        everything: Any = self.train.joined([self.parts()["val"], self.test])
        counts = [len(part) for part in self.parts().values()]
        moved = int((places != torch.repeat_interleave(torch.arange(len(PARTS)), torch.tensor(counts))).sum())
        chosen = {part: (places == place).nonzero().squeeze(1) for place, part in enumerate(PARTS)}
        files = torch.cat([now.files[part] for part in PARTS], dim=1)
        record = Record(now.root, {part: files[:, index] for part, index in chosen.items()})
        parts: dict[str, Samples] = {part: everything.select(index) for part, index in chosen.items()}
        notes = (*self.notes, *_changes(before, now, same, moved))
        return replace(self, train=parts["train"], val=parts["val"], test=parts["test"], notes=notes), record.after(
            before
        )


def splits_of(parts: Mapping[str, Samples], test_fraction: float, **facts: Any) -> Splits:
    """The splits of a user's own data: without a test split val is it, and without either a part of train.

    Args:
        parts: train, and what else there is.
        test_fraction: about this share of each class is cut from train, if it has to be.
        **facts: the other arguments of `Splits`.
    """
    train, val, test = parts["train"], parts.get("val"), parts.get("test")
    if test is not None:
        return Splits(train, test, val=val, **facts)
    if val is not None:
        return Splits(train, val, **facts)
    return Splits(*train.divide(test_fraction, 0, "test"), cut=True, **facts)


def _changes(before: Record, now: Record, same: bool, moved: int) -> list[str]:
    if not same:
        known = len(before.contents() & now.contents())
        seen = (
            f"{counted(known, 'image')} of this folder, kept in the split of then;"
            if known
            else "no image of this folder,"
        )
        return [f"the network has seen {seen} it was trained in {before.root}"]
    changes = before.changes(now)
    kept = f"; {counted(moved, 'image')} put back into the split of then" if moved else ""
    return [f"since the training: {changes}{kept}"] if changes else []


def stratified(labels: Whole, count: int, generator: np.random.RandomState) -> tuple[Whole, Whole]:
    """Shuffled indices of the rest (N - count) and of `count` samples, each class in proportion; labels int64 (N,).

    The draws are those of scikit-learn's `train_test_split(..., stratify=labels)`, which takes a second to import.
    """
    counts = np.bincount(labels)
    members = np.split(np.argsort(labels, kind="stable"), np.cumsum(counts)[:-1])
    of_rest = _shares(counts, len(labels) - count, generator)
    _shares(counts - of_rest, count, generator)  # all that are left, for which scikit-learn draws too
    shuffled = [generator.permutation(indices) for indices in members]
    rest = np.concatenate([indices[:share] for indices, share in zip(shuffled, of_rest, strict=True)])
    part = np.concatenate([indices[share:] for indices, share in zip(shuffled, of_rest, strict=True)])
    return generator.permutation(rest), generator.permutation(part)


def _shares(counts: Whole, total: int, generator: np.random.RandomState) -> Whole:
    """Whole numbers in proportion to `counts`, which add up to `total`; of equal remainders some are rounded up."""
    exact = counts / counts.sum() * total
    shares = np.floor(exact).astype(np.int64)
    remainders = exact - shares
    missing = total - int(shares.sum())
    for remainder in np.unique(remainders)[::-1]:
        if missing == 0:
            break
        (equal,) = np.nonzero(remainders == remainder)
        rounded_up = generator.choice(equal, size=min(len(equal), missing), replace=False)
        shares[rounded_up] += 1
        missing -= len(rounded_up)
    return shares
