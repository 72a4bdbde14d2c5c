"""The download of a data set: used where it works; where it fails, one line says what to do, and nothing is left."""

import gzip
import hashlib
import shutil
from contextlib import nullcontext
from email.message import Message
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError

import pytest
from torchvision import datasets

from rnnvision.data import CATALOG, DataError, Splits
from rnnvision.data.downloads import fetch
from rnnvision.data.downloads.fetch import Source
from rnnvision.data.sets import locate
from rnnvision.data.sets import mnist_family as idx
from rnnvision.data.sets.mnist_family import FILES, read_family
from tests.data.cases import CONTENTS, COUNTS, FOLDER, VERIFIED, write_family
from tests.data.downloads.answers import Answers

CLASSES = tuple("0123456789")
NO_NETWORK = "data=digits and data=fake need no network"
PACKED = {f"{file}.gz": gzip.compress(content, mtime=0) for file, content in CONTENTS.items()}


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Nobody answers, unless a test says so; the files of MNIST are few."""
    monkeypatch.setattr(idx, "COUNTS", COUNTS)
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in PACKED.items()]
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    return Answers(monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def read(root: Path | None) -> Splits:
    return read_family("mnist", VERIFIED, CLASSES, None if root is None else str(root))


def test_what_another_process_does_in_the_same_folder_is_not_looked_at(
    root: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vanished(*_: object) -> list[Path]:
        raise FileNotFoundError("a folder that another process was unpacking")

    monkeypatch.setattr(Path, "rglob", vanished)
    answers.error = URLError("no route to host")
    with pytest.raises(DataError, match="no route to host"):
        read(root)
    assert not root.exists()


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route to host"),
        TimeoutError("timed out"),
        HTTPError("", 404, "Not Found", Message(), None),
        IncompleteRead(b"", 7),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_a_failed_download_says_what_to_do(root: Path, answers: Answers, name: str, error: Exception) -> None:
    answers.error = error
    folder = {"mnist": "MNIST/raw", "fashion_mnist": "FashionMNIST/raw", "kmnist": "KMNIST/raw"}[name]
    with pytest.raises(DataError) as caught:
        CATALOG[name].read(CLASSES, str(root))
    message = str(caught.value)
    assert "\n" not in message
    assert f"{name} is not in {root}, and" in message
    said = [str(root / folder), NO_NETWORK]
    said += [f"{file}.gz" for file in FILES] + ["data.root=FOLDER", locate.ENVIRONMENT_VARIABLE]
    mirrors = getattr(datasets, folder.removesuffix("/raw")).mirrors
    said += [f"{mirror}{FILES[0]}.gz: {' '.join(str(error).split())}" for mirror in mirrors]
    assert [words for words in said if words not in message] == []
    assert not root.exists()
    assert list(Path().iterdir()) == []


def test_a_failed_download_leaves_none_of_the_folders_that_it_made(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        read(tmp_path / "outer" / "inner")
    assert not (tmp_path / "outer").exists()


def test_a_failed_download_leaves_an_empty_folder_that_was_there_before() -> None:
    here = Path.cwd()
    for root in (None, here / "data", here / "outer" / "inner"):
        with pytest.raises(DataError):
            read(root)
        assert here.is_dir()
        assert list(here.iterdir()) == []


def test_a_failed_download_leaves_what_was_there_before(root: Path) -> None:
    (root / "mine" / "empty").mkdir(parents=True)
    (root / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(DataError):
        read(root)
    found = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    assert found == ["mine", "mine/empty", "mine/notes.txt"]


def test_a_root_that_is_a_file_is_told(root: Path) -> None:
    root.write_text("no folder")
    with pytest.raises(DataError, match="mnist is not in"):
        read(root)
    assert root.read_text() == "no folder"


def test_a_download_is_used_and_may_not_wait_for_ever(root: Path, answers: Answers) -> None:
    answers.files = PACKED
    splits = read(root)
    assert splits.origin == str(root / FOLDER)
    assert splits.train.images.numpy().tobytes() == CONTENTS[FILES[0]][16:]
    assert {asked.timeout for asked in answers.asked} == {fetch.TIMEOUT}
    assert sorted(path.name for path in (root / FOLDER).iterdir()) == sorted(PACKED)


def test_a_download_goes_to_the_first_search_root(answers: Answers) -> None:
    answers.files = PACKED
    assert read(None).origin == str(Path("data").resolve() / FOLDER)


def test_of_a_download_that_was_cut_what_had_arrived_is_used(root: Path, answers: Answers) -> None:
    """The other files were whole, and are not asked for again."""
    answers.files = {name: content for name, content in PACKED.items() if name != f"{FILES[2]}.gz"}
    with pytest.raises(DataError, match=f"{FILES[2]}.gz: HTTP Error 404"):
        read(root)
    answers.files, answers.asked = PACKED, []
    read(root)
    assert [asked.url.rpartition("/")[2] for asked in answers.asked] == [f"{name}.gz" for name in FILES[2:]]


def test_what_another_process_has_brought_meanwhile_is_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = locate.held

    def wait(path: Path, waiting: str) -> object:
        write_family(root / FOLDER)
        return real(path, waiting)

    monkeypatch.setattr(locate, "held", wait)
    assert len(read(root).test) == 4


def test_what_a_download_left_that_was_killed_is_removed(root: Path, answers: Answers) -> None:
    left = [root / FOLDER / f".{FILES[0]}.gz.1.0abc.tmp", root / FOLDER / ".unpacking-x" / "a"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (root / FOLDER / ".mine").write_bytes(b"x")
    answers.files = PACKED
    read(root)
    assert sorted(path.name for path in (root / FOLDER).iterdir()) == sorted([*PACKED, ".mine"])


def test_what_another_one_may_still_write_stays(root: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its lock cannot be had, and it gives no sign of life."""
    monkeypatch.setattr(locate, "held", lambda path, waiting: nullcontext(False))
    begun = root / FOLDER / f".{FILES[0]}.gz.1.0abc.tmp"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(b"x")
    answers.files = PACKED
    read(root)
    assert begun.is_file()


def test_what_is_there_is_not_downloaded(root: Path) -> None:
    write_family(root / FOLDER)
    assert len(read(root).test) == 4


def test_a_folder_that_another_process_takes_away_is_made_again(
    root: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = fetch.fetch
    calls: list[Source] = []

    def fetch_once(source: Source, folder: Path) -> None:
        calls.append(source)
        if len(calls) == 1:
            shutil.rmtree(folder)
            raise FileNotFoundError(2, "No such file or directory", str(folder / source.path))
        fetched(source, folder)

    monkeypatch.setattr(fetch, "fetch", fetch_once)
    answers.files = PACKED
    read(root)
    assert sorted(path.name for path in (root / FOLDER).iterdir()) == sorted(PACKED)
