"""Readers of image folders: a user's own, and ImageNet's."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import torch

from rnnvision.checks import counted, fraction, shortened
from rnnvision.data.files import FileSplit, encode
from rnnvision.data.images import SUFFIXES, View, with_view
from rnnvision.data.membership import path_keys
from rnnvision.data.sets.flat_imagenet import is_flat, read_flat, unpack_archives
from rnnvision.data.sets.layout import Layout, classes_below, read_layout, shown_name, split_named
from rnnvision.data.sets.locate import announce, search_roots
from rnnvision.data.sets.tree import Tree, below
from rnnvision.data.splits import DataError, NoFolderError, Splits, splits_of
from rnnvision.progress import work

IMAGENET_FOLDERS = ("", "imagenet", "ImageNet", "ILSVRC/Data/CLS-LOC", "tiny-imagenet-200")


@with_view()
def read_image_folder(
    class_names: tuple[str, ...],
    root: str | None,
    view: View,
    *,
    test_fraction: float = 0.2,
    by_path: bool = True,
) -> Splits:
    """A user's own images: root/train/CLASS/*, with val/ and test/ beside it where they exist, or root/CLASS/*.

    Without test/, val/ is the test split; without either, about `test_fraction` of each class is, chosen by the paths
    of the files: what comes or goes moves no other. `by_path=False` chooses by position, as version 0.1 did;
    checkpoints of that time need it. The classes are those of train/, or `class_names`, those of a trained network.

    Raises:
        ValueError: for an option out of range.
        DataError: for a folder without classes, an empty class, or a class that train lacks; the message names it.
    """
    fraction("test_fraction", test_fraction)
    if root is None:
        raise ValueError("root=null: image_folder needs data.root=FOLDER with CLASS/*.jpg or train/CLASS/*.jpg in it")
    base = Path(root).expanduser().resolve()
    if base.is_file():
        near = base.parent.parent if base.suffix.lower() in SUFFIXES else base.parent  # an image lies in a class folder
        raise NoFolderError(f"data.root={root}: is a file; give the folder of the classes, data.root={near}")
    if not base.is_dir():
        raise NoFolderError(f"data.root={root}: there is no such folder; give data.root=FOLDER")
    tree = Tree()
    with work("finding files"):
        names, splits, notes = read_parts(base, tree, read_layout(base, tree), view, class_names, by_path=by_path)
    return splits_of(splits, test_fraction, class_names=names, origin=str(base), root=str(base), notes=notes)


def read_parts(
    base: Path, tree: Tree, layout: Layout, view: View, class_names: tuple[str, ...], *, by_path: bool = True
) -> tuple[tuple[str, ...], dict[str, FileSplit], tuple[str, ...]]:
    """The classes, the files of each split, and what the user should know.

    `class_names` are those of a trained network, or none; `by_path` divides the files by their paths.
    """
    classes = {part or "train": folders for part, folders in layout.classes.items()}
    names = class_names or tuple(classes.get("train", ()))
    if len(names) < 2:
        raise _too_few(base, tree, layout)
    left_out = list(layout.left_out)
    splits = {}
    for part in ("train", *(part for part in classes if part != "train")):
        files, labels, others = _files(base, tree, classes.get(part, {}), names, part, trained=bool(class_names))
        keys = path_keys(below(base, files)) if by_path else None
        splits[part] = FileSplit(encode(files), torch.tensor(labels, dtype=torch.int64), view, keys)
        left_out += others
    if not any(len(split) for split in splits.values()):
        raise DataError(f"{base}: holds no image of {shortened(names)}")
    notes = (f"left out: {'; '.join(left_out)}",) if left_out else ()
    return names, splits, notes


def _too_few(base: Path, tree: Tree, layout: Layout) -> DataError:
    """A folder of fewer classes than two, and what may have been meant."""
    if "" not in layout.classes and "train" not in layout.classes:
        return DataError(f"{base}: holds {' and '.join(layout.classes)}, and no train/ to learn from")
    folder = base if "" in layout.classes else base / "train"
    if found := classes_below(folder, tree):
        return DataError(f"{folder}: holds no classes itself; did you mean data.root={found}?")
    count = len(layout.classes.get("train", layout.classes.get("", {})))
    table = "; for labels in a CSV file choose data=csv" if next(base.glob("*.csv"), None) else ""
    loose = tree.images_in(folder)
    lies = f"; {counted(loose, 'image')} in it {'lies' if loose == 1 else 'lie'} in no class folder" if loose else ""
    return DataError(
        f"{folder}: holds {counted(count, 'class folder')}; a classifier needs two or more, as CLASS/*.jpg{lies}{table}"
    )


def _files(
    base: Path, tree: Tree, folders: dict[str, list[Path]], names: tuple[str, ...], part: str, *, trained: bool
) -> tuple[list[str], list[int], list[str]]:
    """The images of a split, their labels, and what is left out of it, in words."""
    if extra := [name for name in folders if name not in names]:
        what = "the network does not know" if trained else "train lacks"
        where = next(iter(folders.values()))[0].parent
        raise DataError(f"{where}: holds classes that {what}: {shortened(extra)}; it has {shortened(names)}")
    files: list[str] = []
    labels: list[int] = []
    others: list[str] = []
    empty = []
    for label, name in enumerate(names):
        found = [tree.find_images(folder) for folder in folders.get(name, [])]
        images = [path for paths, _ in found for path in paths]
        others += [path for _, paths in found for path in paths]
        if not images and part == "train" and not trained:
            empty.append(str(folders[name][0]))
        files += images
        labels += [label] * len(images)
    if empty:
        found_below = classes_below(base, tree)
        remedy = (
            f"did you mean data.root={found_below}?" if found_below else "if it is no class, move it out of the folder"
        )
        what = f", but {'; '.join(_kinds(base, others))}" if others else ""
        raise DataError(f"{shortened(empty)}: holds no image ({', '.join(SUFFIXES)}){what}; {remedy}")
    return files, labels, _kinds(base, others)


def _kinds(base: Path, others: list[str]) -> list[str]:
    links = dict.fromkeys(path for path in others if Path(path).is_dir())
    kinds = Counter(Path(path).suffix.lower() or "no suffix" for path in others if path not in links)
    shown = shortened([f"{count:,} {kind}" for kind, count in kinds.most_common()], most=4)
    files = [f"{counted(kinds.total(), 'file')} without the name of an image ({shown})"] if kinds else []
    return [*files, *(f"{shown_name(link)}, a link in a circle" for link in below(base, list(links)))]


@with_view(image_size=224, crop_ratio=0.875)
def read_imagenet(class_names: tuple[str, ...], root: str | None, view: View) -> Splits:
    """ImageNet-1k, or a part of its classes, as train/<wnid>/*.JPEG and val/<wnid>/*.JPEG; its val is the test split.

    The images of val/ may also lie in one folder, if a list of their labels is there (`flat_imagenet`); so Kaggle's
    folder and Tiny-ImageNet can be read. If the folder holds the downloaded archives, they are unpacked first.
    Classes are named in words; a folder that is no WordNet id of ImageNet-1k keeps its name.

    Raises:
        DataError: if the folder does not exist, or is not as above; the message names it.
    """
    bases = search_roots(root)
    candidates = [base / sub for base in bases for sub in IMAGENET_FOLDERS]
    base = next((c for c in candidates if (c / "train").is_dir() and (c / "val").is_dir()), None)
    announce(base)
    if base is None:
        base = next((c for c in candidates if (c / "ILSVRC2012_devkit_t12.tar.gz").is_file()), None)
        if base is None:
            raise DataError(
                f"imagenet is not in {', '.join(map(str, bases))}: set data.root to the folder that holds "
                f"train/ and val/, or the three ILSVRC2012 archives of image-net.org, which cannot be downloaded here"
            )
        unpack_archives(base)
    tree = Tree()
    # The images of the official test/ have no labels.
    beside = [f"{sub}/" for sub in tree.listing(base).folders if sub not in ("train", "val") and split_named(sub)]
    flat = is_flat(base / "val")
    parts = ("train",) if flat else ("train", "val")
    layout = Layout({p: {sub.name: [sub] for sub in tree.subfolders(base / p)} for p in parts}, beside)
    words = wnid_names()
    ids = {word: wnid for wnid, word in words.items()}
    known = tuple(ids.get(name, name) for name in class_names)
    with work("finding files"):
        names, splits, notes = read_parts(base, tree, layout, view, known, by_path=False)
    if flat:
        splits["val"], left_out = read_flat(base, names, view)
        notes = (*notes, *(f"left out: {what}" for what in left_out))
    classes = tuple(words.get(name, name) for name in names)
    return Splits(splits["train"], splits["val"], classes, origin=str(base), root=str(base), notes=notes)


@lru_cache(maxsize=1)
def wnid_names() -> dict[str, str]:
    """The name in words of each of ImageNet-1k's 1,000 WordNet ids; that order is the one of torchvision's models."""
    from torchvision.models import ResNet18_Weights

    ids = (Path(__file__).parent / "imagenet_wnids.txt").read_text().split()
    return dict(zip(ids, ResNet18_Weights.DEFAULT.meta["categories"], strict=True))
