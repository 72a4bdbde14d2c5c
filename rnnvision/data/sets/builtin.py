"""Readers of the data sets that need no files: scikit-learn's digits and made-up images.

The keyword-only arguments of a reader are the options of its data set (`data.image_size=64`).
"""

import math
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from rnnvision.checks import at_least, number
from rnnvision.checks import image_shape as image_shape_check
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.seeding import derive_seed

MOST_FAKE = 2**30  # values of the images of a split, which are made as float32


def read_digits(class_names: tuple[str, ...], root: str | None) -> Splits:
    """The 1,797 handwritten digits of 8 x 8 pixels that come inside scikit-learn, grey levels 0-16 scaled to 0-255.

    They have no official test split: ours is a fixed fifth, the same proportion of each class.
    """
    package = find_spec("sklearn")  # which need not be imported for a file of it: that takes a second
    if package is None or package.origin is None:
        raise DataError("digits: come inside scikit-learn, which is not here; pip install scikit-learn")
    rows = np.loadtxt(Path(package.origin).with_name("datasets") / "data" / "digits.csv.gz", delimiter=",")
    pixels, labels = torch.from_numpy(rows).split([64, 1], dim=1)  # (N, 64), (N, 1)
    images = (pixels * (255 / 16)).round().to(torch.uint8).reshape(-1, 1, 8, 8)
    labels = labels.flatten().long()
    return Splits(*Split(images, labels).fixed_fifth(), class_names, origin="scikit-learn")


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
    """Synthetic images that can be learned, for trials without data: a fixed random pattern per class, plus noise."""
    image_shape_check("image_shape", image_shape)
    if math.prod(image_shape) > MOST_FAKE // 4:
        raise ValueError(f"image_shape={list(image_shape)}: has too many values; at most {MOST_FAKE // 4:,}")
    at_least("num_classes", num_classes, 2)
    at_least("num_train", num_train, 2)
    at_least("num_test", num_test, 1)
    number("noise", noise, 1000.0)
    most = MOST_FAKE // math.prod(image_shape)
    for name, count in (("num_classes", num_classes), ("num_train", num_train), ("num_test", num_test)):
        if count > most:
            raise ValueError(f"{name}={count}: too many images of this size; at most {most}")
    generator = torch.Generator().manual_seed(derive_seed("fake", *image_shape, num_classes))
    patterns = torch.rand(num_classes, *image_shape, generator=generator)

    def split(count: int) -> Split:
        labels = torch.arange(count) % num_classes
        images = patterns[labels] + noise * torch.randn(count, *image_shape, generator=generator)
        return Split(images.clamp(0, 1).mul(255).round().to(torch.uint8), labels)

    return Splits(split(num_train), split(num_test), tuple(str(i) for i in range(num_classes)), origin="made up")
