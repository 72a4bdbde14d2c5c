"""Small data sets in the layouts of the real ones, written by the tests."""

import gzip
import hashlib
from pathlib import Path

import torch
from torch import Tensor

from rnnvision.data.sets.mnist_family import FILES, Family

COUNTS = {"train": 6, "t10k": 4}
FOLDER = "MNIST/raw"


def idx_bytes(values: Tensor) -> bytes:
    """An IDX file of unsigned bytes, as its format page describes it."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    return header + values.to(torch.uint8).numpy().tobytes()


def family_contents(seed: int = 0) -> dict[str, bytes]:
    """The four files of a family with few images, unpacked."""
    generator = torch.Generator().manual_seed(seed)
    images = {part: torch.randint(256, (n, 28, 28), generator=generator) for part, n in COUNTS.items()}
    labels = {part: torch.randint(10, (n,), generator=generator) for part, n in COUNTS.items()}
    values = [images["train"], labels["train"], images["t10k"], labels["t10k"]]
    return {file: idx_bytes(v) for file, v in zip(FILES, values, strict=True)}


CONTENTS = family_contents()
DIGESTS = tuple(hashlib.sha256(CONTENTS[file]).hexdigest() for file in FILES)
VERIFIED = Family("MNIST", (FOLDER, "MNIST", "mnist"), DIGESTS)
UNVERIFIED = VERIFIED._replace(digests=None)


def write_family(folder: Path, contents: dict[str, bytes] = CONTENTS, *, packed: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in contents.items():
        if packed:
            (folder / f"{file}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / file).write_bytes(content)


def flip(content: bytes, position: int) -> bytes:
    """The same with one byte changed."""
    changed = bytearray(content)
    changed[position] ^= 0xFF
    return bytes(changed)


def tree(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """Everything under a folder: names, times of modification, contents."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in (folder, *folder.rglob("*"))
    }
