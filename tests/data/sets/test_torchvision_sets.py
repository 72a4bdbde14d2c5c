"""The data sets of torchvision, laid out as they are on disk: what is read, and what is refused."""

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from rnnvision.data import ImageData, Split
from rnnvision.data.downloads import fetch
from rnnvision.data.files import FileSplit, read_all
from tests.data.cases import tree
from tests.data.layouts import NUM_CLASSES, WRITERS, read, refusal

NO_NETWORK = "data=digits and data=fake need no network"
IN_MEMORY = ("emnist", "qmnist", "usps", "semeion", "svhn", "stl10")
IN_FILES = tuple(name for name in WRITERS if name not in IN_MEMORY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.mark.parametrize("name", WRITERS)
def test_a_data_set_is_read_where_it_lies(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = WRITERS[name](root, monkeypatch)
    before = tree(root)
    splits = read(name, root)
    parts = (splits.train, splits.val, splits.test)
    assert tuple(part if part is None else len(part) for part in parts) == made.sizes
    assert len(set(splits.class_names)) == len(splits.class_names) == NUM_CLASSES.get(name, 10)
    for part in parts:
        if part is not None:
            assert isinstance(part, Split if name in IN_MEMORY else FileSplit)
            assert part.image_shape == made.shape
            assert part.load(0).dtype == torch.uint8
            assert part.labels.dtype == torch.int64
            assert sorted(set(part.labels.tolist())) == list(range(len(splits.class_names)))
    assert Path(splits.origin) == root / made.folder
    assert splits.root == str(root)
    assert tree(root) == before


@pytest.mark.parametrize("name", WRITERS)
def test_a_data_set_is_served(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRITERS[name](root, monkeypatch)
    data = ImageData(name, root=str(root), batch_size=4)
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (4, *data.input_shape)
    assert len(labels) == 4
    assert len(data.class_names) == NUM_CLASSES.get(name, 10)
    assert data.describe()["root"] == str(root)


@pytest.mark.parametrize("name", [name for name in IN_MEMORY if name != "semeion"])
def test_images_in_memory_are_those_of_the_files(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = WRITERS[name](root, monkeypatch)
    splits = read(name, root)
    assert made.arrays is not None
    for part, (images, labels) in made.arrays.items():
        if part != "extra":
            found = {"train": splits.train, "test": splits.test}[part]
            assert isinstance(found, Split)
            assert torch.equal(found.images, torch.from_numpy(images))
            assert found.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("name", IN_FILES)
def test_images_in_files_have_their_labels(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRITERS[name](root, monkeypatch)
    splits = read(name, root, image_size=6)
    for part in (splits.train, splits.val, splits.test):
        if part is not None:
            assert isinstance(part, FileSplit)
            found, bad = read_all(part, threads=1)
            assert not bad
            assert found.images.shape == (len(part), 3, 6, 6)
            greys = found.images.float().mean(dim=(1, 2, 3))  # twice the label, but for what JPEG loses
            assert torch.equal((greys / 2).round().long(), part.labels)


@pytest.mark.parametrize("name", ["semeion", "eurosat"])
def test_a_fifth_of_each_class_is_the_test_split(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRITERS[name](root, monkeypatch)
    one, again = read(name, root), read(name, root)
    assert torch.bincount(one.test.labels).tolist() == [1] * 10
    assert torch.bincount(one.train.labels).tolist() == [4] * 10
    for part, same in ((one.train, again.train), (one.test, again.test)):
        assert [part.load(i).sum() for i in range(10)] == [same.load(i).sum() for i in range(10)]
        assert torch.equal(part.labels, same.labels)


@pytest.mark.parametrize("name", IN_FILES)
@pytest.mark.parametrize(("option", "value"), [("image_size", 0), ("crop_ratio", 0.0), ("crop_ratio", 1.5)])
def test_a_view_out_of_range_is_told(root: Path, name: str, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{option}={value}: must"):
        read(name, root, **{option: value})


# What is missing ------------------------------------------------------------------------------------------------------

QMNIST = ("train-images-idx3-ubyte", "train-labels-idx2-int", "test-images-idx3-ubyte", "test-labels-idx2-int")
WANTED = {  # what the message tells to put, and where
    "emnist": ("EMNIST/raw", ["gzip.zip"]),
    "qmnist": ("QMNIST/raw", [f"qmnist-{kind}.gz" for kind in QMNIST]),
    "usps": ("", ["usps.bz2", "usps.t.bz2"]),
    "semeion": ("", ["semeion.data"]),
    "svhn": ("", ["train_32x32.mat", "test_32x32.mat"]),
    "stl10": ("", ["stl10_binary.tar.gz"]),
    "gtsrb": ("gtsrb", ["GTSRB-Training_fixed.zip", "GTSRB_Final_Test_Images.zip", "GTSRB_Final_Test_GT.zip"]),
    "eurosat": ("eurosat", ["EuroSAT.zip"]),
    "imagenette": ("", ["imagenette2-320.tgz"]),
    "flowers102": ("flowers-102", ["102flowers.tgz", "imagelabels.mat", "setid.mat"]),
    "oxford_pets": ("oxford-iiit-pet", ["images.tar.gz", "annotations.tar.gz"]),
}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", WRITERS)
def test_a_data_set_that_cannot_be_had_says_what_to_do(root: Path, name: str) -> None:
    message = refusal(name, root)
    folder, files = WANTED[name]
    assert f"Put {', '.join(files)} into {root / folder}, or set data.root=FOLDER" in message
    said = (f"{name} is not in {root}", "no route to host", NO_NETWORK)
    assert [words for words in said if words not in message] == []
    assert not root.exists()


def pack(folder: Path, archive: Path) -> None:
    """A folder, under its own name, as an archive; and no folder any more."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, path.relative_to(folder.parent))
    else:
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(folder, arcname=folder.name)
    shutil.rmtree(folder)


ARCHIVES = {  # folder -> archive, below the root
    "gtsrb": {"gtsrb/GTSRB/Training": "gtsrb/GTSRB-Training_fixed.zip"},
    "eurosat": {"eurosat/2750": "eurosat/EuroSAT.zip"},
    "imagenette": {"imagenette2-320": "imagenette2-320.tgz"},
    "flowers102": {"flowers-102/jpg": "flowers-102/102flowers.tgz"},
    "oxford_pets": {
        "oxford-iiit-pet/images": "oxford-iiit-pet/images.tar.gz",
        "oxford-iiit-pet/annotations": "oxford-iiit-pet/annotations.tar.gz",
    },
}


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", [name for name in ARCHIVES if name != "gtsrb"])
def test_an_archive_that_is_there_is_unpacked(root: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    WRITERS[name](root, monkeypatch)
    expected = read(name, root)
    for folder, archive in ARCHIVES[name].items():
        pack(root / folder, root / archive)
    monkeypatch.setattr(fetch, "wrong_md5", lambda path, md5: "")  # not the real archives
    found = read(name, root)
    assert isinstance(found.train, FileSplit)
    assert isinstance(expected.train, FileSplit)
    assert found.train.files.tolist() == expected.train.files.tolist()
    assert torch.equal(found.test.labels, expected.test.labels)
