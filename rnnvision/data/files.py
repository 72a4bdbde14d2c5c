"""Image files: read when they are needed, or all at once where they fit in memory."""

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from rnnvision.data.images import Choice, View, inspect_image, open_image, open_seen
from rnnvision.data.membership import fingerprints
from rnnvision.data.splits import DataError, Samples, Split
from rnnvision.progress import done, work

if TYPE_CHECKING:
    from rnnvision.data.cache import ImageCache

CHUNK = 32  # images in a thread's task: each waiting task takes 1.6 kB
Encoded = TypeVar("Encoded", bound="EncodedSplit")


class EncodedSplit(Samples):
    """Images that are decoded when they are needed: in files (`FileSplit`) or in shards (`ShardSplit`).

    Attributes:
        view: how an image is read, and what part of it the network sees.
    """

    view: View

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.view.image_shape

    @property
    def at_hand(self) -> bool:
        """Whether all of it is on this machine."""
        return True

    @abstractmethod
    def seen(self, index: int, choose: Choice | None = None) -> Tensor:
        """One image as the network sees it: of the part that `choose` gives, else of that of the view."""

    @abstractmethod
    def inspect(self, index: int) -> None:
        """Look at what an image's file says before its pixels; DataError if it cannot be read as an image."""


@dataclass(frozen=True, eq=False)
class FileSplit(EncodedSplit):
    """Paths of N images, their labels int64 (N,), and the view of `EncodedSplit`.

    Attributes:
        files: (N,) encoded paths in one array: each worker's copy of a list would grow as it is read.
        cache: what is known of these files from earlier runs, and keeps what this one finds out; None for none.
    """

    files: np.ndarray
    labels: Tensor
    view: View = field(default_factory=View)
    keys: Tensor | None = None
    cache: "ImageCache | None" = None

    def path(self, index: int) -> Path:
        return Path(os.fsdecode(self.files[index]))

    def name(self, index: int) -> str:
        return str(self.path(index))

    def load(self, index: int) -> Tensor:
        return open_image(self.path(index), self.view)

    def seen(self, index: int, choose: Choice | None = None) -> Tensor:
        return open_seen(self.path(index), self.view, choose)

    def inspect(self, index: int) -> None:
        inspect_image(self.path(index), self.view)

    def select(self, index: Tensor) -> "FileSplit":
        keys = None if self.keys is None else self.keys[index]
        return replace(self, files=self.files[index.numpy()], labels=self.labels[index], keys=keys)

    def contents(self) -> Tensor:
        if self.cache is not None:
            return self.cache.fingerprints(self.files)
        return fingerprints(self.files.tolist())

    def joined(self, others: "Sequence[FileSplit]") -> "FileSplit":
        parts = [self, *others]
        keys = [part.keys for part in parts if part.keys is not None]
        return replace(
            self,
            files=np.concatenate([part.files for part in parts]),
            labels=torch.cat([part.labels for part in parts]),
            keys=torch.cat(keys) if len(keys) == len(parts) else None,
        )


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be read, and why; `passing` says that the reason is not in the file, and may not last."""

    index: int
    reason: str
    passing: bool = False


def read_all(split: EncodedSplit, threads: int | None = None) -> tuple[Split, list[BadFile]]:
    """Every image of a split in memory, read by `threads` (by default one per core), and the bad files."""
    images = torch.empty(len(split), *split.image_shape, dtype=torch.uint8)

    def keep(index: int) -> None:
        images[index] = split.seen(index)

    bad = _visit("reading images", split, keep, threads)
    good = _without(len(split), bad)
    kept = split.select(good) if bad else split
    return Split(images[good] if bad else images, kept.labels, kept), bad


def survey(split: Encoded, threads: int | None = None) -> tuple[Encoded, list[BadFile]]:
    """Decode every image without keeping it: the split without its bad files, and these."""
    bad = _visit("looking through images", split, split.seen, threads)
    return split.select(_without(len(split), bad)) if bad else split, bad


def inspect(split: EncodedSplit, threads: int | None = None) -> list[BadFile]:
    """The files that are bad by their begin, or that are cut short; no image is decoded."""
    return _visit("looking at files", split, split.inspect, threads)


def _visit(what: str, split: EncodedSplit, look: Callable[[int], object], threads: int | None) -> list[BadFile]:
    def visit(start: int) -> tuple[int, list[BadFile]]:
        bad = []
        for index in range(start, min(start + CHUNK, len(split))):
            try:
                look(index)
            except DataError as error:
                bad.append(BadFile(index, str(error), _is_passing(error)))
        return index - start + 1, bad

    found: list[BadFile] = []
    # Decoders let other threads run.
    with work(what, total=len(split)), ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for count, bad in pool.map(visit, range(0, len(split), CHUNK)):
            found += bad
            done(count)
    return found


def _is_passing(error: DataError) -> bool:
    """Whether an error is the system's: no such file, no permission, no answer, no memory."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno is not None:  # Pillow's own for a damaged image have none
        return True
    return isinstance(cause, MemoryError) or "memory" in str(cause).lower()  # torch's, libjpeg's, Pillow's words


def _without(size: int, bad: Iterable[BadFile]) -> Tensor:
    keep = torch.ones(size, dtype=torch.bool)
    keep[[b.index for b in bad]] = False
    return keep.nonzero().squeeze(1)


def encode(paths: Iterable[str | Path]) -> np.ndarray:
    """Paths as one array of bytes."""
    names = [os.fspath(path) for path in paths]
    together = os.fsencode("\0".join(names))  # which no path holds; one by one they would take three times as long
    return np.array(together.split(b"\0") if names else [], dtype=np.bytes_)
