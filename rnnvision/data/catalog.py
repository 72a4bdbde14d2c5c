"""The data sets: frozen facts, and how each is read. Adding one is an entry here and a file in conf/data."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from rnnvision.data.folders import read_image_folder, read_imagenet
from rnnvision.data.idx import Family, read_family
from rnnvision.data.readers import read_cifar, read_digits, read_fake
from rnnvision.data.splits import Splits


@dataclass(frozen=True)
class Dataset:
    """Facts of one data set.

    Attributes:
        read: (class_names, root, **options) -> Splits.
        mean, std: of each channel over the training split, pixels in [0, 1], and where the figures come from.
        class_names: in the order of the labels; empty where the data itself says them.
    """

    read: Callable[..., Splits]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str
    class_names: tuple[str, ...] = ()


DIGITS = tuple("0123456789")
COMPUTED = "computed over the training split by scripts/dataset_facts.py"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

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
# No copy of KMNIST was at hand to compute digests from: counts and labels are verified, content by torchvision's
# MD5 of the archives when it downloads them.
KMNIST = Family("KMNIST", ("KMNIST/raw", "KMNIST", "kmnist"), None)

CIFAR100_CLASSES = tuple(  # one word each, so that it stays a paragraph
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
    man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
    pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
    skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
    tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()  # noqa: SIM905
)

CATALOG: dict[str, Dataset] = {
    "digits": Dataset(read_digits, (0.3054,), (0.3760,), COMPUTED, DIGITS),
    "mnist": Dataset(partial(read_family, "mnist", MNIST), (0.1307,), (0.3081,), COMPUTED, DIGITS),
    "fashion_mnist": Dataset(
        partial(read_family, "fashion_mnist", FASHION_MNIST),
        (0.2860,),
        (0.3530,),
        COMPUTED,
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "kmnist": Dataset(
        partial(read_family, "kmnist", KMNIST),
        (0.1918,),
        (0.3483,),
        "the figures in common use for KMNIST's training split",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "cifar10": Dataset(
        partial(read_cifar, "cifar10", "CIFAR10"),
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        "the figures in common use for CIFAR-10's training split",
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    ),
    "cifar100": Dataset(
        partial(read_cifar, "cifar100", "CIFAR100"),
        (0.5071, 0.4865, 0.4409),
        (0.2673, 0.2564, 0.2762),
        "the figures in common use for CIFAR-100's training split",
        CIFAR100_CLASSES,
    ),
    "image_folder": Dataset(
        read_image_folder, IMAGENET_MEAN, IMAGENET_STD, "ImageNet's, as torchvision's models use them"
    ),
    "imagenet": Dataset(read_imagenet, IMAGENET_MEAN, IMAGENET_STD, "as torchvision's models use them"),
    "fake": Dataset(read_fake, (0.5,), (0.33,), COMPUTED),
}
