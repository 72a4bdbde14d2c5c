"""EMNIST and QMNIST: splits, classes, upright pictures, packed or not, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnvision.data import CATALOG, DataError, Split, Splits
from rnnvision.data.sets import nist
from tests.data.cases import idx_bytes
from tests.data.layouts import write_emnist, write_qmnist

DIGITS, UPPER, LOWER = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
CLASSES = {
    "byclass": DIGITS + UPPER + LOWER,
    "bymerge": DIGITS + UPPER + "abdefghnqrt",
    "balanced": DIGITS + UPPER + "abdefghnqrt",
    "letters": LOWER,
    "digits": DIGITS,
    "mnist": DIGITS,
}


def emnist(root: Path, **options: object) -> Splits:
    return CATALOG["emnist"].read(CATALOG["emnist"].class_names, str(root), **options)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("split", CLASSES)
def test_a_split_of_emnist_has_its_classes_and_upright_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str, packed: bool
) -> None:
    made = write_emnist(tmp_path, monkeypatch, split, packed)
    assert made.arrays is not None
    splits = emnist(tmp_path, split=split)
    assert splits.class_names == tuple(CLASSES[split])
    for part, found in (("train", splits.train), ("test", splits.test)):
        assert isinstance(found, Split)
        images, labels = made.arrays[part]
        assert np.array_equal(found.images.numpy(), images)
        assert found.labels.tolist() == labels.tolist()
        assert sorted(set(found.labels.tolist())) == list(range(len(CLASSES[split])))


def test_the_splits_of_emnist_are_as_large_as_published() -> None:
    totals = {split: [part[0] for part in counts.values()] for split, counts in nist.EMNIST_COUNTS.items()}
    assert {split: sum(counts) for split, counts in totals.items()} == {
        "byclass": 814_255,
        "bymerge": 814_255,
        "balanced": 131_600,
        "letters": 145_600,
        "digits": 280_000,
        "mnist": 70_000,
    }


def test_both_editions_of_the_letters_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_emnist(tmp_path, monkeypatch, "letters")
    monkeypatch.setitem(nist.EMNIST_COUNTS, "letters", {"train": (90, 70), "test": (80, 65)})
    splits = emnist(tmp_path, split="letters")
    assert (len(splits.train), len(splits.test)) == (70, 65)


def test_an_unknown_split_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^split=leters: choose one of byclass, .*did you mean letters\?"):
        emnist(tmp_path, split="leters")


@pytest.mark.parametrize(
    ("file", "values", "reason"),
    [
        ("train-images-idx3", torch.zeros(69, 28, 28), r"it holds \(69, 28, 28\), not \(70, 28, 28\)"),
        ("test-labels-idx1", torch.zeros(64), r"it holds \(64,\), not \(65,\)"),
        ("test-labels-idx1", torch.full((65,), 27), "label 26 of 26 classes"),
        ("train-labels-idx1", torch.zeros(70), "label -1 of 26 classes"),
    ],
)
def test_a_damaged_file_of_emnist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, values: torch.Tensor, reason: str
) -> None:
    made = write_emnist(tmp_path, monkeypatch, "letters")
    path = tmp_path / made.folder / f"emnist-letters-{file}-ubyte"
    path.write_bytes(idx_bytes(values))
    with pytest.raises(DataError, match=f"^{path} is damaged: {reason}"):
        emnist(tmp_path, split="letters")


def qmnist(root: Path) -> Splits:
    return CATALOG["qmnist"].read(CATALOG["qmnist"].class_names, str(root))


def test_qmnist_is_read_unpacked_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write_qmnist(tmp_path, monkeypatch)
    expected = qmnist(tmp_path)
    for path in (tmp_path / made.folder).iterdir():
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    found = qmnist(tmp_path)
    for part, other in ((found.train, expected.train), (found.test, expected.test)):
        assert isinstance(part, Split)
        assert isinstance(other, Split)
        assert torch.equal(part.images, other.images)
        assert torch.equal(part.labels, other.labels)
    labels = tmp_path / made.folder / "qmnist-test-labels-idx2-int"
    labels.write_bytes(idx_bytes(torch.zeros(12)))
    with pytest.raises(DataError, match=f"^{labels} is damaged: it is no IDX file of 32-bit integers"):
        qmnist(tmp_path)
    labels.write_bytes(bytes([0, 0, 12, 1, 0, 0, 0, 12]) + bytes(48))
    with pytest.raises(DataError, match=rf"^{labels} is damaged: it holds \(12,\), not a row for each image"):
        qmnist(tmp_path)


def test_qmnist_with_other_images_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = write_qmnist(tmp_path, monkeypatch)
    path = tmp_path / made.folder / "qmnist-train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(torch.zeros(12, 28, 28))))
    with pytest.raises(DataError, match=f"^{path} is damaged or incomplete: its MD5 is "):
        qmnist(tmp_path)
