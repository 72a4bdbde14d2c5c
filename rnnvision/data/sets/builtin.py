"""Readers of the data sets that need no files: scikit-learn's digits and made-up images.

The keyword-only arguments of a reader are the options of its data set (`data.image_size=64`).
"""

import torch

from rnnvision.checks import at_least
from rnnvision.checks import image_shape as image_shape_check
from rnnvision.data.splits import Split, Splits
from rnnvision.seeding import derive_seed


def read_digits(class_names: tuple[str, ...], root: str | None) -> Splits:
    """The 1,797 handwritten digits of 8 x 8 pixels that come inside scikit-learn, grey levels 0-16 scaled to 0-255.

    They have no official test split: ours is a fixed fifth, the same proportion of each class.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images * (255 / 16)).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(digits.target).long()
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
