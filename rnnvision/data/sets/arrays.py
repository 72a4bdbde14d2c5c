"""Readers of data sets in a few files, with images of one size: CIFAR, STL-10, SVHN, USPS, Semeion.

torchvision says where they are published and reads them; each file is checked against the MD5 that it holds of it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnvision.checks import flags
from rnnvision.data.downloads.fetch import Source, wrong_md5
from rnnvision.data.sets.locate import obtain, unpack_again
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.progress import done, work


def read_cifar(name: str, torchvision_class: str, class_names: tuple[str, ...], root: str | None) -> Splits:
    """CIFAR-10 or CIFAR-100 (Krizhevsky, 2009).

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision import datasets

    dataset = getattr(datasets, torchvision_class)
    files = (*dataset.train_list, *dataset.test_list, (dataset.meta["filename"], dataset.meta["md5"]))
    archives = [Source(dataset.filename, (dataset.url,), dataset.tgz_md5, packed=True)]
    base, folder = obtain(
        name,
        root,
        (dataset.base_folder,),
        lambda f: any((f / file).is_file() for file, _ in files),
        archives,
    )
    _verify(folder, files, base, archives)
    there = type(torchvision_class, (dataset,), {"base_folder": folder.name})  # whatever the folder is called

    def read(train: bool) -> Split:
        found = there(folder.parent, train=train)
        return _split(found.data.transpose(0, 3, 1, 2), found.targets)

    return Splits(read(True), read(False), class_names, origin=str(folder), root=str(base))


def read_stl10(class_names: tuple[str, ...], root: str | None) -> Splits:
    """The labelled parts of STL-10 (Coates, Ng and Lee, 2011): 5,000 for training, 8,000 for test; no folds.

    The file of the 100,000 unlabelled images is not read, and need not be there.

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision.datasets import STL10

    parts = STL10.train_list[:2], STL10.test_list
    files = [file for part in parts for file in part]
    archives = [Source(STL10.filename, (STL10.url,), STL10.tgz_md5, packed=True)]
    base, folder = obtain(
        "stl10",
        root,
        (STL10.base_folder,),
        lambda f: any((f / file).is_file() for file, _ in files),
        archives,
    )
    _verify(folder, files, base, archives)

    def read(images: str, labels: str) -> Split:
        pixels = np.fromfile(folder / images, np.uint8).reshape(-1, 3, 96, 96)
        return _split(pixels.transpose(0, 1, 3, 2), np.fromfile(folder / labels, np.uint8).astype(int) - 1)

    train, test = (read(images[0], labels[0]) for images, labels in parts)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def read_svhn(class_names: tuple[str, ...], root: str | None, *, extra: bool = False) -> Splits:
    """Street View House Numbers (Netzer et al., 2011), the format of cropped digits; the class is the digit.

    `extra` adds the 531,131 easier images to the 73,257 of the training split: 1.9 GB in memory.

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision.datasets import SVHN

    flags(extra=extra)
    wanted = ("train", "test", "extra") if extra else ("train", "test")
    base, folder = _obtain_files("svhn", root, [SVHN.split_list[part] for part in wanted])

    def read(part: str) -> Split:
        found = SVHN(folder, part)
        return _split(found.data, found.labels)

    splits = {part: read(part) for part in wanted}
    train = splits["train"]
    if extra:
        more = splits.pop("extra")
        train = Split(torch.cat([train.images, more.images]), torch.cat([train.labels, more.labels]))
    return Splits(train, splits["test"], class_names, origin=str(folder), root=str(base))


def read_usps(class_names: tuple[str, ...], root: str | None) -> Splits:
    """USPS (Hull, 1994): scanned digits of envelopes, 7,291 for training and 2,007 for test, in LIBSVM's format.

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision.datasets import USPS

    base, folder = _obtain_files("usps", root, [USPS.split_list[part] for part in ("train", "test")])

    def read(train: bool) -> Split:
        found = USPS(folder, train=train)
        return _split(found.data[:, None], found.targets)

    return Splits(read(True), read(False), class_names, origin=str(folder), root=str(base))


def read_semeion(class_names: tuple[str, ...], root: str | None) -> Splits:
    """Semeion (Buscema, 1998): 1,593 handwritten digits in black and white, white on black here.

    They have no official test split: ours is a fixed fifth, the same proportion of each class.

    Raises:
        DataError: if it cannot be obtained, or the file is damaged; the message names the file.
    """
    from torchvision.datasets import SEMEION

    base, folder = _obtain_files("semeion", root, [(SEMEION.url, SEMEION.filename, SEMEION.md5_checksum)])
    found = SEMEION(folder, download=False)
    everything = _split(found.data[:, None], found.labels)
    return Splits(*everything.fixed_fifth(), class_names, origin=str(folder), root=str(base))


def _split(images: np.ndarray, labels: Any) -> Split:
    return Split(torch.from_numpy(np.ascontiguousarray(images)), torch.as_tensor(labels).long())


def _obtain_files(name: str, root: str | None, files: Iterable[Sequence[str]]) -> tuple[Path, Path]:
    """Files given as (url, name, MD5): in a search root itself, as in torchvision, or in a folder of their name.

    Raises:
        DataError: if they cannot be obtained, or one has another MD5.
    """
    sources = [Source(file, (url,), md5) for url, file, md5 in files]
    folders = ("", name, name.upper())
    base, folder = obtain(name, root, folders, lambda f: all((f / s.path).is_file() for s in sources), sources)
    with work("checking files", total=len(sources)):
        for source in sources:
            if fault := wrong_md5(folder / source.path, source.md5):
                raise DataError(f"{fault}; put the published file in its place")
            done()
    return base, folder


def _verify(folder: Path, files: Sequence[Sequence[str]], root: Path, archives: Sequence[Source]) -> None:
    """Check files of an archive against their MD5, given as (name, MD5)."""
    with work("checking files", total=len(files)):
        for file, md5 in files:
            path = folder / file
            if fault := wrong_md5(path, md5) if path.is_file() else f"{path} is missing":
                raise DataError(f"{fault}; {unpack_again(folder, root, archives)}")
            done()
