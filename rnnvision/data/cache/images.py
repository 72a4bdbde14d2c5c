"""What decoding gives of each image file, kept on disk from run to run, and the fingerprint of its content.

An image is found again by the path, size, inode and times of its file, and by everything that decides a pixel: all
options of the `View`, the versions of the libraries that decode, and the code that calls them.
"""

import hashlib
import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import features
from torch import Tensor

from rnnvision.checks import counted
from rnnvision.data import images
from rnnvision.data.cache.pool import Found, Pool, files_of_pools
from rnnvision.data.cache.rows import KEY_BYTES
from rnnvision.data.files import BadFile, EncodedSplit, FileSplit, read_all
from rnnvision.data.membership import BLOCK, NOT_COMPARED, WHOLE, fingerprints
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.data.store import cache_root

LIMIT = 10 * 2**30  # bytes in the user's cache; a folder that the user names may hold any number
Made = tuple[Tensor, np.ndarray, dict[int, BadFile]]  # rows, the indices that they are of, and what has none
LIBRARIES = ("jpg", "libjpeg_turbo", "jpg_2000", "zlib", "zlib_ng", "libtiff", "webp", "avif")  # of Pillow


def cache_folder() -> Path:
    """Where decoded images are kept, unless another folder is named."""
    return cache_root() / "images"


def cache_size() -> int:
    """Bytes of what is kept there."""
    try:
        return sum(size for _, size, _ in files_of_pools(cache_folder()))
    except DataError:  # no such place
        return 0


def cached(splits: Splits, cache: bool | str) -> Splits:
    """The splits, of which image files have a cache: in the folder `cache`, or for True in that of the user."""
    if not cache:
        return splits
    try:
        folder, limit = (Path(cache), None) if isinstance(cache, str) else (cache_folder(), LIMIT)
    except DataError as error:
        return replace(splits, notes=(*splits.notes, f"decoded images are not cached: {error}"))
    known = ImageCache(folder, limit, splits.root or splits.origin)
    parts: dict[str, Any] = {
        name: replace(part, cache=known) for name, part in splits.parts().items() if isinstance(part, FileSplit)
    }
    return replace(splits, **parts)


def of_cache(splits: Splits) -> str:
    """What of these splits came from a cache, in words; "" for nothing."""
    found = (part.files if isinstance(part, Split) else part for part in splits.parts().values())
    return next((part.cache.summary() for part in found if isinstance(part, FileSplit) and part.cache), "")


def read_once(split: EncodedSplit) -> tuple[Split, list[BadFile]]:
    """Every image of a split in memory, and the bad files, as `read_all` gives them; of the cache what it has."""
    if isinstance(split, FileSplit) and split.cache is not None:
        return split.cache.read(split)
    return read_all(split)


def not_cached(split: EncodedSplit) -> EncodedSplit:
    """The images of a split that would have to be decoded."""
    return split.cache.lacking(split) if isinstance(split, FileSplit) and split.cache is not None else split


