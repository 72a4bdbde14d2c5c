"""The MNIST family: found where it lies, read packed or not, and every byte of it verified."""

import gzip
from pathlib import Path

import pytest
import torch

from rnnvision.data import DataError, Splits
from rnnvision.data.sets import locate
from rnnvision.data.sets import mnist_family as idx
from rnnvision.data.sets.mnist_family import FILES, Family, read_family, read_idx
from tests.data.cases import (
    CONTENTS,
    COUNTS,
    FOLDER,
    UNVERIFIED,
    VERIFIED,
    family_contents,
    flip,
    idx_bytes,
    tree,
    write_family,
)

CLASSES = tuple("0123456789")
IMAGES, LABELS = FILES[0], FILES[1]


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "COUNTS", COUNTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def read(root: Path | None, family: Family = VERIFIED) -> Splits:
    return read_family("mnist", family, CLASSES, None if root is None else str(root))


def assert_refused(root: Path, name: str, family: Family = VERIFIED) -> str:
    """It is, with one line that names the file; returns the line."""
    with pytest.raises(DataError) as error:
        read(root, family)
    assert "\n" not in str(error.value)
    assert str(root / FOLDER / name) in str(error.value)
    return str(error.value)


# Reading --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
def test_both_splits_come_as_bytes_with_labels(root: Path, packed: bool) -> None:
    write_family(root / FOLDER, packed=packed)
    splits = read(root)
    for split, images, labels in ((splits.train, *FILES[:2]), (splits.test, *FILES[2:])):
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert split.images.shape == (len(split), 1, 28, 28)
        assert split.images.numpy().tobytes() == CONTENTS[images][16:]
        assert split.labels.tolist() == list(CONTENTS[labels][8:])
    assert (len(splits.train), len(splits.test), splits.val) == (6, 4, None)
    assert (splits.class_names, splits.origin) == (CLASSES, str(root / FOLDER))


@pytest.mark.parametrize("packed", [True, False])
def test_nothing_is_written_where_the_data_lies(root: Path, packed: bool) -> None:
    write_family(root / FOLDER, packed=packed)
    folders = [root, root / "MNIST", root / FOLDER]
    for folder in folders:
        folder.chmod(0o555)
    before = tree(root)
    try:
        assert len(read(root).train) == 6
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert tree(root) == before


def test_another_gzip_header_is_no_damage(root: Path) -> None:
    write_family(root / FOLDER)
    path = root / FOLDER / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(CONTENTS[IMAGES], compresslevel=1, mtime=1_234_567))
    assert read(root).train.images.numpy().tobytes() == CONTENTS[IMAGES][16:]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_the_search_goes_environment_data_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: int) -> None:
    roots = [tmp_path / "environment", Path("data").resolve(), locate.SYSTEM_ROOT]
    monkeypatch.setenv(locate.ENVIRONMENT_VARIABLE, str(roots[0]))
    for seed, place in enumerate(roots):
        if seed >= missing:
            write_family(place / FOLDER, family_contents(seed))
    splits = read(None, UNVERIFIED)
    assert splits.origin == str(roots[missing] / FOLDER)
    assert splits.train.images.numpy().tobytes() == family_contents(missing)[IMAGES][16:]


@pytest.mark.parametrize("folder", VERIFIED.folders)
def test_each_folder_name_of_the_family_is_found(root: Path, folder: str) -> None:
    write_family(root / folder)
    assert read(root).origin == str(root / folder)


def test_a_folder_that_lacks_a_file_is_passed_over() -> None:
    write_family(Path("data") / FOLDER)
    (Path("data") / FOLDER / f"{FILES[3]}.gz").unlink()
    write_family(locate.SYSTEM_ROOT / "mnist")
    assert read(None).origin == str(locate.SYSTEM_ROOT / "mnist")


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
def test_a_flipped_byte_in_a_packed_file_is_refused(root: Path, file: str, place: float) -> None:
    write_family(root / FOLDER)
    path = root / FOLDER / f"{file}.gz"
    content = path.read_bytes()
    path.write_bytes(flip(content, 10 + int(place * (len(content) - 11))))  # behind the header of gzip
    assert_refused(root, f"{file}.gz")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("position", [0, 2, 3, 7, 9, -1])
def test_a_flipped_byte_in_a_plain_file_is_refused(root: Path, file: str, position: int) -> None:
    write_family(root / FOLDER, {**CONTENTS, file: flip(CONTENTS[file], position)}, packed=False)
    assert_refused(root, file)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("file", FILES)
def test_a_cut_file_is_refused_at_any_length(root: Path, file: str, packed: bool) -> None:
    write_family(root / FOLDER, packed=packed)
    name = f"{file}.gz" if packed else file
    path = root / FOLDER / name
    content = path.read_bytes()
    for length in (0, 1, 3, 5, 9, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        assert_refused(root, name)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (LABELS, idx_bytes(torch.zeros(3)), r"holds \(3,\), not \(6,\)"),
        (IMAGES, idx_bytes(torch.zeros(5, 28, 28)), r"holds \(5, 28, 28\), not \(6, 28, 28\)"),
        (IMAGES, idx_bytes(torch.zeros(6, 27, 28)), r"holds \(6, 27, 28\), not \(6, 28, 28\)"),
        (LABELS, idx_bytes(torch.tensor([0, 1, 200, 3, 4, 5])), "label 200 of 10 classes"),
        (LABELS, idx_bytes(torch.tensor([0, 1, 10, 3, 4, 5])), "label 10 of 10 classes"),
        (IMAGES, b"<html><body>404 Not Found</body></html>", "no IDX file"),
        (IMAGES, bytes([0, 0, 13, 1, 0, 0, 0, 0]), "no IDX file of unsigned bytes"),
        (IMAGES, CONTENTS[IMAGES] + b"\0", "bytes for values of shape"),
        (IMAGES, bytes([0, 0, 8, 4]) + b"\xff" * 16, "bytes for values of shape"),
        pytest.param(IMAGES, idx_bytes(torch.zeros(0, 28, 28)), "damaged", id="no images"),
        pytest.param(LABELS, idx_bytes(torch.zeros(0)), "damaged", id="no labels"),
    ],
)
def test_a_wrong_content_is_refused_without_a_digest_too(root: Path, file: str, content: bytes, reason: str) -> None:
    write_family(root / FOLDER, {**CONTENTS, file: content})
    message = assert_refused(root, f"{file}.gz", UNVERIFIED)
    with pytest.raises(DataError, match=reason):
        raise DataError(message)


@pytest.mark.parametrize("packed", [True, False])
def test_another_content_than_the_published_is_refused(root: Path, packed: bool) -> None:
    write_family(root / FOLDER, {**CONTENTS, FILES[2]: family_contents(1)[FILES[2]]}, packed=packed)
    assert "SHA-256" in assert_refused(root, f"{FILES[2]}.gz" if packed else FILES[2])


def test_a_digest_is_of_the_unpacked_bytes(tmp_path: Path) -> None:
    path = tmp_path / "values.gz"
    path.write_bytes(gzip.compress(CONTENTS[LABELS]))
    assert read_idx(path, VERIFIED.digests[1] if VERIFIED.digests else None).tolist() == list(CONTENTS[LABELS][8:])
    with pytest.raises(DataError, match="SHA-256"):
        read_idx(path, "0" * 64)
