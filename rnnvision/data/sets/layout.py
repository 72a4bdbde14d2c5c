"""The layout of a user's folder of images: its splits, its classes, and what of it is left out."""

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rnnvision.checks import shortened
from rnnvision.data.sets.tree import Tree
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
    left_out: list[str]


@lru_cache(maxsize=1024)
def split_named(name: str) -> str | None:
    """The split that the name of a folder means: train for training_set, val for dev; None for any other name."""
    words = set(re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
    meant = [part for part, own in SPLIT_WORDS.items() if words & own]
    return meant[0] if len(meant) == 1 and words <= SPLIT_WORDS[meant[0]] | FILLERS else None


def read_layout(base: Path, tree: Tree) -> Layout:
    """The splits and classes of base/train/CLASS/* with val/ and test/ beside it, or of base/CLASS/*.

    A split is a folder with the name of one that holds folders of images; otherwise it is a class.

    Raises:
        DataError: for a folder that can be taken in two ways, or that holds no classes; the message says what to do.
    """
    inside = tree.subfolders(base)
    found: dict[str, list[Path]] = {}
    for folder in inside:
        part = split_named(folder.name)
        if part is not None and (classes_in := _split_folder(folder, tree)) is not None:
            found.setdefault(part, []).append(classes_in)
    for part, folders in found.items():
        if len(folders) > 1:
            names = ", ".join(f"{folder.relative_to(base)}/" for folder in folders)
            raise DataError(f"{base}: {names} could each be the {part} split; keep one of them there")
    split_roots = {part: folders[0] for part, folders in found.items()}
    if not split_roots:
        return _layout(base, tree, {"": base}, [])
    taken = {base / folder.relative_to(base).parts[0] for folder in split_roots.values()}
    others = [folder for folder in inside if folder not in taken]
    if "train" not in split_roots and any(map(tree.holds_image, others)):
        splits, classes = (", ".join(f"{folder.name}/" for folder in folders) for folders in (sorted(taken), others))
        raise DataError(
            f"{base}: {splits} beside {classes} can be read in two ways; move the classes into train/, or give "
            f"{splits} another name"
        )
    return _layout(
        base, tree, split_roots, [f"{shown_name(folder.name)}/, {_why_no_split(folder)}" for folder in others]
    )


def _why_no_split(folder: Path) -> str:
    return "which holds no folders of classes" if split_named(folder.name) else "no split by its name"


def shown_name(name: str) -> str:
    """The name of a class: in one Unicode form, and such that it can be written and printed."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def _split_folder(folder: Path, tree: Tree) -> Path | None:
    """The folder of classes behind the name of a split; None where it holds no folders of images, and so is a class."""
    inside = tree.subfolders(folder)
    if len(inside) == 1 and split_named(inside[0].name) == split_named(folder.name):
        return _split_folder(inside[0], tree)  # seg_train/seg_train/CLASS, as archives are unpacked twice
    return folder if any(map(tree.holds_image, inside)) else None


def _layout(base: Path, tree: Tree, split_roots: dict[str, Path], left_out: list[str]) -> Layout:
    classes = {}
    for part, folder in split_roots.items():
        found: dict[str, list[Path]] = {}
        for sub in tree.subfolders(folder):
            if not tree.is_empty(sub):
                found.setdefault(shown_name(sub.name), []).append(sub)
            else:
                left_out.append(f"{shown_name(str(sub.relative_to(base)))}/, which is empty")
        classes[part] = dict(sorted(found.items()))
        left_out += _the_other_way_round(folder, tree, list(found.values()))
    for folder in {base, *split_roots.values()}:
        if count := tree.images_in(folder):
            left_out.append(f"{count:,} images in {shown_name(folder.name)}/ itself, in no class folder")
    return Layout(classes, left_out)


def _the_other_way_round(folder: Path, tree: Tree, classes: list[list[Path]]) -> list[str]:
    """A note where what is taken for classes holds the same folders in each, which may be the classes.

    Raises:
        DataError: if these are splits.
    """
    inside = [{name for folder in folders for name in tree.listing(folder).folders} for folders in classes]
    if len(classes) < 2 or not inside[0] or any(names != inside[0] for names in inside):
        return []
    if any(tree.images_in(folder) for folders in classes for folder in folders):
        return []
    names, first = sorted(inside[0]), classes[0][0].name
    if all(split_named(name) for name in names):
        raise DataError(
            f"{folder}: each of its folders holds {' and '.join(f'{name}/' for name in names)}; put the splits on top, "
            f"as {names[0]}/{first}/"
        )
    if len(names) < 2:
        return []
    return [f"nothing, but each class holds the same folders ({shortened(names)}); are these the classes?"]


def classes_below(folder: Path, tree: Tree, depth: int = 3) -> Path | None:
    """The only folder below this one that holds folders of images, where that is clear."""
    inside = tree.subfolders(folder)
    found = [sub for sub in inside if sum(map(tree.holds_image, tree.subfolders(sub))) > 1]
    if not found and depth > 1:
        found = [deeper for sub in inside if (deeper := classes_below(sub, tree, depth - 1)) is not None]
    return found[0] if len(found) == 1 else None
