"""torchvision's data sets with a few made-up images each, laid out as the real ones are.

A writer puts one into a root, and tells torchvision's class the MD5 of what it wrote and our reader how many pictures
there are. Small pictures in files are of one grey, twice their label.
"""

import bz2
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from torchvision import datasets

from rnnvision.data import CATALOG, DataError, Splits
from rnnvision.data.sets import nist, oxford, photos
from tests.data.cases import idx_bytes

Arrays = dict[str, tuple[np.ndarray, np.ndarray]]  # part -> images (N, C, H, W), labels (N,)


class Made(NamedTuple):
    """What was written: the folder below the root, sizes of (train, val, test), shape, and what should be read."""

    folder: str
    sizes: tuple[int, int | None, int]
    shape: tuple[int, int, int]
    arrays: Arrays | None = None


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def made_up(shape: tuple[int, int, int], num_classes: int, **counts: int) -> Arrays:
    rng = np.random.default_rng(0)
    return {
        part: (rng.integers(0, 256, (count, *shape), dtype=np.uint8), np.arange(count) % num_classes)
        for part, count in counts.items()
    }


def write_emnist(root: Path, patch: pytest.MonkeyPatch, split: str = "balanced", packed: bool = False) -> Made:
    folder = root / "EMNIST" / "raw"
    folder.mkdir(parents=True)
    names = [name for name in datasets.EMNIST.classes_split_dict[split] if name != "N/A"]
    arrays = made_up((1, 28, 28), len(names), train=70, test=65)
    patch.setitem(nist.EMNIST_COUNTS, split, {"train": (70,), "test": (65,)})
    for part, (images, labels) in arrays.items():
        transposed = torch.from_numpy(images[:, 0].transpose(0, 2, 1).copy())
        values = {"images-idx3": transposed, "labels-idx1": torch.from_numpy(labels) + (split == "letters")}
        for kind, tensor in values.items():
            content = idx_bytes(tensor)
            path = folder / f"emnist-{split}-{part}-{kind}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)
    return Made("EMNIST/raw", (70, None, 65), (1, 28, 28), arrays)


def write_qmnist(root: Path, patch: pytest.MonkeyPatch) -> Made:
    folder = root / "QMNIST" / "raw"
    folder.mkdir(parents=True)
    arrays = made_up((1, 28, 28), 10, train=12, test=12)
    patch.setattr(nist, "QMNIST_COUNT", 12)
    resources = {}
    for part, (images, labels) in arrays.items():
        rows = np.random.default_rng(1).integers(-9, 99_999, (12, 8))
        rows[:, 0] = labels
        header = bytes([0, 0, 12, 2]) + (12).to_bytes(4, "big") + (8).to_bytes(4, "big")
        contents = (idx_bytes(torch.from_numpy(images[:, 0])), header + rows.astype(">i4").tobytes())
        resources[part] = []
        for (url, _), content in zip(datasets.QMNIST.resources[part], contents, strict=True):
            path = folder / url.rpartition("/")[2]
            path.write_bytes(gzip.compress(content))
            resources[part].append((url, md5(path)))
    patch.setattr(datasets.QMNIST, "resources", resources)
    return Made("QMNIST/raw", (12, None, 12), (1, 28, 28), arrays)


def write_usps(root: Path, patch: pytest.MonkeyPatch) -> Made:
    root.mkdir(parents=True)
    arrays = made_up((1, 16, 16), 10, train=20, test=10)
    files = {}
    for part, (images, labels) in arrays.items():
        url, file, _ = datasets.USPS.split_list[part]
        lines = []
        for image, label in zip(images.reshape(-1, 256), labels, strict=True):
            values = (image + 0.5) / 255 * 2 - 1  # torchvision rounds down
            lines.append(" ".join([str(label + 1), *(f"{i}:{v:.6f}" for i, v in enumerate(values, 1))]))
        (root / file).write_bytes(bz2.compress("\n".join(lines).encode()))
        files[part] = [url, file, md5(root / file)]
    patch.setattr(datasets.USPS, "split_list", files)
    return Made("", (20, None, 10), (1, 16, 16), arrays)


def write_semeion(root: Path, patch: pytest.MonkeyPatch) -> Made:
    root.mkdir(parents=True)
    labels = np.arange(50) % 10
    pixels = np.random.default_rng(0).integers(0, 2, (50, 256))
    np.savetxt(root / "semeion.data", np.hstack([pixels, np.eye(10)[labels]]), fmt="%.4f")
    patch.setattr(datasets.SEMEION, "md5_checksum", md5(root / "semeion.data"))
    everything = (pixels * 255).astype(np.uint8).reshape(-1, 1, 16, 16), labels
    return Made("", (40, None, 10), (1, 16, 16), {"all": everything})


def write_svhn(root: Path, patch: pytest.MonkeyPatch) -> Made:
    root.mkdir(parents=True)
    arrays = made_up((3, 32, 32), 10, train=20, test=10, extra=30)
    files = {}
    for part, (images, labels) in arrays.items():
        url, file, _ = datasets.SVHN.split_list[part]
        savemat(root / file, {"X": images.transpose(2, 3, 1, 0), "y": np.where(labels == 0, 10, labels)[:, None]})
        files[part] = [url, file, md5(root / file)]
    patch.setattr(datasets.SVHN, "split_list", files)
    return Made("", (20, None, 10), (3, 32, 32), arrays)