class ImageCache:
    """The cache of the image files of one folder.

    Args:
        folder: of all caches.
        limit: of the bytes in it; None for none.
        root: the folder of the images.
    """

    def __init__(self, folder: Path, limit: int | None, root: str) -> None:
        self.folder, self.limit, self.root = folder, limit, root
        self.known = self.decoded = 0  # images
        self.fault = ""  # why what was decoded is not kept

    def read(self, split: FileSplit) -> tuple[Split, list[BadFile]]:
        """What `read_all` gives of this split; what is not here is decoded, and then is."""
        made: list[int] = []

        def decode(missing: np.ndarray) -> Made:
            decoded, bad = read_all(split.select(torch.from_numpy(missing)))
            made[:] = missing.tolist()
            refused = {int(missing[file.index]): replace(file, index=int(missing[file.index])) for file in bad}
            return decoded.images, np.array([i for i in made if i not in refused], dtype=np.int64), refused

        images, good, refused = self._filled(self._pool_of(split), file_keys(split.files), decode)
        self.known += len(split) - len(made)
        self.decoded += len(made)
        kept = split.select(torch.from_numpy(good)) if refused else split
        return Split(images, kept.labels, kept), [refused[index] for index in sorted(refused)]

    def lacking(self, split: FileSplit) -> FileSplit:
        """The images of a split that are not here."""
        found = self._pool_of(split).find(file_keys(split.files))
        return split.select(torch.from_numpy((~found.has_row).nonzero()[0]))

    def fingerprints(self, files: np.ndarray) -> Tensor:
        """What `rnnvision.data.membership.fingerprints` gives of these files; only what is not here is read."""

        def read(missing: np.ndarray) -> Made:
            found = fingerprints([os.fsdecode(files[i]) for i in missing])
            compared = (found != NOT_COMPARED).numpy()
            return found[compared].view(torch.uint8).reshape(-1, 8), missing[compared], {}

        rows, index, _ = self._filled(self._pool((8,), {"fingerprints": [BLOCK, WHOLE]}), file_keys(files), read)
        prints = torch.full((len(files),), NOT_COMPARED, dtype=torch.int64)
        prints[torch.from_numpy(index)] = rows.reshape(-1).view(torch.int64)
        return prints

    def summary(self) -> str:
        """Where the images came from, for the line of the data; "" before any is read."""
        if self.fault:
            return f"not cached: {self.folder}: {self.fault}"
        if not self.known + self.decoded:
            return ""
        if not self.known:
            return f"{counted(self.decoded, 'image')} decoded and kept in {self.folder}"
        rest = f", {self.decoded:,} decoded" if self.decoded else ""
        return f"{counted(self.known, 'image')} from the cache {self.folder}{rest}"

    def _pool_of(self, split: FileSplit) -> Pool:
        return self._pool(split.image_shape, {"view": asdict(split.view), "decoders": decoders()})

    def _pool(self, shape: tuple[int, ...], decides: dict[str, Any]) -> Pool:
        about = {"root": self.root, **decides}
        name = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
        return Pool(self.folder / name, shape, about, self.limit)

    def _filled(
        self, pool: Pool, keys: list[bytes], make: Callable[[np.ndarray], Made]
    ) -> tuple[Tensor, np.ndarray, dict[int, BadFile]]:
        """The rows of these keys, the indices of those that have one, and the other files; what is missing is made."""
        found = pool.find(keys)
        if not found.missing.size:
            return _as_they_are(found, pool.shape)
        with pool.lock():
            found = pool.find(keys)  # another run may have made them meanwhile
            if not found.missing.size:
                return _as_they_are(found, pool.shape)
            rows, index, refused = make(found.missing)
            lasting = {keys[i]: file.reason for i, file in refused.items() if keys[i] and not file.passing}
            has_key = np.array([bool(keys[i]) for i in index], dtype=bool)
            try:
                pool.add([keys[i] for i in index[has_key]], rows[torch.from_numpy(has_key)], lasting)
            except OSError as error:
                self.fault = error.strerror or str(error)
            else:
                found = pool.find(keys)
        images, before, known = _as_they_are(found, pool.shape)
        if len(rest := np.setdiff1d(index, before)):
            fresh = rows[torch.from_numpy(np.searchsorted(index, rest))]
            both = np.concatenate([before, rest])
            images, before = torch.cat([images, fresh])[torch.from_numpy(np.argsort(both))], np.sort(both)
        return images, before, {**known, **refused}


def _as_they_are(found: Found, shape: tuple[int, ...]) -> tuple[Tensor, np.ndarray, dict[int, BadFile]]:
    refused = {index: BadFile(index, reason) for index, reason in found.reasons.items()}
    return found.rows(shape), found.has_row.nonzero()[0], refused


def file_keys(files: np.ndarray) -> list[bytes]:
    """What each file is known by: a hash of its path, size, inode, and times of content and status; b"" without a file.

    The time of the status changes even where a program puts the other one back. Files that were written together may
    share both times, and a link may lead to another one of them: the inode tells.
    """
    return [_file_key(bytes(file)) for file in files]


def _file_key(file: bytes) -> bytes:
    try:
        status = os.stat(file)  # noqa: PTH116  # a Path would take half of the time
    except (OSError, ValueError):
        return b""
    facts = f"\0{status.st_size} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    return hashlib.blake2b(file + facts.encode(), digest_size=KEY_BYTES).digest()


@lru_cache(maxsize=1)
def decoders() -> dict[str, Any]:
    """What decides the pixels of a file beside its view: versions of libraries, the code that calls them, the CPU."""
    code = hashlib.sha256()
    for path in sorted(Path(images.__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return {
        "torch": torch.__version__,
        "torchvision": version("torchvision"),
        "pillow": PIL.__version__,
        "libraries": {name: features.version(name) for name in LIBRARIES},
        "code": code.hexdigest(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),  # resizing has kernels of its own for each
    }
