"""Readers of the data sets that are not of the MNIST family. Each gives `Splits` of uint8 images.

The keyword-only arguments of a reader are the options of its data set (`data.image_size=64`).
"""

from pathlib import Path

import torch

from rnnvision.checks import at_least
from rnnvision.checks import image_shape as image_shape_check
from rnnvision.data.locate import download, find_folder, search_roots
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.seeding import derive_seed


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
