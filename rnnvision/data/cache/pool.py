"""A pool: a folder of files of rows that grows. Any number of processes read it, and write it, at the same time.

A file appears under its name when it is whole, and never changes: a reader sees all of it or none, a writer that is
killed leaves a part that nobody reads.
"""

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnvision.data.cache.rows import DamagedError, RowFile, read_rows, write_rows
from rnnvision.data.downloads.lock import held
from rnnvision.disk import LEFT_FREE

ROWS, PART, LOCK, ABOUT = ".rows", ".part", "lock", "about.json"
MOST_FILES = 16  # of a pool; then the small ones are made one
IN_USE = 86_400.0  # seconds since it was used last, within which a file may be mapped
WAITING = "cache     waiting for another run, which is decoding these images"
ABANDONED = 3600.0  # seconds after which the part of a file is nobody's any more


@dataclass(frozen=True, eq=False)
class Found:
    """What a pool has for N keys.

    Attributes:
        places: int64 (N, 2), the number of the file and of the row there; -1 where there is none.
        reasons: for those that have no row, why.
    """

    files: list[RowFile]
    places: np.ndarray
    reasons: dict[int, str]

    @property
    def has_row(self) -> np.ndarray:
        """bool (N,)."""
        return self.places[:, 0] >= 0

    @property
    def missing(self) -> np.ndarray:
        """Indices of the keys that the pool does not know."""
        unknown = ~self.has_row
        unknown[list(self.reasons)] = False
        return unknown.nonzero()[0]

    def rows(self, shape: tuple[int, ...]) -> Tensor:
        """uint8 (those that have a row, *shape): mapped where they lie side by side in a large file, else a copy.

        A small file may be merged by a run on another machine, and a mapping would then lose it.
        """
        places = self.places[self.has_row]
        if not len(places):
            return torch.empty(0, *shape, dtype=torch.uint8)
        file, first = places[0]
        if (places[:, 0] == file).all() and (np.diff(places[:, 1]) == 1).all() and not self.files[file].is_small:
            return torch.from_numpy(self.files[file].rows[first : first + len(places)])
        copy = np.empty((len(places), *shape), np.uint8)
        for number in np.unique(places[:, 0]):
            here = places[:, 0] == number
            copy[here] = self.files[number].rows[places[here, 1]]
        return torch.from_numpy(copy)


