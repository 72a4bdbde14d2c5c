"""Readers of the MNIST family: IDX files, read in place, compressed or not, and verified after decompression.

torchvision says where they are published; it is not used to read them because it has to unpack into the data folder,
which may be read-only, and never checks the unpacked bytes: a flipped byte or 30 labels for 60,000 images load without
complaint.
"""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnvision.data.downloads.fetch import Source
from rnnvision.data.sets.locate import obtain
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.progress import done, work

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
COUNTS = {"train": 60_000, "t10k": 10_000}
KINDS: dict[str, tuple[int, np.dtype]] = {
    "unsigned bytes": (0x08, np.dtype(">u1")),
    "32-bit integers": (0x0C, np.dtype(">i4")),
}


class Family(NamedTuple):
    """One member: torchvision's class, the folders it may be in, and the SHA-256 of its four unpacked files."""

    torchvision_class: str
    folders: tuple[str, ...]
    digests: tuple[str, ...] | None


def read_family(name: str, family: Family, class_names: tuple[str, ...], root: str | None) -> Splits:
    """Read one member from the first search root that holds it, else download it.

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision import datasets

    dataset = getattr(datasets, family.torchvision_class)
    base, folder = obtain(
        name,
        root,
        family.folders,
        _is_complete,
        [_source(f"{file}.gz", family.folders[0], dataset) for file in FILES],
        by_content=family.digests is not None,  # all members have files of the same names
    )
    with work("reading files", total=len(FILES)):
        train, test = (_read_split(folder, part, family.digests, len(class_names)) for part in COUNTS)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def _source(file: str, folder: str, dataset: Any) -> Source:
    return Source(
        f"{folder}/{file}", tuple(f"{mirror}{file}" for mirror in dataset.mirrors), dict(dataset.resources)[file]
    )


def _is_complete(folder: Path) -> bool:
    return all(packed_or_not(folder, file).is_file() for file in FILES)


def packed_or_not(folder: Path, file: str) -> Path:
    """The path of an IDX file: of the compressed one if there is one."""
    packed = folder / f"{file}.gz"
    return packed if packed.is_file() else folder / file


def _read_split(folder: Path, part: str, digests: tuple[str, ...] | None, num_classes: int) -> Split:
    image_file, label_file = (file for file in FILES if file.startswith(part))
    published = dict(zip(FILES, digests, strict=True)) if digests else {}
    paths = packed_or_not(folder, image_file), packed_or_not(folder, label_file)
    images = read_idx(paths[0], published.get(image_file))
    labels = read_idx(paths[1], published.get(label_file))
    return checked_split(paths, images, labels, COUNTS[part], num_classes)


def checked_split(paths: tuple[Path, Path], images: Tensor, labels: Tensor, count: int, num_classes: int) -> Split:
    """Grey images of 28 x 28 pixels and their labels, as they were read from these two paths.

    Raises:
        DataError: that names the path, if they are not `count`, or a label is not in 0 ... num_classes - 1.
    """
    for path, values, shape in ((paths[0], images, (count, 28, 28)), (paths[1], labels, (count,))):
        if values.shape != shape:
            raise DataError(f"{path} is damaged: it holds {tuple(values.shape)}, not {shape}")
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < num_classes:
            raise DataError(f"{paths[1]} is damaged: label {label} of {num_classes} classes")
    return Split(images.unsqueeze(1), labels.long())


def read_idx(path: Path, digest: str | None = None, kind: str = "unsigned bytes") -> Tensor:
    """One IDX file, with gzip or without; format: http://yann.lecun.com/exdb/mnist. `kind` is one of `KINDS`.

    Raises:
        DataError: that names the file, if it is truncated, is no such IDX file, or its unpacked bytes have another
            digest.
    """
    code, layout = KINDS[kind]
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        beside = path.with_suffix("")
        instead = f"delete it to have {beside.name} read" if beside.is_file() else "put the published file in its place"
        raise DataError(f"{path} is damaged: {error}; {instead}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != code:
        raise DataError(f"{path} is damaged: it is no IDX file of {kind}")
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if len(content) - start != torch.Size(shape).numel() * layout.itemsize:
        raise DataError(f"{path} is damaged: {len(content) - start} bytes for values of shape {tuple(shape)}")
    if len(content) == start:
        raise DataError(f"{path} is damaged: it holds nothing")
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path} is damaged: its content is not the published one (SHA-256 after unpacking)")
    done()
    values = np.frombuffer(content, layout, offset=start)
    return torch.from_numpy(values.astype(layout.newbyteorder("="))).reshape(shape)
