"""The catalog of data sets: facts and reader of each. Adding one takes an entry here and a file in conf/data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from rnnvision.data.sets import class_names as names
from rnnvision.data.sets.arrays import read_cifar, read_semeion, read_stl10, read_svhn, read_usps
from rnnvision.data.sets.builtin import read_digits, read_fake
from rnnvision.data.sets.csv_labels import read_csv
from rnnvision.data.sets.folders import read_image_folder, read_imagenet
from rnnvision.data.sets.mnist_family import Family, read_family
from rnnvision.data.sets.nist import read_emnist, read_qmnist
from rnnvision.data.sets.oxford import read_flowers102, read_pets
from rnnvision.data.sets.photos import read_eurosat, read_gtsrb, read_imagenette
from rnnvision.data.splits import Splits
from rnnvision.registry import Registry


@dataclass(frozen=True)
class Dataset:
    """Facts of one data set.

    Attributes:
        read: (class_names, root, **options) -> Splits.
        mean, std: of each channel over the training split, pixels in [0, 1], and where the figures come from.
        class_names: in the order of the labels; empty where they come from the data itself.
        needs_root: whether `root` has to be given, since it is looked for nowhere else.
        has_root: whether a folder is read at all.
    """

    read: Callable[..., Splits]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    class_names: tuple[str, ...] = ()
    needs_root: bool = False
    has_root: bool = True

    def normalisation(
        self, channels: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> dict[str, list[float]]:
        """Mean and standard deviation of each channel: those given, else those of the data set.

        Figures of the data set for another number of channels are averaged.

        Raises:
            ValueError: for another number of given values than of channels; one stands for all.
        """
        for argument, given in (("mean", mean), ("std", std)):
            if given is not None and len(given) not in (1, channels):
                raise ValueError(f"{argument}={list(given)}: give 1 value or {channels}, one for each channel")
        chosen = {"mean": mean or self.mean, "std": std or self.std}
        return {
            key: list(map(float, v)) if len(v) == channels else [sum(v) / len(v)] * channels
            for key, v in chosen.items()
        }


COMPUTED = "computed over the training split by scripts/dataset_facts.py"
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "ImageNet's, as torchvision's models use them"


def common(name: str) -> str:
    return f"the figures in common use for {name}'s training split"


MNIST = Family(
    "MNIST",
    ("MNIST/raw", "MNIST", "mnist"),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)
FASHION_MNIST = Family(
    "FashionMNIST",
    ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist"),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)
# No copy of KMNIST was available to compute digests from: counts and labels are verified, the content by torchvision's
# MD5 of the archives when it downloads them.
KMNIST = Family("KMNIST", ("KMNIST/raw", "KMNIST", "kmnist"), None)

CATALOG: Registry[Dataset] = Registry(
    "data set",
    {
        "digits": Dataset(read_digits, (0.3054,), (0.3760,), COMPUTED, names.DIGITS, has_root=False),
        "mnist": Dataset(partial(read_family, "mnist", MNIST), (0.1307,), (0.3081,), COMPUTED, names.DIGITS),
        "fashion_mnist": Dataset(
            partial(read_family, "fashion_mnist", FASHION_MNIST), (0.2860,), (0.3530,), COMPUTED, names.FASHION_MNIST
        ),
        "kmnist": Dataset(partial(read_family, "kmnist", KMNIST), (0.1918,), (0.3483,), common("KMNIST"), names.KMNIST),
        "emnist": Dataset(read_emnist, (0.1751,), (0.3332,), f"{common('EMNIST')}, for all of its options"),
        "qmnist": Dataset(read_qmnist, (0.1307,), (0.3081,), "MNIST's, whose training split it rebuilds", names.DIGITS),
        "usps": Dataset(read_usps, (0.2469,), (0.2989,), common("USPS"), names.DIGITS),
        "semeion": Dataset(
            read_semeion,
            (0.5,),
            (0.5,),
            "a choice: black becomes -1 and white 1; there is nothing between",
            names.DIGITS,
        ),
        "cifar10": Dataset(
            partial(read_cifar, "cifar10", "CIFAR10"),
            (0.4914, 0.4822, 0.4465),
            (0.2470, 0.2435, 0.2616),
            common("CIFAR-10"),
            names.CIFAR10,
        ),
        "cifar100": Dataset(
            partial(read_cifar, "cifar100", "CIFAR100"),
            (0.5071, 0.4865, 0.4409),
            (0.2673, 0.2564, 0.2762),
            common("CIFAR-100"),
            names.CIFAR100,
        ),
        "svhn": Dataset(
            read_svhn,
            (0.4377, 0.4438, 0.4728),
            (0.1980, 0.2010, 0.1970),
            f"{common('SVHN')}, without its extra part",
            names.DIGITS,
        ),
        "stl10": Dataset(read_stl10, (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713), common("STL-10"), names.STL10),
        "gtsrb": Dataset(read_gtsrb, (0.3403, 0.3121, 0.3214), (0.2724, 0.2608, 0.2669), common("GTSRB"), names.GTSRB),
        "eurosat": Dataset(
            read_eurosat,
            (0.344, 0.380, 0.408),
            (0.204, 0.137, 0.115),
            "the figures in common use for EuroSAT, all of its images, as far as they agree",
            names.EUROSAT,
        ),
        "imagenette": Dataset(read_imagenette, *IMAGENET, names.IMAGENETTE),
        "flowers102": Dataset(read_flowers102, *IMAGENET, names.FLOWERS102),
        "oxford_pets": Dataset(read_pets, *IMAGENET, names.OXFORD_PETS),
        "imagenet": Dataset(read_imagenet, *IMAGENET),
        "image_folder": Dataset(read_image_folder, *IMAGENET, needs_root=True),
        "csv": Dataset(read_csv, *IMAGENET, needs_root=True),
        "fake": Dataset(read_fake, (0.5,), (0.33,), COMPUTED, has_root=False),
    },
    rule=lambda entry: None if isinstance(entry, Dataset) else f"{entry} is no rnnvision.data.Dataset",
)