class Pool:
    """Rows of one shape.

    Args:
        folder: of this pool alone.
        shape: of a row.
        about: what the rows are, for a person who looks into the folder.
        limit: of the bytes of all pools beside this one, beyond which those go that were used longest ago; None for no
            limit.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], about: Mapping[str, Any], limit: int | None) -> None:
        self.folder, self.shape, self.about, self.limit = folder, shape, about, limit

    def find(self, keys: Sequence[bytes]) -> Found:
        """What is here for each key; damaged files are told, and what is damaged of them is missing."""
        files = self._files()
        known = {key: (n, row) for n, file in enumerate(files) for row, key in enumerate(file.keys)}
        reasons = {key: why for file in files for key, why in file.reasons.items()}
        places = np.array([known.get(key, (-1, -1)) for key in keys], dtype=np.int64).reshape(-1, 2)
        for number in np.unique(places[:, 0]):
            if number < 0:
                continue
            used = (places[:, 0] == number).nonzero()[0]
            intact = files[number].intact(places[used, 1])
            if not intact.all():
                places[used[~intact]] = -1
                self._tell(files[number].path, f"{np.count_nonzero(~intact):,} of its rows")
                self._merge([files[number]])
            else:
                with suppress(OSError):
                    os.utime(files[number].path)  # when it was used last
        has_none = {i: reasons[key] for i, key in enumerate(keys) if places[i, 0] < 0 and key in reasons}
        return Found(files, places, has_none)

    def add(self, keys: Sequence[bytes], rows: Tensor, reasons: Mapping[bytes, str]) -> None:
        """Keep rows uint8 (N, *shape), and for other keys why they have none.

        Raises:
            OSError: if they cannot be written, or there is no room for them.
        """
        self._write(keys, rows.contiguous().numpy(), reasons)
        files = self._files()
        small = [file for file in files if file.is_small]
        if len(files) > MOST_FILES and len(small) > 1:
            self._merge(small)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock of the pool, so that runs which start together do not all do the same work."""
        with suppress(OSError):  # whoever writes is told
            self._make_folder()
        with held(self.folder / LOCK, WAITING):
            yield

    def _files(self) -> list[RowFile]:
        files = []
        for path in _with_ending(self.folder, ROWS):
            try:
                files.append(read_rows(path, self.shape))
            except DamagedError:
                self._tell(path, "it")
                with suppress(OSError):
                    path.unlink()
            except OSError:  # gone since, or somebody else's
                continue
        return files

    def _write(self, keys: Sequence[bytes], rows: np.ndarray, reasons: Mapping[bytes, str]) -> None:
        self._make_folder()
        self._make_room(rows.nbytes)
        number, part = tempfile.mkstemp(PART, "", self.folder)  # which only the user may read
        try:
            with os.fdopen(number, "wb") as file:
                write_rows(file, keys, rows, reasons)
            Path(part).replace(self.folder / f"{time.time_ns():020}-{os.getpid()}{ROWS}")
        finally:
            with suppress(OSError):
                Path(part).unlink()

    def _merge(self, files: Sequence[RowFile]) -> None:
        """One file in place of several, without the rows of theirs that are damaged."""
        good = [file.intact(np.arange(len(file.keys))).nonzero()[0] for file in files]
        rows = np.concatenate([file.rows[kept] for file, kept in zip(files, good, strict=True)])
        keys = [file.keys[i] for file, kept in zip(files, good, strict=True) for i in kept]
        with suppress(OSError):
            self._write(keys, rows, {key: why for file in files for key, why in file.reasons.items()})
            for file in files:
                file.path.unlink(missing_ok=True)  # who has mapped it keeps it

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.mkdir(exist_ok=True, mode=0o700)
        if not (about := self.folder / ABOUT).exists():
            about.write_text(json.dumps(self.about, indent=1))

    def _make_room(self, needed: int) -> None:
        """Check that so many bytes may be written, once what was used longest ago has made room for them.

        Raises:
            OSError: if they may not.
        """
        for part in self.folder.glob(f"*{PART}"):
            with suppress(OSError):
                if part.stat().st_mtime < time.time() - ABANDONED:
                    part.unlink()
        if shutil.disk_usage(self.folder).free < needed + LEFT_FREE:
            raise OSError(errno.ENOSPC, "the disk is full")
        if self.limit is None:
            return
        if needed > self.limit:
            gib = needed / 2**30, self.limit / 2**30
            raise OSError(errno.ENOSPC, f"{gib[0]:,.1f} GiB are more than the {gib[1]:,.1f} that it may hold in all")
        files = sorted(files_of_pools(self.folder.parent))
        total = sum(size for _, size, _ in files)
        for used, size, path in files:
            if total + needed <= self.limit or used > time.time() - IN_USE:
                break
            path.unlink(missing_ok=True)
            total -= size
        if total + needed > self.limit:
            raise OSError(errno.ENOSPC, f"all of its {self.limit / 2**30:,.1f} GiB were used within a day")

    @staticmethod
    def _tell(path: Path, what: str) -> None:
        print(f"cache     {path}: {what} was damaged; what is lost is decoded again", flush=True)


def files_of_pools(root: Path) -> Iterable[tuple[float, int, Path]]:
    """When each file of the pools in a folder was used last, its size and its path."""
    for pool in _with_ending(root, ""):
        with suppress(OSError):
            if not (pool / ABOUT).is_file():
                continue
        for path in _with_ending(pool, ROWS):
            with suppress(OSError):
                status = path.stat()
                yield status.st_mtime, status.st_size, path


def _with_ending(folder: Path, ending: str) -> list[Path]:
    """What is in a folder whose name ends so, sorted; nothing where it is missing, or somebody else's."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except OSError:  # `Path.glob` would raise some of them
        return []
