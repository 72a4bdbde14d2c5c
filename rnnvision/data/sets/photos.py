"""Readers of torchvision's data sets of image files: GTSRB, EuroSAT, Imagenette.

Whether all images are there is checked: unpacking that other programs did may have been interrupted.
"""

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

from rnnvision.checks import one_of
from rnnvision.data.downloads.fetch import Source
from rnnvision.data.files import FileSplit, encode
from rnnvision.data.images import View, with_view
from rnnvision.data.sets.locate import find_folder, obtain, unpack_again
from rnnvision.data.sets.tree import Tree
from rnnvision.data.splits import DataError, Splits

# Images of the official splits.
GTSRB_COUNTS = {"train": 26_640, "test": 12_630}
EUROSAT_COUNT = 27_000
IMAGENETTE_COUNTS = {"train": 9_469, "val": 3_925}
GTSRB_URL = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370"
EUROSAT_URL = "https://huggingface.co/datasets/torchgeo/eurosat/resolve/c877bcd43f099cd0196738f714544e355477f3fd"


def _archive(folder: str, url: str, file: str, md5: str) -> Source:
    return Source(f"{folder}/{file}", (f"{url}/{file}",), md5, packed=True)


GTSRB_TRAINING = [_archive("gtsrb", GTSRB_URL, "GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478")]
GTSRB_TEST = [
    _archive("gtsrb", GTSRB_URL, "GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
    _archive("gtsrb", GTSRB_URL, "GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
]
EUROSAT_ARCHIVE = [_archive("eurosat", EUROSAT_URL, "EuroSAT.zip", "c8fa014336c82ac7804f0398fcb19387")]
IMAGENETTE_FOLDERS = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}
IMAGENETTE_SIZES = ("320px", "160px", "full")  # of several that are there, the first one is read
IMAGENETTE_WNIDS = (
    *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
    *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
)


@with_view(image_size=48)
def read_gtsrb(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """German Traffic Sign Recognition Benchmark (Stallkamp et al., 2011), the training split of its competition.

    Training images come in tracks of about 30 of one sign, so a validation split taken at random is an easy one.

    Raises:
        DataError: if it cannot be obtained, or an image or the list of the test split is missing; the message names it.
    """
    base, folder = obtain(
        "gtsrb",
        root,
        ("gtsrb",),
        lambda f: (f / "GTSRB" / "Training").is_dir() and (f / "GTSRB" / "Final_Test" / "Images").is_dir(),
        [*GTSRB_TRAINING, *GTSRB_TEST],
    )
    folders = [f"{label:05d}" for label in range(len(class_names))]
    training = folder / "GTSRB" / "Training"
    again = partial(unpack_again, training, base, GTSRB_TRAINING)
    train = by_class(training, again, folders, GTSRB_COUNTS["train"], view)
    answers = folder / "GT-final_test.csv"
    again = partial(unpack_again, folder / "GTSRB" / "Final_Test", base, GTSRB_TEST)
    try:
        with answers.open(newline="") as file:
            rows = [(row["Filename"], int(row["ClassId"])) for row in csv.DictReader(file, delimiter=";")]
        check_rows(rows, GTSRB_COUNTS["test"], len(class_names))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise damaged(answers, again, error) from error
    test = listed(folder / "GTSRB" / "Final_Test" / "Images", again, rows, view)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


@with_view(image_size=64)
def read_eurosat(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """EuroSAT (Helber et al., 2019): 27,000 satellite images of 64 x 64 pixels, the version in colours.

    It has no official test split: ours is a fixed fifth, the same proportion of each class.

    Raises:
        DataError: if it cannot be obtained, or images are missing; the message names the folder.
    """
    base, folder = obtain(
        "eurosat",
        root,
        ("eurosat/2750",),
        lambda f: any((f / name).is_dir() for name in class_names),
        EUROSAT_ARCHIVE,
    )
    again = partial(unpack_again, folder, base, EUROSAT_ARCHIVE)
    everything = by_class(folder, again, class_names, EUROSAT_COUNT, view)
    return Splits(*everything.fixed_fifth(), class_names, origin=str(folder), root=str(base))


@with_view(image_size=128, crop_ratio=0.875)
def read_imagenette(class_names: tuple[str, ...], root: str | None, view: View, *, size: str | None = None) -> Splits:
    """Imagenette (Howard, 2019): ten classes of ImageNet, its second edition; its val is the test split.

    `size` is that of the files: "full", or the shorter side at "320px" or "160px"; None for the one that is there, of
    several the first of 320px, 160px and full. If none is, 320px is downloaded.

    Raises:
        ValueError: for an option out of range, or a `root` that is the folder of another size.
        DataError: if it cannot be obtained, or images are missing; the message names the folder.
    """
    from torchvision.datasets import Imagenette

    if size is not None:
        one_of("size", size, IMAGENETTE_FOLDERS)
    fetched = size or IMAGENETTE_SIZES[0]
    url, md5 = Imagenette._ARCHIVES[fetched]
    archives = [Source(f"{IMAGENETTE_FOLDERS[fetched]}.tgz", (url,), md5, packed=True)]
    base, folder = obtain(
        "imagenette",
        root,
        tuple(IMAGENETTE_FOLDERS[s] for s in ([size] if size else IMAGENETTE_SIZES)),
        lambda f: any((f / "train" / name).is_dir() for name in IMAGENETTE_WNIDS),
        archives,
        hint=_other_sizes(root, size),
    )
    found = {name: s for s, name in IMAGENETTE_FOLDERS.items()}.get(folder.name, size)
    if size not in (None, found):
        raise ValueError(f"size={size}: {folder} holds {found}; choose size={found}, or leave it out")
    again = partial(unpack_again, folder, base, archives)
    train, test = (
        by_class(folder / part, again, IMAGENETTE_WNIDS, IMAGENETTE_COUNTS[part], view) for part in ("train", "val")
    )
    return Splits(train, test, class_names, origin=str(folder), root=str(base), settled={"size": found})


def _other_sizes(root: str | None, size: str | None) -> str:
    """The other sizes that are there, as words to end a message with."""
    names = {
        other: find_folder(root, (name,), Path.is_dir, by_content=False) for other, name in IMAGENETTE_FOLDERS.items()
    }
    there = [f"data.size={other}" for other, found in names.items() if found and other != size]
    return f", or choose a size that is there: {', '.join(there)}" if size and there else ""


def by_class(folder: Path, again: Callable[[], str], class_folders: Sequence[str], count: int, view: View) -> FileSplit:
    """The images of a folder with one subfolder per class, in this order; `again` says how they can be had again."""
    files: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_folders):
        pictures = Tree().find_images(folder / name)[0] if (folder / name).is_dir() else []
        files += pictures
        labels += [label] * len(pictures)
    if len(files) != count:
        empty = [name for label, name in enumerate(class_folders) if label not in labels]
        which = f" (none in {', '.join(empty)})" if empty else ""
        raise DataError(f"{folder}: holds {len(files):,} images of its classes, not {count:,}{which}; {again()}")
    return FileSplit(encode(files), torch.tensor(labels), view)


def listed(folder: Path, again: Callable[[], str], rows: list[tuple[str, int]], view: View) -> FileSplit:
    """The images of a folder whose names and labels are in a list; `again` says how they can be had again."""
    there = {path.name for path in folder.iterdir()}
    if absent := [name for name, _ in rows if name not in there]:
        raise DataError(
            f"{folder / absent[0]}: there is no such file ({len(absent):,} of {len(rows):,} are missing); {again()}"
        )
    return FileSplit(encode(folder / name for name, _ in rows), torch.tensor([t for _, t in rows]), view)


def check_rows(rows: list[tuple[str, int]], count: int, num_classes: int) -> None:
    """Check the length and the labels of a list.

    Raises:
        ValueError: that says what is wrong with it.
    """
    if len(rows) != count:
        raise ValueError(f"it lists {len(rows):,} images, not {count:,}")
    if wrong := [label for _, label in rows if not 0 <= label < num_classes]:
        raise ValueError(f"label {wrong[0]} of {num_classes} classes")


def damaged(source: Path, again: Callable[[], str], error: object) -> DataError:
    reason = "there is no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
    return DataError(f"{source} is missing or damaged ({reason}); {again()}")
