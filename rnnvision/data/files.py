"""Image files: read when they are needed, or all at once where they fit in memory."""

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rnnvision.data.images import SUFFIXES, View, open_image
from rnnvision.data.splits import DataError, Samples, Split

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
    def name(self, index: int) -> str:
        """The name of an image, for messages."""

    def resize(self, image: Tensor) -> Tensor:
        return self.view.of(image)


@dataclass(frozen=True, eq=False)
class FileSplit(EncodedSplit):
    """Paths of N images, their labels int64 (N,), and the view of `EncodedSplit`.

    Attributes:
        files: (N,) encoded paths in one array: each worker's copy of a list would grow as it is read.
    """

    files: np.ndarray
    labels: Tensor
    view: View = field(default_factory=View)

    def path(self, index: int) -> Path:
        return Path(os.fsdecode(self.files[index]))

    def name(self, index: int) -> str:
        return str(self.path(index))

    def load(self, index: int) -> Tensor:
        return open_image(self.path(index), self.view)

    def select(self, index: Tensor) -> "FileSplit":
        return replace(self, files=self.files[index.numpy()], labels=self.labels[index])


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be read, and why."""

    index: int
    reason: str


def read_all(split: EncodedSplit, threads: int | None = None) -> tuple[Split, list[BadFile]]:
    """Every image of a split in memory, read by `threads` (by default one per core), and the bad files."""
    images = torch.empty(len(split), *split.image_shape, dtype=torch.uint8)

    def keep(index: int, image: Tensor) -> None:
        images[index] = split.resize(image)

    bad = _visit(split, keep, threads)
    good = _without(len(split), bad)
    return Split(images[good] if bad else images, split.labels[good] if bad else split.labels), bad


def survey(split: Encoded, threads: int | None = None) -> tuple[Encoded, list[BadFile]]:
    """Decode every image without keeping it: the split without its bad files, and these."""
    bad = _visit(split, lambda index, image: None, threads)
    return split.select(_without(len(split), bad)) if bad else split, bad


def _visit(split: EncodedSplit, use: Callable[[int, Tensor], None], threads: int | None) -> list[BadFile]:
    def visit(start: int) -> list[BadFile]:
        bad = []
        for index in range(start, min(start + CHUNK, len(split))):
            try:
                use(index, split.load(index))
            except DataError as error:
                bad.append(BadFile(index, str(error)))
        return bad

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:  # decoders let other threads run
        return [bad for chunk in pool.map(visit, range(0, len(split), CHUNK)) for bad in chunk]


def _without(size: int, bad: Iterable[BadFile]) -> Tensor:
    keep = torch.ones(size, dtype=torch.bool)
    keep[[b.index for b in bad]] = False
    return keep.nonzero().squeeze(1)


def find_images(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images below a folder, sorted by path, and the files of other kinds; hidden ones are in neither.

    Raises:
        DataError: if a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror})") from error

    pictures: list[Path] = []
    others: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = [n for n in folders if not n.startswith(".") and not _leads_up(Path(parent) / n)]
        for name in names:
            if not name.startswith("."):
                known = Path(name).suffix.lower() in SUFFIXES
                (pictures if known else others).append(Path(parent) / name)
    return sorted(pictures), others


def _leads_up(folder: Path) -> bool:
    """Whether it is a link to a parent folder: following it would find every image again and again."""
    return folder.is_symlink() and folder.parent.resolve().is_relative_to(folder.resolve())


def encode(paths: Iterable[Path]) -> np.ndarray:
    """Paths as one array of bytes."""
    return np.array([os.fsencode(path) for path in paths], dtype=np.bytes_)
