"""Images of one size in a few files: damage is named, and what is peculiar to SVHN, STL-10 and Semeion."""

from pathlib import Path

import pytest
import torch

from rnnvision.data import Split
from tests.data.cases import flip
from tests.data.layouts import WRITERS, Made, read, refusal


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def files_of(name: str, made: Made, root: Path) -> list[Path]:
    """The files of a data set that are no pictures."""
    found = sorted(path for path in (root / made.folder).rglob("*") if path.is_file())
    return [path for path in found if path.suffix.lower() not in (".jpg", ".jpeg", ".ppm")]


@pytest.mark.parametrize("damage", ["flipped", "cut"])
@pytest.mark.parametrize("name", ["qmnist", "usps", "semeion", "svhn", "stl10", "flowers102"])
def test_a_damaged_file_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, name: str, damage: str) -> None:
    made = WRITERS[name](root, monkeypatch)
    for path in files_of(name, made, root):
        content = path.read_bytes()
        path.write_bytes(flip(content, len(content) // 2) if damage == "flipped" else content[:-1])
        if path.name != "extra_32x32.mat":
            message = refusal(name, root)
            assert message.startswith(f"{root / made.folder}")
            assert str(path) in message
            assert "damaged" in message
            assert "delete" not in message  # nothing that it could be unpacked from is there
        path.write_bytes(content)
    read(name, root)


@pytest.mark.parametrize("file", ["train_X.bin", "test_y.bin"])
def test_a_missing_file_of_stl10_is_named(root: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    made = WRITERS["stl10"](root, monkeypatch)
    path = root / made.folder / file
    path.unlink()
    assert refusal("stl10", root) == f"{path} is missing; what belongs there is in stl10_binary.tar.gz"


@pytest.mark.usefixtures("offline")
def test_the_extra_part_of_svhn_is_asked_for_by_name(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS["svhn"](root, monkeypatch)
    (root / "extra_32x32.mat").unlink()
    assert len(read("svhn", root).train) == 20
    assert "Put train_32x32.mat, test_32x32.mat, extra_32x32.mat into" in refusal("svhn", root, extra=True)


def test_the_extra_part_of_svhn_comes_after_the_training_split(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = WRITERS["svhn"](root, monkeypatch)
    assert made.arrays is not None
    splits = read("svhn", root, extra=True)
    assert isinstance(splits.train, Split)
    assert (len(splits.train), len(splits.test)) == (50, 10)
    assert torch.equal(splits.train.images[20:], torch.from_numpy(made.arrays["extra"][0]))
    assert splits.train.labels[20:].tolist() == made.arrays["extra"][1].tolist()
    with pytest.raises(ValueError, match=r"^extra=1: must be true or false$"):
        read("svhn", root, extra=1)


@pytest.mark.parametrize("name", ["svhn", "usps", "semeion"])
def test_files_may_lie_in_a_folder_of_their_name(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRITERS[name](root / name, monkeypatch)
    splits = read(name, root)
    assert (splits.origin, splits.root) == (str(root / name), str(root))


def test_semeion_is_white_on_black_and_labelled(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = WRITERS["semeion"](root, monkeypatch)
    assert made.arrays is not None
    splits = read("semeion", root)
    assert isinstance(splits.train, Split)
    assert isinstance(splits.test, Split)
    found = zip(
        torch.cat([splits.train.images, splits.test.images]).flatten(1).tolist(),
        [*splits.train.labels.tolist(), *splits.test.labels.tolist()],
        strict=True,
    )
    images, labels = made.arrays["all"]
    assert sorted(found) == sorted(zip(images.reshape(50, -1).tolist(), labels.tolist(), strict=True))
