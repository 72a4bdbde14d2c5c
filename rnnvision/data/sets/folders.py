"""Readers of image folders: a user's own, and ImageNet's."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch

from rnnvision.checks import counted, fraction
from rnnvision.data.files import FileSplit, check_view, encode, find_images
from rnnvision.data.images import SUFFIXES
from rnnvision.data.locate import search_roots
from rnnvision.data.splits import DataError, Splits

SPLITS = ("train", "val", "test")
LIKE_A_SPLIT = (*SPLITS, "training", "valid", "validation", "testing")


def read_image_folder(
    class_names: tuple[str, ...],
    root: str | None,
    *,
    image_size: int = 64,
    channels: int = 3,
    crop_ratio: float = 1.0,
    test_fraction: float = 0.2,
) -> Splits:
    """A user's own images: root/train/CLASS/*, with root/val and root/test where they exist, or root/CLASS/*.

    The centre square of each image is used, of `crop_ratio` of its shorter side, at `image_size`. Without test/, val/
    is the test split; without either, a fixed random `test_fraction` is.

    Raises:
        ValueError: for an option out of range.
        DataError: for a folder without classes, an empty class, or a class that train lacks; the message names it.
    """
    check_view(image_size, crop_ratio, channels)
    fraction("test_fraction", test_fraction)
    if root is None:
        raise ValueError("root=null: image_folder needs data.root=FOLDER with CLASS/*.jpg or train/CLASS/*.jpg in it")
    base = Path(root).expanduser().resolve()
    if not base.is_dir():
        raise DataError(f"data.root={root}: there is no such folder")
    names, splits, notes = _read_splits(_split_folders(base), channels, image_size, crop_ratio)
    train, test, val = splits["train"], splits.get("test"), splits.get("val")
    if test is None and val is not None:
        test, val = val, None
    elif test is None:
        train, test = train.divide(test_fraction, 0)
    return Splits(train, test, names, origin=str(base), val=val, root=str(base), notes=notes)


def _read_splits(
    folders: dict[str, Path], channels: int, image_size: int, crop_ratio: float
) -> tuple[tuple[str, ...], dict[str, FileSplit], tuple[str, ...]]:
    """The classes, the split of each folder, and what the user should know."""
    names = _class_folders(folders["train"])
    found = {part: _files(folder, names) for part, folder in folders.items()}
    others = sum(count for _, count in found.values())
    notes = (f"{counted(others, 'file')} passed over: no image by its name",) if others else ()
    splits = {
        part: replace(split, channels=channels, image_size=image_size, crop_ratio=crop_ratio)
        for part, (split, _) in found.items()
    }
    return names, splits, notes


def _split_folders(base: Path, splits: tuple[str, ...] = SPLITS) -> dict[str, Path]:
    inside = set(_subfolders(base))
    if "train" not in inside:
        return {"train": base}
    if wrong := sorted(name for name in inside - set(SPLITS) if name.lower() in LIKE_A_SPLIT):
        raise DataError(f"{base}: beside train/, {', '.join(wrong)} would not be read; name it val or test")
    return {part: base / part for part in splits if part in inside}


def _subfolders(folder: Path) -> list[str]:
    try:
        return sorted(p.name for p in folder.iterdir() if p.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error


def _class_folders(folder: Path) -> tuple[str, ...]:
    names = tuple(name for name in _subfolders(folder) if not name.startswith((".", "__")))
    if wrong := [name for name in names if name.lower() in LIKE_A_SPLIT]:
        raise DataError(
            f"{folder}: {', '.join(wrong)} is no class; name the splits train, val and test, beside each other"
        )
    if len(names) < 2:
        raise DataError(f"{folder}: holds {len(names)} class folders; a classifier needs two or more")
    return names


def _files(folder: Path, names: tuple[str, ...]) -> tuple[FileSplit, int]:
    """The images of a split, and the number of files that are none by their names."""
    if extra := sorted(set(_class_folders(folder)) - set(names)):
        raise DataError(f"{folder}: holds classes that train lacks: {', '.join(extra)}")
    files, labels, passed_over = [], [], 0
    empty = []
    for label, name in enumerate(names):
        pictures, others = find_images(folder / name) if (folder / name).is_dir() else ([], [])
        if not pictures:
            empty.append(str(folder / name))
        files += pictures
        labels += [label] * len(pictures)
        passed_over += len(others)
    if empty:
        raise DataError(f"{', '.join(empty)}: holds no image ({', '.join(SUFFIXES)})")
    return FileSplit(encode(files), torch.tensor(labels)), passed_over


def read_imagenet(
    class_names: tuple[str, ...], root: str | None, *, image_size: int = 224, crop_ratio: float = 0.875
) -> Splits:
    """ImageNet-1k, or a part of its classes, as train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; its val is the test split.

    If the folder holds the downloaded archives, torchvision unpacks them first. Classes are named in words; a folder
    that is no WordNet id of ImageNet-1k keeps its name.

    Raises:
        DataError: if the folder does not exist, or is not as above; the message names it.
    """
    check_view(image_size, crop_ratio)
    bases = search_roots(root)[:1] if root else search_roots(None)  # if one is given, no other is searched
    candidates = [base / sub for base in bases for sub in ("", "imagenet", "ImageNet")]
    base = next((c for c in candidates if (c / "train").is_dir() and (c / "val").is_dir()), None)
    if base is None:
        base = next((c for c in candidates if (c / "ILSVRC2012_devkit_t12.tar.gz").is_file()), None)
        if base is None:
            raise DataError(
                f"imagenet is not in {', '.join(map(str, bases))}: set data.root to the folder that holds "
                f"train/ and val/, or the three ILSVRC2012 archives of image-net.org, which cannot be downloaded here"
            )
        _unpack(base)
    if loose := next((base / "val").glob("*.JPEG"), None):
        raise DataError(
            f"{base / 'val'}: {loose.name} lies in no class folder; delete val/ if its unpacking was interrupted"
        )
    folders = _split_folders(base, ("train", "val"))  # the images of the official test/ have no labels
    names, splits, notes = _read_splits(folders, 3, image_size, crop_ratio)
    words = wnid_names()
    classes = tuple(words.get(name, name) for name in names)
    return Splits(splits["train"], splits["val"], classes, origin=str(base), root=str(base), notes=notes)


def _unpack(base: Path) -> None:
    from torchvision.datasets import ImageNet

    try:
        for split in ("train", "val"):
            ImageNet(base, split)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(f"{base}: unpacking ImageNet failed ({' '.join(str(error).split())})") from error


@lru_cache(maxsize=1)
def wnid_names() -> dict[str, str]:
    """The name in words of each of ImageNet-1k's 1,000 WordNet ids; that order is the one of torchvision's models."""
    from torchvision.models import ResNet18_Weights

    ids = (Path(__file__).parent / "imagenet_wnids.txt").read_text().split()
    return dict(zip(ids, ResNet18_Weights.DEFAULT.meta["categories"], strict=True))
