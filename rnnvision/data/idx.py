"""The MNIST family: IDX files, read where they lie, packed or not, and verified after unpacking.

torchvision downloads them; it is not used to read them because it needs to unpack into the data folder, which may be
read-only, and never looks at the unpacked bytes: a flipped byte or 30 labels for 60,000 images load without complaint.
"""

import gzip
import hashlib
import zlib
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rnnvision.data.locate import download, find_folder
from rnnvision.data.splits import DataError, Split, Splits

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
COUNTS = {"train": 60_000, "t10k": 10_000}
UBYTE = 0x08


class Family(NamedTuple):
    """One member: torchvision's class, the folders it may lie in, and the SHA-256 of its four unpacked files."""

    torchvision_class: str
    folders: tuple[str, ...]
    digests: tuple[str, ...] | None


def read_family(name: str, family: Family, class_names: tuple[str, ...], root: str | None) -> Splits:
    """Read one member from the first search root that holds it, else download it.

    Raises:
        DataError: if it cannot be had, or a file is damaged; it names the file.
    """
    found = find_folder(root, family.folders, _is_complete)
    if found is None:
        fetch = partial(_download, family.torchvision_class)
        download(name, root, family.folders[0], tuple(f"{f}.gz" for f in FILES), fetch)
        found = find_folder(root, family.folders, _is_complete)
    if found is None:
        raise DataError(f"{name}: the download left no {FILES[0]} in {family.folders[0]}")
    base, folder = found
    train, test = (_read_split(folder, part, family.digests, len(class_names)) for part in COUNTS)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def _is_complete(folder: Path) -> bool:
    return all(_path(folder, file).is_file() for file in FILES)


def _path(folder: Path, file: str) -> Path:
    packed = folder / f"{file}.gz"
    return packed if packed.is_file() else folder / file


def _download(torchvision_class: str, root: Path) -> None:
    from torchvision import datasets

    getattr(datasets, torchvision_class)(root, download=True)


def _read_split(folder: Path, part: str, digests: tuple[str, ...] | None, num_classes: int) -> Split:
    image_file, label_file = (file for file in FILES if file.startswith(part))
    published = dict(zip(FILES, digests, strict=True)) if digests else {}
    images = read_idx(_path(folder, image_file), published.get(image_file))
    labels = read_idx(_path(folder, label_file), published.get(label_file))
    for file, values, shape in ((image_file, images, (COUNTS[part], 28, 28)), (label_file, labels, (COUNTS[part],))):
        if values.shape != shape:
            raise DataError(f"{_path(folder, file)} is damaged: it holds {tuple(values.shape)}, not {shape}")
    if int(labels.max()) >= num_classes:
        raise DataError(f"{_path(folder, label_file)} is damaged: label {int(labels.max())} of {num_classes} classes")
    return Split(images.unsqueeze(1), labels.long())


def read_idx(path: Path, digest: str | None = None) -> Tensor:
    """One IDX file of unsigned bytes, packed with gzip or not; format: http://yann.lecun.com/exdb/mnist.

    Raises:
        DataError: that names the file, if it is cut short, is no IDX file, or its unpacked bytes have another digest.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}; delete it to have it downloaded again") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UBYTE:
        raise DataError(f"{path} is damaged: it is no IDX file of unsigned bytes")
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if len(content) - start != torch.Size(shape).numel():
        raise DataError(f"{path} is damaged: {len(content) - start} bytes for values of shape {tuple(shape)}")
    if len(content) == start:
        raise DataError(f"{path} is damaged: it holds nothing")
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        raise DataError(f"{path} is damaged: its content is not the published one (SHA-256 after unpacking)")
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)
