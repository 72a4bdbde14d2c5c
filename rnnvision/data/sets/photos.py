"""Readers of torchvision's data sets of image files: GTSRB, EuroSAT, Imagenette.

torchvision downloads and unpacks them, and checks the MD5 of the archives. Whether all images are there is checked
here, since interrupted unpacking leaves a folder that torchvision treats as complete.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

import torch

from rnnvision.checks import one_of
from rnnvision.data.files import FileSplit, encode, find_images
from rnnvision.data.images import View, with_view
from rnnvision.data.locate import obtain
from rnnvision.data.splits import DataError, Splits

# Images of the official splits.
GTSRB_COUNTS = {"train": 26_640, "test": 12_630}
EUROSAT_COUNT = 27_000
IMAGENETTE_COUNTS = {"train": 9_469, "val": 3_925}
IMAGENETTE_FOLDERS = {"full": "imagenette2", "320px": "imagenette2-320", "160px": "imagenette2-160"}
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
    from torchvision.datasets import GTSRB

    base, folder = obtain(
        "gtsrb",
        root,
        ("gtsrb",),
        lambda f: (f / "GTSRB" / "Training").is_dir() and (f / "GTSRB" / "Final_Test" / "Images").is_dir(),
        tuple(f"gtsrb/GTSRB{end}.zip" for end in ("-Training_fixed", "_Final_Test_Images", "_Final_Test_GT")),
        lambda target: [GTSRB(target, split, download=True) for split in ("train", "test")],
    )
    folders = [f"{label:05d}" for label in range(len(class_names))]
    training = folder / "GTSRB" / "Training"
    train = by_class(training, training, folders, GTSRB_COUNTS["train"], view)
    answers = folder / "GT-final_test.csv"
    try:
        with answers.open(newline="") as file:
            rows = [(row["Filename"], int(row["ClassId"])) for row in csv.DictReader(file, delimiter=";")]
        check_rows(rows, GTSRB_COUNTS["test"], len(class_names))
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise damaged(answers, folder / "GTSRB" / "Final_Test", error) from error
    test = listed(folder / "GTSRB" / "Final_Test" / "Images", rows, view)
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


@with_view(image_size=64)
def read_eurosat(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """EuroSAT (Helber et al., 2019): 27,000 satellite images of 64 x 64 pixels, the version in colours.

    It has no official test split: ours is a fixed fifth, the same proportion of each class.

    Raises:
        DataError: if it cannot be obtained, or images are missing; the message names the folder.
    """
    from torchvision.datasets import EuroSAT

    base, folder = obtain(
        "eurosat",
        root,
        ("eurosat/2750",),
        Path.is_dir,
        ("eurosat/EuroSAT.zip",),
        lambda target: EuroSAT(target, download=True),
    )
    everything = by_class(folder, folder, class_names, EUROSAT_COUNT, view)
    return Splits(*everything.fixed_fifth(), class_names, origin=str(folder), root=str(base))


@with_view(image_size=128, crop_ratio=0.875)
def read_imagenette(class_names: tuple[str, ...], root: str | None, view: View, *, size: str = "320px") -> Splits:
    """Imagenette (Howard, 2019): ten classes of ImageNet, its second edition; its val is the test split.

    `size` is that of the files: "full", or the shorter side at "320px" or "160px".

    Raises:
        ValueError: for an option out of range.
        DataError: if it cannot be obtained, or images are missing; the message names the folder.
    """
    from torchvision.datasets import Imagenette

    one_of("size", size, IMAGENETTE_FOLDERS)
    base, folder = obtain(
        "imagenette",
        root,
        (IMAGENETTE_FOLDERS[size],),
        Path.is_dir,
        (f"{IMAGENETTE_FOLDERS[size]}.tgz",),
        lambda target: Imagenette(target, size=size, download=True),
    )
    train, test = (
        by_class(folder / part, folder, IMAGENETTE_WNIDS, IMAGENETTE_COUNTS[part], view) for part in ("train", "val")
    )
    return Splits(train, test, class_names, origin=str(folder), root=str(base))


def by_class(folder: Path, again: Path, class_folders: Sequence[str], count: int, view: View) -> FileSplit:
    """The images of a folder with one subfolder per class, in this order; `again` is the folder to unpack again."""
    files: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(class_folders):
        pictures = find_images(folder / name)[0] if (folder / name).is_dir() else []
        files += pictures
        labels += [label] * len(pictures)
    if len(files) != count:
        raise DataError(
            f"{folder}: holds {len(files):,} images of its classes, not {count:,}; "
            f"delete {again} to have it unpacked again"
        )
    return FileSplit(encode(files), torch.tensor(labels), view)


def listed(folder: Path, rows: list[tuple[str, int]], view: View) -> FileSplit:
    """The images of a folder whose names and labels are in a list."""
    there = {path.name for path in folder.iterdir()}
    if absent := [name for name, _ in rows if name not in there]:
        raise DataError(
            f"{folder / absent[0]}: there is no such file ({len(absent):,} of {len(rows):,} are missing); "
            f"delete {folder} to have it unpacked again"
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


def damaged(source: Path, again: Path, error: object) -> DataError:
    reason = "there is no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
    return DataError(f"{source} is missing or damaged ({reason}); delete {again} to have it unpacked again")
