"""Readers of EMNIST and QMNIST: digits and letters of NIST's Special Database 19, as IDX files, compressed or not."""

from pathlib import Path

from rnnvision.checks import one_of
from rnnvision.data.downloads.fetch import Source, wrong_md5
from rnnvision.data.sets.locate import obtain
from rnnvision.data.sets.mnist_family import checked_split, packed_or_not, read_idx
from rnnvision.data.splits import DataError, Split, Splits
from rnnvision.progress import work

PARTS = ("train", "test")
# Images in the files of each split for training and for test. There are two editions of the letters.
EMNIST_COUNTS: dict[str, dict[str, tuple[int, ...]]] = {
    "byclass": {"train": (697_932,), "test": (116_323,)},
    "bymerge": {"train": (697_932,), "test": (116_323,)},
    "balanced": {"train": (112_800,), "test": (18_800,)},
    "letters": {"train": (124_800, 88_800), "test": (20_800, 14_800)},
    "digits": {"train": (240_000,), "test": (40_000,)},
    "mnist": {"train": (60_000,), "test": (10_000,)},
}
QMNIST_COUNT = 60_000


def read_emnist(class_names: tuple[str, ...], root: str | None, *, split: str = "balanced") -> Splits:
    """EMNIST (Cohen et al., 2017, arXiv:1702.05373), whose `split` sets which characters are classes, and how many.

    Its files hold transposed images, which are upright here, and number the letters from 1, here from 0.

    Raises:
        ValueError: for an unknown split.
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision.datasets import EMNIST

    one_of("split", split, EMNIST_COUNTS)
    # torchvision names the label 0 of the letters, which none has, "N/A"
    names = tuple(name for name in EMNIST.classes_split_dict[split] if name != "N/A")
    first = len(EMNIST.classes_split_dict[split]) - len(names)
    files = {
        part: tuple(f"emnist-{split}-{part}-{kind}-ubyte" for kind in ("images-idx3", "labels-idx1")) for part in PARTS
    }
    base, folder = obtain(
        "emnist",
        root,
        ("EMNIST/raw", "EMNIST/raw/gzip", "EMNIST", "emnist"),
        lambda candidate: _holds(candidate, files),
        [Source("EMNIST/raw/gzip.zip", (EMNIST.url,), EMNIST.md5, packed=True)],
    )

    def read(part: str) -> Split:
        paths = packed_or_not(folder, files[part][0]), packed_or_not(folder, files[part][1])
        images, labels = read_idx(paths[0]), read_idx(paths[1])
        counts = EMNIST_COUNTS[split][part]
        count = len(images) if len(images) in counts else counts[0]
        upright = images.transpose(-1, -2).contiguous()
        return checked_split(paths, upright, labels.long() - first, count, len(names))

    with work("reading files", total=4):
        train, test = read("train"), read("test")
    return Splits(train, test, names, origin=str(folder), root=str(base))


def read_qmnist(class_names: tuple[str, ...], root: str | None) -> Splits:
    """QMNIST (Yadav and Bottou, 2019, arXiv:1905.10498): MNIST rebuilt from its sources, with a test split of 60,000.

    Raises:
        DataError: if it cannot be obtained, or a file is damaged; the message names the file.
    """
    from torchvision.datasets import QMNIST

    published = {url.rpartition("/")[2]: md5 for part in PARTS for url, md5 in QMNIST.resources[part]}
    files = {
        part: tuple(url.rpartition("/")[2].removesuffix(".gz") for url, _ in QMNIST.resources[part]) for part in PARTS
    }
    base, folder = obtain(
        "qmnist",
        root,
        ("QMNIST/raw", "QMNIST", "qmnist"),
        lambda candidate: _holds(candidate, files),
        [
            Source(f"QMNIST/raw/{url.rpartition('/')[2]}", (url,), md5)
            for part in PARTS
            for url, md5 in QMNIST.resources[part]
        ],
    )

    def read(part: str) -> Split:
        paths = packed_or_not(folder, files[part][0]), packed_or_not(folder, files[part][1])
        for path in paths:
            if fault := wrong_md5(path, published.get(path.name)):
                raise DataError(f"{fault}; put the published file in its place")
        images, facts = read_idx(paths[0]), read_idx(paths[1], kind="32-bit integers")
        if facts.ndim != 2:
            raise DataError(f"{paths[1]} is damaged: it holds {tuple(facts.shape)}, not a row for each image")
        return checked_split(paths, images, facts[:, 0], QMNIST_COUNT, len(class_names))

    with work("reading files", total=4):
        train, test = read("train"), read("test")
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def _holds(folder: Path, files: dict[str, tuple[str, ...]]) -> bool:
    return all(packed_or_not(folder, file).is_file() for part in files.values() for file in part)
