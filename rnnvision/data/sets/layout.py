"""The layout of a user's folder of images: its splits, its classes, and what of it is left out."""

import os
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from rnnvision.data.files import find_images, is_litter
from rnnvision.data.images import SUFFIXES
from rnnvision.data.splits import DataError

SPLIT_WORDS = {
    "train": {"train", "training", "trainset", "traindata"},
    "val": {"val", "valid", "validation", "dev", "valset"},
    "test": {"test", "testing", "testset", "testdata"},
}
FILLERS = {"set", "data", "dataset", "split", "folder", "seg", "image", "images", "imgs", "img", "pictures", "photos"}


@dataclass
class Layout:
    """Where the images of each class of each split lie.

    Attributes:
        classes: of each split, the folders of each class by its name; an empty name of a split is the flat layout.
        left_out: what is not read, in words.
    """

    classes: dict[str, dict[str, list[Path]]]
    left_out: list[str] = field(default_factory=list)


def split_named(name: str) -> str | None:
    """The split that the name of a folder means: train for training_set, val for dev; None for any other name."""
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    meant = [part for part, own in SPLIT_WORDS.items() if words & own]
    return meant[0] if len(meant) == 1 and words <= SPLIT_WORDS[meant[0]] | FILLERS else None


def read_layout(base: Path) -> Layout:
    """The splits and classes of base/train/CLASS/* with val/ and test/ beside it, or of base/CLASS/*.

    A split is a folder with the name of one that holds folders; with images in it, it is a class.

    Raises:
        DataError: for a folder that can be taken in two ways, or that holds no classes; the message says what to do.
    """
    inside = subfolders(base)
    found: dict[str, list[Path]] = {}
    for folder in inside:
        part = split_named(folder.name)
        if part is not None and (classes_in := _split_folder(folder)) is not None:
            found.setdefault(part, []).append(classes_in)
    for part, folders in found.items():
        if len(folders) > 1:
            names = ", ".join(f"{folder.relative_to(base)}/" for folder in folders)
            raise DataError(f"{base}: {names} could each be the {part} split; keep one of them there")
    split_roots = {part: folders[0] for part, folders in found.items()}
    taken = {base / folder.relative_to(base).parts[0] for folder in split_roots.values()}
    others = [folder for folder in inside if folder not in taken]
    if not split_roots:
        return Layout({"": _classes(base, inside)}, _loose(base))
    if "train" not in split_roots and any(_holds_image(folder) for folder in others):
        splits, classes = (", ".join(f"{folder.name}/" for folder in folders) for folders in (sorted(taken), others))
        raise DataError(
            f"{base}: {splits} beside {classes} can be read in two ways; move the classes into train/, or give {splits} "
            f"another name"
        )
    layout = Layout({part: _classes(folder, subfolders(folder)) for part, folder in split_roots.items()})
    layout.left_out += [f"{folder.name}/, which is no split by its name" for folder in others if _holds_image(folder)]
    for folder in (base, *split_roots.values()):
        layout.left_out += _loose(folder)
    return layout


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted, without those that are hidden or litter."""
    try:
        return sorted(p for p in folder.iterdir() if not is_litter(p.name) and p.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error


def shown_name(name: str) -> str:
    """The name of a class: in one Unicode form, and such that it can be written and printed."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def _split_folder(folder: Path) -> Path | None:
    """The folder of classes behind the name of a split; None where it holds images, or nothing, and so is a class."""
    if _images_in(folder):
        return None
    inside = subfolders(folder)
    if len(inside) == 1 and split_named(inside[0].name) == split_named(folder.name):
        return _split_folder(inside[0])  # seg_train/seg_train/CLASS, as archives are unpacked twice
    return folder if any(_holds_image(sub) for sub in inside) else None


def _classes(folder: Path, inside: list[Path]) -> dict[str, list[Path]]:
    classes: dict[str, list[Path]] = {}
    for sub in inside:
        classes.setdefault(shown_name(sub.name), []).append(sub)
    if len(classes) == 1 and not _images_in(inside[0]) and len(subfolders(inside[0])) > 1:
        raise DataError(f"{folder}: holds one folder, {inside[0].name}/; choose data.root={inside[0]}")
    return dict(sorted(classes.items()))


def _images_in(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(
                os.path.splitext(entry.name)[1].lower() in SUFFIXES and not is_litter(entry.name) and entry.is_file()
                for entry in entries
            )
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error


def _holds_image(folder: Path) -> bool:
    return bool(_images_in(folder) or find_images(folder)[0])


def _loose(folder: Path) -> list[str]:
    count = _images_in(folder)
    return [f"{count:,} images in {folder.name}/ itself, in no class folder"] if count else []
