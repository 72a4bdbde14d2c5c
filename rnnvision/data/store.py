"""Stores: files in a folder, or in an object store, from which they are fetched when needed."""

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rnnvision.data.downloads.lock import held
from rnnvision.data.splits import DataError, NoFolderError

PART = ".part"
CACHE_VARIABLE = "RNNVISION_CACHE"
ADDRESSES = ("s3://", "gs://", "azure://", "r2://", "local:")  # local:/folder is fetched like the others, for trials


def is_address(root: str) -> bool:
    """Whether it is an address such as s3://bucket/folder, and not a path."""
    return root.startswith(ADDRESSES)


def cache_root() -> Path:
    """Where fetched files and decoded images are kept: $RNNVISION_CACHE, or rnnvision/ in the user's cache.

    Raises:
        DataError: if the user has no home folder.
    """
    given = os.environ.get(CACHE_VARIABLE)
    user = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return (Path(given) if given else user / "rnnvision").expanduser().resolve()
    except RuntimeError as error:
        raise DataError(f"there is no home folder; set {CACHE_VARIABLE} to a folder") from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a store: its path below the root, its size and digest, and how many samples it holds."""

    file: str
    bytes: int
    sha256: str
    samples: int = 0

    def fault(self, path: Path, *, digest: bool) -> str | None:
        """What is wrong with the copy at `path`, if anything is; without `digest` only its size is checked."""
        if not path.is_file():
            return f"{self.file}: missing"
        if (size := path.stat().st_size) != self.bytes:
            return f"{self.file}: {size:,} bytes instead of {self.bytes:,}"
        if digest and sha256(path) != self.sha256:
            return f"{self.file}: changed since it was made"
        return None


@dataclass(frozen=True)
class Store:
    """A folder on this machine, or an address and the folder that caches what was fetched from it.

    What is fetched is kept: in the end `folder` holds everything that was read.
    """

    root: str
    folder: Path

    @property
    def remote(self) -> bool:
        return is_address(self.root)

    def path(self, entry: Entry) -> Path:
        """The file on this machine; if several processes need it, one fetches it and the others wait.

        Raises:
            DataError: if it cannot be fetched, or what arrives is not what it should be.
        """
        path = self.folder / entry.file
        if not self.remote or path.is_file():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        with held(Path(f"{path}.fetch")) as alone:  # workers of one run wait for each other all the time
            if not path.is_file():
                self._bring(entry, path, alone)
        return path

    def _bring(self, entry: Entry, path: Path, alone: bool) -> None:
        if alone:
            for left in path.parent.glob(f"{path.name}.*{PART}"):  # by a process that was killed
                left.unlink(missing_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}{PART}")
        try:
            fetch(f"{self.root}/{entry.file}", part)
            if entry.fault(part, digest=True):
                raise DataError(f"{self.root}/{entry.file}: what arrived is not the file that was made; try again")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def open_store(root: str, index: str) -> tuple[Store, bytes]:
    """The store at `root`, and the content of its file `index`, which lists the others.

    Raises:
        DataError: if there is no such file.
    """
    if not is_address(root):
        folder = Path(root).expanduser().resolve()
        if not folder.is_dir():
            raise NoFolderError(f"data.root={root}: there is no such folder")
        try:
            return Store(str(folder), folder), (folder / index).read_bytes()
        except FileNotFoundError as error:
            raise DataError(
                f"{folder}: holds no {index}, so it is no folder of shards, or making them was interrupted; "
                "`rnnvision shards` makes them"
            ) from error
        except OSError as error:
            raise DataError(f"{folder / index}: cannot be read ({error.strerror})") from error
    root, cache = root.rstrip("/"), cache_root()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{cache}: cannot be made ({error.strerror}); set {CACHE_VARIABLE} to a folder for what is fetched"
        ) from error
    with TemporaryDirectory(dir=cache) as temporary:
        fetch(f"{root}/{index}", Path(temporary) / index)
        content = (Path(temporary) / index).read_bytes()
    # Named by its content: shards that were made anew are fetched anew.
    return Store(root, cache / hashlib.sha256(root.encode() + content).hexdigest()[:16]), content


def fetch(address: str, path: Path) -> None:
    """Copy one file of an object store to `path`, by litdata's downloaders.

    Raises:
        DataError: if it cannot be obtained.
    """
    from litdata.streaming.downloader import get_downloader

    try:
        get_downloader(address.rpartition("/")[0], str(path.parent), []).download_file(address, str(path))
    except Exception as error:  # each service has its own kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{address}: cannot be fetched ({reason})") from error
    if not path.is_file():  # litdata is silent where another process holds its lock
        raise DataError(f"{address}: cannot be fetched")