def write_stl10(root: Path, patch: pytest.MonkeyPatch) -> Made:
    dataset = datasets.STL10
    folder = root / dataset.base_folder
    folder.mkdir(parents=True)
    arrays = made_up((3, 96, 96), 10, train=10, test=20)
    for part, files in (("train", dataset.train_list), ("test", dataset.test_list)):
        images, labels = arrays[part]
        (folder / files[0][0]).write_bytes(images.transpose(0, 1, 3, 2).tobytes())
        (folder / files[1][0]).write_bytes((labels + 1).astype(np.uint8).tobytes())
        known = [[file, md5(folder / file)] for file, _ in files[:2]]
        patch.setattr(dataset, f"{part}_list", known + files[2:])
    return Made(dataset.base_folder, (10, None, 20), (3, 96, 96), arrays)


def draw(path: Path, label: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 8), (2 * label,) * 3).save(path)


def write_gtsrb(root: Path, patch: pytest.MonkeyPatch) -> Made:
    folder = root / "gtsrb"
    for label in range(43):
        for i in range(2):
            draw(folder / "GTSRB" / "Training" / f"{label:05d}" / f"0000{i}_00000.ppm", label)
        (folder / "GTSRB" / "Training" / f"{label:05d}" / f"GT-{label:05d}.csv").write_text("Filename;ClassId\n")
    lines = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for i, label in enumerate(reversed(range(43))):
        draw(folder / "GTSRB" / "Final_Test" / "Images" / f"{i:05d}.ppm", label)
        lines.append(f"{i:05d}.ppm;12;8;1;1;11;7;{label}")
    (folder / "GT-final_test.csv").write_text("\n".join(lines) + "\n")
    patch.setattr(photos, "GTSRB_COUNTS", {"train": 86, "test": 43})
    return Made("gtsrb", (86, None, 43), (3, 48, 48))


def write_eurosat(root: Path, patch: pytest.MonkeyPatch) -> Made:
    for label, name in enumerate(CATALOG["eurosat"].class_names):
        for i in range(1, 6):
            draw(root / "eurosat" / "2750" / name / f"{name}_{i}.jpg", label)
    patch.setattr(photos, "EUROSAT_COUNT", 50)
    return Made("eurosat/2750", (40, None, 10), (3, 64, 64))


def write_imagenette(root: Path, patch: pytest.MonkeyPatch, size: str = "320px") -> Made:
    folder = photos.IMAGENETTE_FOLDERS[size]
    for label, name in enumerate(photos.IMAGENETTE_WNIDS):
        for part, count in (("train", 2), ("val", 1)):
            for i in range(count):
                draw(root / folder / part / name / f"{name}_{i}.JPEG", label)
    patch.setattr(photos, "IMAGENETTE_COUNTS", {"train": 20, "val": 10})
    return Made(folder, (20, None, 10), (3, 128, 128))


def write_flowers102(root: Path, patch: pytest.MonkeyPatch) -> Made:
    folder = root / "flowers-102"
    labels = np.arange(310) % 102
    for number, label in enumerate(labels, 1):
        draw(folder / "jpg" / f"image_{number:05d}.jpg", int(label))
    savemat(folder / "imagelabels.mat", {"labels": labels[None] + 1})
    ids = np.arange(1, 311)
    savemat(folder / "setid.mat", {"trnid": ids[None, 204:306], "valid": ids[None, :102], "tstid": ids[None, 102:204]})
    files = {key: (file, md5(folder / file)) for key, file in (("label", "imagelabels.mat"), ("setid", "setid.mat"))}
    patch.setattr(datasets.Flowers102, "_file_dict", {**datasets.Flowers102._file_dict, **files})
    patch.setattr(oxford, "FLOWERS_COUNTS", {"train": 102, "val": 102, "test": 102})
    return Made("flowers-102", (102, 102, 102), (3, 128, 128))


def write_oxford_pets(root: Path, patch: pytest.MonkeyPatch) -> Made:
    folder = root / "oxford-iiit-pet"
    (folder / "annotations").mkdir(parents=True)
    breeds = [name.replace(" ", "_") for name in CATALOG["oxford_pets"].class_names]
    cats = ("Abyssinian", "Bengal", "Birman", "Bombay", "British_Shorthair", "Egyptian_Mau", "Maine_Coon", "Persian")
    breeds = [name if name in cats else name.lower() for name in breeds]
    for part, number in (("trainval", 1), ("test", 20)):
        lines = []
        for label, breed in enumerate(breeds):
            draw(folder / "images" / f"{breed}_{number}.jpg", label)
            lines.append(f"{breed}_{number} {label + 1} 2 1")
        (folder / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n")
    patch.setattr(oxford, "PETS_COUNTS", {"trainval": 37, "test": 37})
    return Made("oxford-iiit-pet", (37, None, 37), (3, 128, 128))


WRITERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Made]] = {
    "emnist": write_emnist,
    "qmnist": write_qmnist,
    "usps": write_usps,
    "semeion": write_semeion,
    "svhn": write_svhn,
    "stl10": write_stl10,
    "gtsrb": write_gtsrb,
    "eurosat": write_eurosat,
    "imagenette": write_imagenette,
    "flowers102": write_flowers102,
    "oxford_pets": write_oxford_pets,
}
NUM_CLASSES = {"emnist": 47, "gtsrb": 43, "flowers102": 102, "oxford_pets": 37}  # of the others 10


def read(name: str, root: Path, **options: object) -> Splits:
    return CATALOG[name].read(CATALOG[name].class_names, str(root), **options)


def refusal(name: str, root: Path, **options: object) -> str:
    with pytest.raises(DataError) as error:
        read(name, root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)
