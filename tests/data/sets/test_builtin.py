"""Digits, made-up images and CIFAR: what each reader gives, and what it refuses."""

import hashlib
import pickle
import tarfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torchvision import datasets

from rnnvision.data import CATALOG, DataError, Splits
from rnnvision.data.sets.arrays import read_cifar
from rnnvision.data.sets.builtin import read_digits, read_fake
from rnnvision.data.splits import stratified
from tests.data.cases import flip, tree

CLASSES = tuple("0123456789")


def equal(one: Splits, other: Splits) -> bool:
    pairs = ((one.train, other.train), (one.test, other.test))
    return all(torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in pairs)


# Digits ---------------------------------------------------------------------------------------------------------------


def test_digits_are_cut_into_four_fifths_and_one() -> None:
    splits = read_digits(CLASSES, None)
    assert (len(splits.train), len(splits.test), splits.val) == (1437, 360, None)
    assert splits.train.images.shape == (1437, 1, 8, 8)
    assert (splits.train.images.dtype, splits.train.labels.dtype) == (torch.uint8, torch.int64)
    assert (int(splits.train.images.min()), int(splits.train.images.max())) == (0, 255)
    assert equal(splits, read_digits(CLASSES, None))


def test_each_digit_has_its_share_of_the_test_split() -> None:
    splits = read_digits(CLASSES, None)
    train, test = (torch.bincount(split.labels, minlength=10) for split in (splits.train, splits.test))
    assert (test - (train + test) / 5).abs().max() <= 1


def test_the_digits_are_scikit_learns_each_once() -> None:
    digits = load_digits()
    splits = read_digits(CLASSES, None)
    images = torch.cat([splits.train.images, splits.test.images]).flatten(1)
    labels = torch.cat([splits.train.labels, splits.test.labels])
    ours = sorted((tuple(image), label) for image, label in zip(images.tolist(), labels.tolist(), strict=True))
    stretched = np.rint(digits.data * 255 / 16).astype(int)
    assert ours == sorted((tuple(i), t) for i, t in zip(stretched.tolist(), digits.target.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(12))
def test_a_fifth_is_the_one_that_scikit_learn_draws(seed: int) -> None:
    generator = np.random.default_rng(seed)
    counts = generator.integers(2, 60, generator.integers(2, 12))
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    ours = stratified(labels, -(-len(labels) // 5), np.random.RandomState(0))
    theirs = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)


# Made-up images -------------------------------------------------------------------------------------------------------


def test_made_up_images_are_the_same_on_every_call_whatever_torch_drew_before() -> None:
    first = read_fake((), None, num_train=50, num_test=20)
    torch.manual_seed(5)
    assert equal(first, read_fake((), None, num_train=50, num_test=20))


def test_made_up_images_have_the_shape_and_the_counts_that_were_asked_for() -> None:
    splits = read_fake((), None, image_shape=(3, 5, 7), num_classes=4, num_train=42, num_test=9)
    assert splits.train.images.shape == (42, 3, 5, 7)
    assert splits.test.images.shape == (9, 3, 5, 7)
    assert splits.train.images.dtype == torch.uint8
    assert splits.class_names == ("0", "1", "2", "3")
    assert sorted(set(splits.train.labels.tolist())) == [0, 1, 2, 3]
    assert not torch.equal(splits.train.images[:8], splits.test.images[:8])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_shape": (1000, 1000, 1000)}, r"image_shape=\[1000, 1000, 1000\]: has too many values"),
        ({"num_train": 10**9}, r"num_train=1000000000: too many images of this size; at most 1369568"),
    ],
)
def test_more_made_up_images_than_memory_is_for_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_fake((), None, **options)


def test_made_up_images_are_learned_by_the_nearest_mean_as_far_as_the_noise_lets() -> None:
    def accuracy(noise: float) -> float:
        splits = read_fake((), None, noise=noise)
        pixels, labels = splits.train.images.flatten(1).float(), splits.train.labels
        means = torch.stack([pixels[labels == label].mean(dim=0) for label in range(10)])
        nearest = torch.cdist(splits.test.images.flatten(1).float(), means).argmin(dim=1)
        return float((nearest == splits.test.labels).float().mean())

    assert accuracy(0.25) > 0.99
    assert 0.3 < accuracy(3.0) < 0.8


# CIFAR ----------------------------------------------------------------------------------------------------------------


