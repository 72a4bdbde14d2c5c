"""Readers of the data sets that are not of the MNIST family. Each gives `Splits` of uint8 images.

The keyword-only arguments of a reader are the options of its data set (`data.image_size=64`).
"""

from pathlib import Path

import torch
from torch import Tensor

from rnnvision.checks import at_least, fraction
from rnnvision.checks import image_shape as image_shape_check
from rnnvision.data.images import MODES, SUFFIXES, open_image
from rnnvision.data.locate import download, find_folder, search_roots
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.seeding import derive_seed

LIKE_A_SPLIT = ("train", "training", "val", "valid", "validation", "test", "testing")


def read_digits(class_names: tuple[str, ...], root: str | None) -> Splits:
    """The 1,797 handwritten digits of 8 x 8 pixels that come inside scikit-learn, grey levels 0-16 stretched to 0-255.

    They have no official test split: ours is a fixed fifth, the same proportion of each class.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(digits.target).long()
    train, test = train_test_split(torch.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    everything = Split(images, labels)
    return Splits(everything.select(train), everything.select(test), class_names, origin="scikit-learn")


def read_cifar(name: str, torchvision_class: str, class_names: tuple[str, ...], root: str | None) -> Splits:
    """CIFAR-10 or CIFAR-100 by torchvision, each file checked against its published MD5.

    Raises:
        DataError: if it cannot be had, or a file is damaged; it names the file.
    """
    from torchvision import datasets
    from torchvision.datasets.utils import check_integrity

    dataset = getattr(datasets, torchvision_class)
    found = find_folder(root, (dataset.base_folder,), Path.is_dir)
    if found is None:
        archive = find_folder(root, (dataset.filename,), Path.is_file)
        here = str(archive[0]) if archive else root  # torchvision unpacks an archive that it finds
        download(name, here, "", (dataset.filename,), lambda target: dataset(target, download=True))
        base = search_roots(here)[0]
        found = base, base / dataset.base_folder
    base, folder = found
    names = (dataset.meta["filename"], dataset.meta["md5"])
    for file, md5 in (*dataset.train_list, *dataset.test_list, names):
        if not check_integrity(str(folder / file), md5):
            raise DataError(f"{folder / file} is missing or damaged; delete {folder} to have it downloaded again")
    splits = []
    for train in (True, False):
        part = dataset(base, train=train)
        splits.append(Split(torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(part.targets)))
    return Splits(splits[0], splits[1], class_names, origin=str(folder), root=str(base))


def read_image_folder(
    class_names: tuple[str, ...],
    root: str | None,
    *,
    image_size: int = 64,
    channels: int = 3,
    test_fraction: float = 0.2,
    split_seed: int = 0,
) -> Splits:
    """A user's own pictures: root/train/CLASS/*, with root/val and root/test where they exist, or root/CLASS/*.

    Shorter sides are resized to `image_size` and the middle square is kept. Without test/, val/ is the test split;
    without either, a fixed `test_fraction` chosen by `split_seed` is.

    Raises:
        ValueError: for an option out of range.
        DataError: for a folder without classes, an empty class, a class that train lacks, or a picture that cannot be
            read; it names the file or folder.
    """
    at_least("image_size", image_size, 1)
    fraction("test_fraction", test_fraction)
    if channels not in MODES:
        raise ValueError(f"channels={channels}: choose one of {', '.join(map(str, MODES))}")
    if root is None:
        raise DataError("data=image_folder needs data.root=FOLDER, which holds CLASS/*.jpg or train/CLASS/*.jpg")
    base = Path(root).expanduser().resolve()
    if not base.is_dir():
        raise DataError(f"data.root={root}: there is no such folder")
    parts = {part: base / part for part in ("train", "val", "test") if (base / part).is_dir()}
    folders = parts if "train" in parts else {"train": base}
    names = _class_folders(folders["train"])
    read = {part: _read_classes(folder, names, image_size, channels) for part, folder in folders.items()}
    if "test" in read:
        return Splits(read["train"], read["test"], names, origin=str(base), root=str(base), val=read.get("val"))
    if "val" in read:
        return Splits(read["train"], read["val"], names, origin=str(base), root=str(base))
    train, test = read["train"].divide(test_fraction, split_seed)
    return Splits(train, test, names, origin=str(base), root=str(base))


def _class_folders(folder: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))))
    if wrong := [name for name in names if name.lower() in LIKE_A_SPLIT]:
        raise DataError(
            f"{folder}: {', '.join(wrong)} is no class; name the splits train, val and test, beside each other"
        )
    if len(names) < 2:
        raise DataError(f"{folder}: holds {len(names)} class folders; a classifier needs two or more")
    return names


def _read_classes(folder: Path, names: tuple[str, ...], image_size: int, channels: int) -> Split:
    extra = sorted(set(_class_folders(folder)) - set(names))
    if extra:
        raise DataError(f"{folder}: holds classes that train lacks: {', '.join(extra)}")
    images, labels = [], []
    for label, name in enumerate(names):
        inside = ((p, p.relative_to(folder / name).parts) for p in (folder / name).glob("**/*"))
        visible = (p for p, parts in inside if not any(part.startswith(".") for part in parts))
        files = sorted(p for p in visible if p.suffix.lower() in SUFFIXES)
        if not files:
            raise DataError(f"{folder / name}: holds no picture ({', '.join(SUFFIXES)})")
        images += [_middle_square(open_image(file, channels), image_size) for file in files]
        labels += [label] * len(files)
    return Split(torch.stack(images), torch.tensor(labels))


def _middle_square(image: Tensor, size: int) -> Tensor:
    from torchvision.transforms.v2 import functional as F

    return F.center_crop(F.resize(image, [size], antialias=True), [size, size])


def read_fake(
    class_names: tuple[str, ...],
    root: str | None,
    *,
    image_shape: tuple[int, int, int] = (1, 28, 28),
    num_classes: int = 10,
    num_train: int = 2000,
    num_test: int = 500,
    noise: float = 0.25,
) -> Splits:
    """Made-up images that can be learned, for trials without data: a fixed random pattern a class, plus noise."""
    image_shape_check("image_shape", image_shape)
    at_least("num_classes", num_classes, 2)
    at_least("num_train", num_train, 2)
    at_least("num_test", num_test, 1)
    generator = torch.Generator().manual_seed(derive_seed("fake", *image_shape, num_classes))
    patterns = torch.rand(num_classes, *image_shape, generator=generator)

    def split(count: int) -> Split:
        labels = torch.arange(count) % num_classes
        images = patterns[labels] + noise * torch.randn(count, *image_shape, generator=generator)
        return Split(images.clamp(0, 1).mul(255).round().to(torch.uint8), labels)

    return Splits(split(num_train), split(num_test), tuple(str(i) for i in range(num_classes)), origin="made up")
