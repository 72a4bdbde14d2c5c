"""Validation images of ImageNet that lie in one folder, as in its archive and in Tiny-ImageNet, and their labels."""

import csv
import os
import re
import tarfile
from io import BytesIO
from pathlib import Path

import torch

from rnnvision.data.downloads.fetch import wrong_md5
from rnnvision.data.downloads.lock import held
from rnnvision.data.downloads.unpack import UnpackError, extract, remove_begun, unpacked
from rnnvision.data.files import FileSplit, encode
from rnnvision.data.images import View
from rnnvision.data.sets.locate import LOCK
from rnnvision.data.sets.tree import Tree
from rnnvision.data.splits import DataError

SOLUTION, ANNOTATIONS = "LOC_val_solution.csv", "val_annotations.txt"  # of Kaggle, of Tiny-ImageNet
DEVKIT, VAL_ARCHIVE = "ILSVRC2012_devkit_t12", "ILSVRC2012_img_val.tar"
DEVKIT_FILES = ("data/meta.mat", "data/ILSVRC2012_validation_ground_truth.txt")
ABOVE = 3  # Kaggle's list lies so many folders above the images: ILSVRC/Data/CLS-LOC


def is_flat(val: Path) -> bool:
    """Whether images of val/ lie in no folder of a class."""
    return (val / ANNOTATIONS).is_file() or next(val.glob("*.JPEG"), None) is not None


def read_flat(base: Path, wnids: tuple[str, ...], view: View) -> tuple[FileSplit, list[str]]:
    """The images below base/val of the classes `wnids`, also those that are in class folders, and what is left out.

    Raises:
        DataError: if their labels are nowhere, or a list of them is damaged.
    """
    val = base / "val"
    labels = _labels(base)
    places = {wnid: place for place, wnid in enumerate(wnids)}
    files: list[str] = []
    found: list[int] = []
    unknown: list[str] = []
    others = 0
    for file in Tree().find_images(val)[0]:
        folder, name = file.split(os.sep)[-2:]  # noqa: PTH206
        wnid = folder if folder in places else labels.get(name[: name.rindex(".")])
        if wnid is None:
            unknown.append(file)
        elif wnid in places:
            files.append(file)
            found.append(places[wnid])
        else:
            others += 1
    if unknown:
        raise DataError(
            f"{unknown[0]}: is in no class folder, and no list names its class ({len(unknown):,} such images)"
        )
    notes = [f"{others:,} images of val of classes that train lacks"] if others else []
    return FileSplit(encode(files), torch.tensor(found, dtype=torch.int64), view), notes


def unpack_archives(base: Path) -> None:
    """Unpack the archives of image-net.org into train/, which is made of one for each class, and a flat val/.

    Raises:
        DataError: if one is missing or damaged, or there is no room for it.
    """
    from torchvision.datasets.imagenet import ARCHIVE_META

    try:
        with held(base / LOCK, "data      waiting for another process, which unpacks ImageNet") as alone:
            if alone:
                remove_begun(base)
            for part in ("train", "val"):
                if not (base / part).is_dir():
                    _unpack(base / ARCHIVE_META[part][0], ARCHIVE_META[part][1], base / part)
    except OSError as error:
        raise DataError(f"{base}: unpacking ImageNet failed ({' '.join(str(error).split())})") from error


def _unpack(archive: Path, md5: str, folder: Path) -> None:
    if not archive.is_file():
        raise FileNotFoundError(f"{archive.name} is not there")
    if fault := wrong_md5(archive, md5):
        raise UnpackError(fault)
    with unpacked(archive, folder.parent) as fresh:
        for inner in sorted(fresh.glob("*.tar")):
            extract(inner, fresh / inner.stem)
            inner.unlink()
        fresh.chmod(0o755)
        fresh.replace(folder)


def _labels(base: Path) -> dict[str, str]:
    """The WordNet id of each image, by its name without suffix."""
    for folder in (base, *base.parents[:ABOVE]):
        if (folder / SOLUTION).is_file():
            return _of_solution(folder / SOLUTION)
    if (base / "val" / ANNOTATIONS).is_file():
        return _of_annotations(base / "val" / ANNOTATIONS)
    try:
        devkit = _devkit(base)
    except Exception as error:  # a damaged MATLAB file raises anything
        raise DataError(f"{base}: {DEVKIT} cannot be read ({' '.join(str(error).split())})") from error
    if devkit is not None:
        return devkit
    again = f", or delete val/ to have {VAL_ARCHIVE} unpacked again" if (base / VAL_ARCHIVE).is_file() else ""
    raise DataError(
        f"{base / 'val'}: holds images in no class folder, and their labels are not here; "
        f"put {SOLUTION} or {DEVKIT}.tar.gz into {base}{again}"
    )


def _of_solution(path: Path) -> dict[str, str]:
    """Kaggle's list: ILSVRC2012_val_00000001,n01751748 111 108 230 366."""
    try:
        with path.open(newline="") as file:
            return {row["ImageId"]: row["PredictionString"].split()[0] for row in csv.DictReader(file)}
    except (OSError, KeyError, AttributeError, IndexError, ValueError, csv.Error) as error:
        raise DataError(f"{path}: is damaged ({type(error).__name__}: {error})") from error


def _of_annotations(path: Path) -> dict[str, str]:
    """Tiny-ImageNet's list: val_0.JPEG, n03444034 and the corners of a box, between tabs."""
    labels = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        fields = line.split("\t")
        if len(fields) < 2 or not re.fullmatch(r"n\d{8}", fields[1]):
            raise DataError(f"{path}, line {number}: names no image and class")
        labels[Path(fields[0]).stem] = fields[1]
    return labels


def _devkit(base: Path) -> dict[str, str] | None:
    """The official list, a number a line, and the table that gives each number its WordNet id; packed or not."""
    from scipy.io import loadmat

    if all((base / DEVKIT / file).is_file() for file in DEVKIT_FILES):
        meta, truth = ((base / DEVKIT / file).read_bytes() for file in DEVKIT_FILES)
    elif (base / f"{DEVKIT}.tar.gz").is_file():
        with tarfile.open(base / f"{DEVKIT}.tar.gz") as archive:
            meta, truth = (_member(archive, f"{DEVKIT}/{file}") for file in DEVKIT_FILES)
    else:
        return None
    synsets = loadmat(BytesIO(meta), squeeze_me=True)["synsets"]
    wnids = {int(synset[0]): str(synset[1]) for synset in synsets}
    lines = truth.decode().split()
    return {f"ILSVRC2012_val_{i:08d}": wnids[int(number)] for i, number in enumerate(lines, 1)}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()