class Cifar(NamedTuple):
    name: str
    torchvision_class: Any
    root: Path
    batches: dict[str, dict[str, Any]]

    @property
    def folder(self) -> Path:
        return self.root / self.torchvision_class.base_folder

    @property
    def meta(self) -> str:
        return self.torchvision_class.meta["filename"]

    def read(self) -> Splits:
        names = CATALOG[self.name].class_names
        return read_cifar(self.name, self.torchvision_class.__name__, names, str(self.root))


@pytest.fixture(params=["cifar10", "cifar100"])
def cifar(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cifar:
    """A few images in the layout of the real archive, and torchvision's class told their MD5."""
    fine = request.param == "cifar100"
    dataset = datasets.CIFAR100 if fine else datasets.CIFAR10
    rng = np.random.default_rng(0)
    made = Cifar(request.param, dataset, tmp_path / "root", {})
    made.folder.mkdir(parents=True)
    sums = {}

    def write(file: str, value: Any) -> None:
        content = pickle.dumps(value)
        (made.folder / file).write_bytes(content)
        sums[file] = hashlib.md5(content).hexdigest()

    for file, _ in (*dataset.train_list, *dataset.test_list):
        labels = rng.integers(0, 100 if fine else 10, 3).tolist()
        data = rng.integers(0, 256, (3, 3072), dtype=np.uint8)
        made.batches[file] = {"data": data, "fine_labels" if fine else "labels": labels}
        write(file, made.batches[file])
    write(made.meta, {dataset.meta["key"]: list(CATALOG[made.name].class_names)})
    monkeypatch.setattr(dataset, "train_list", [[file, sums[file]] for file, _ in dataset.train_list])
    monkeypatch.setattr(dataset, "test_list", [[file, sums[file]] for file, _ in dataset.test_list])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": sums[made.meta]})
    return made


def test_cifar_is_read_where_it_lies(cifar: Cifar) -> None:
    before = tree(cifar.root)
    splits = cifar.read()
    files = list(cifar.batches)
    for split, names in ((splits.train, files[:-1]), (splits.test, files[-1:])):
        pixels = np.concatenate([cifar.batches[name]["data"] for name in names])
        labels = [label for name in names for key, v in cifar.batches[name].items() if "labels" in key for label in v]
        assert np.array_equal(split.images.numpy(), pixels.reshape(-1, 3, 32, 32))
        assert split.labels.tolist() == labels
        assert split.labels.dtype == torch.int64
    assert splits.val is None
    assert splits.origin == str(cifar.folder)
    assert tree(cifar.root) == before


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("damage", ["flipped", "cut", "missing"])
def test_a_damaged_file_of_cifar_is_named(cifar: Cifar, place: int, damage: str) -> None:
    path = cifar.folder / list(cifar.batches)[place]
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(flip(content, 1000) if damage == "flipped" else content[:-1])
    with pytest.raises(DataError) as error:
        cifar.read()
    assert str(error.value).startswith(f"{path} is {'missing' if damage == 'missing' else 'damaged'}")
    assert str(error.value).endswith(f"; what belongs there is in {cifar.torchvision_class.filename}")


def test_damaged_class_names_of_cifar_are_named(cifar: Cifar) -> None:
    path = cifar.folder / cifar.meta
    path.write_bytes(flip(path.read_bytes(), -20))
    with pytest.raises(DataError) as error:
        cifar.read()
    assert str(path) in str(error.value)


def test_the_archive_of_cifar_is_unpacked_without_a_download(cifar: Cifar, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = cifar.read()
    archive = cifar.root / cifar.torchvision_class.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(cifar.folder, arcname=cifar.folder.name)
    for path in cifar.folder.iterdir():
        path.unlink()
    cifar.folder.rmdir()
    monkeypatch.setattr(cifar.torchvision_class, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    assert equal(cifar.read(), expected)


@pytest.mark.usefixtures("offline")
def test_a_failed_download_of_cifar_says_what_to_do(cifar: Cifar) -> None:
    for path in cifar.folder.iterdir():
        path.unlink()
    cifar.folder.rmdir()
    cifar.root.rmdir()
    with pytest.raises(DataError, match="data=digits and data=fake need no network") as error:
        read_cifar(cifar.name, cifar.torchvision_class.__name__, (), str(cifar.root))
    said = ("no route to host", f"Put {cifar.torchvision_class.filename} into {cifar.root}", "data.root=FOLDER")
    assert [words for words in said if words not in str(error.value)] == []
    assert "\n" not in str(error.value)
    assert not cifar.root.exists()
