"""The download of a data set: used where it works; where it fails, one line says what to do, and nothing is left."""

import socket
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from torchvision import datasets

from rnnvision.data import CATALOG, DataError, Splits
from rnnvision.data.sets import locate
from rnnvision.data.sets import mnist_family as idx
from rnnvision.data.sets.mnist_family import FILES, read_family
from tests.data.cases import CONTENTS, COUNTS, FOLDER, VERIFIED, write_family

CLASSES = tuple("0123456789")
NO_NETWORK = "data=digits and data=fake need no network"


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "COUNTS", COUNTS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def read(root: Path | None) -> Splits:
    return read_family("mnist", VERIFIED, CLASSES, None if root is None else str(root))


def replace_torchvision(monkeypatch: pytest.MonkeyPatch, name: str, fetch: Any) -> None:
    """In place of torchvision's class, which downloads when it is made."""
    monkeypatch.setattr(datasets, name, fetch)


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route to host"),
        TimeoutError(),
        RuntimeError("File not found\nor corrupted."),
        IncompleteRead(b"", 7),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_a_failed_download_says_what_to_do(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    def fail(target: Path, *, download: bool) -> None:
        (target / "x" / "raw").mkdir(parents=True)
        raise error

    folder = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "kmnist": "KMNIST/raw"}[name]
    replace_torchvision(monkeypatch, folder.partition("/")[0], fail)
    with pytest.raises(DataError) as caught:
        CATALOG[name].read(CLASSES, str(root))
    message = str(caught.value)
    assert "\n" not in message
    assert f"{name} is not in {root}, and" in message
    said = [str(root / folder), NO_NETWORK]
    said += [f"{file}.gz" for file in FILES] + ["data.root=FOLDER", locate.ENVIRONMENT_VARIABLE]
    assert [words for words in said if words not in message] == []
    assert (" ".join(str(error).split()) or "TimeoutError") in message
    assert not root.exists()
    assert list(Path().iterdir()) == []


def refuse(target: Path, *, download: bool) -> None:
    raise URLError("no route to host")


def test_a_failed_download_leaves_none_of_the_folders_that_it_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_torchvision(monkeypatch, "MNIST", refuse)
    with pytest.raises(DataError):
        read(tmp_path / "outer" / "inner")
    assert not (tmp_path / "outer").exists()


def test_a_failed_download_leaves_an_empty_folder_that_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", refuse)
    here = Path.cwd()
    for root in (None, here / "data", here / "outer" / "inner"):
        with pytest.raises(DataError):
            read(root)
        assert here.is_dir()
        assert list(here.iterdir()) == []


def test_a_failed_download_leaves_what_was_there_before(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", refuse)
    (root / "mine" / "empty").mkdir(parents=True)
    (root / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(DataError):
        read(root)
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["mine", "mine/empty", "mine/notes.txt"]


def test_a_root_that_is_a_file_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", refuse)
    root.write_text("no folder")
    with pytest.raises(DataError, match="mnist is not in"):
        read(root)
    assert root.read_text() == "no folder"


def test_a_download_is_used_and_may_not_wait_for_ever(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts = []

    def fetch(target: Path, *, download: bool) -> None:
        assert download
        timeouts.append(socket.getdefaulttimeout())
        write_family(target / FOLDER, packed=False)

    replace_torchvision(monkeypatch, "MNIST", fetch)
    socket.setdefaulttimeout(7.0)
    try:
        splits = read(root)
        assert socket.getdefaulttimeout() == 7.0
    finally:
        socket.setdefaulttimeout(None)
    assert timeouts == [locate.DOWNLOAD_TIMEOUT_S]
    assert splits.origin == str(root / FOLDER)
    assert splits.train.images.numpy().tobytes() == CONTENTS[FILES[0]][16:]


def test_a_download_goes_to_the_first_search_root(monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", lambda target, download: write_family(target / FOLDER))
    assert read(None).origin == str(Path("data").resolve() / FOLDER)


def test_a_download_that_brings_nothing_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", lambda target, download: None)
    with pytest.raises(DataError, match=r"mnist: the download left no complete MNIST/raw"):
        read(root)


def test_what_is_there_is_not_downloaded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_torchvision(monkeypatch, "MNIST", refuse)
    write_family(root / FOLDER)
    assert len(read(root).test) == 4
