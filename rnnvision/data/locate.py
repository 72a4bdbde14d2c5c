"""Locations of data sets on this machine, and their download."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from tarfile import TarError

from filelock import FileLock

from rnnvision.data.splits import DataError

ENVIRONMENT_VARIABLE = "RNNVISION_DATA"
SYSTEM_ROOT = Path("/usr/share/datasets")  # Debian's packages put data sets here
NO_NETWORK = "data=digits and data=fake need no network"
DOWNLOAD_TIMEOUT_S = 30.0
LOCK = ".download.lock"


def search_roots(root: str | None) -> list[Path]:
    """The folders to search, in this order: the given one, the environment's, ./data, the system's."""
    asked = [root, os.environ.get(ENVIRONMENT_VARIABLE), "data"]
    return [Path(r).expanduser().resolve() for r in asked if r] + [SYSTEM_ROOT]


def find_folder(
    root: str | None, folders: tuple[str, ...], is_complete: Callable[[Path], bool]
) -> tuple[Path, Path] | None:
    """The first search root with one of `folders` in it that `is_complete`, and that folder."""
    candidates = ((base, base / folder) for base in search_roots(root) for folder in folders)
    return next((found for found in candidates if is_complete(found[1])), None)


def obtain(
    name: str,
    root: str | None,
    folders: tuple[str, ...],
    is_complete: Callable[[Path], bool],
    archives: tuple[str, ...],
    fetch: Callable[[Path], object],
) -> tuple[Path, Path]:
    """The search root that holds a data set, and its folder there; if no root holds it, it is downloaded.

    Args:
        name: of the data set.
        root: the given search root, if any.
        folders: where it may be below a search root.
        is_complete: whether such a folder holds it.
        archives: what is downloaded, as paths below a search root and in one folder; one that is already there is used.
        fetch: downloads and unpacks into a search root.

    Raises:
        DataError: if it cannot be obtained; the message says where to put which files.
    """
    found = find_folder(root, folders, is_complete)
    if found is None:
        begun = find_folder(root, archives, Path.is_file)
        here = str(begun[0]) if begun else root
        place = Path(archives[0]).parent.as_posix()
        download(name, here, "" if place == "." else place, tuple(Path(file).name for file in archives), fetch)
        found = find_folder(here, folders, is_complete)
    if found is None:
        raise DataError(f"{name}: the download left no complete {folders[0] or archives[0]}")
    return found


def download(name: str, root: str | None, folder: str, files: tuple[str, ...], fetch: Callable[[Path], object]) -> None:
    """Let `fetch(root)` download the data set into the first search root; one process at a time.

    Raises:
        DataError: that says what was tried, where to put which files, and which data sets need no download.
    """
    roots = search_roots(root)
    target = roots[0]
    before = {path for path in (*target.parents, target, *target.rglob("*")) if path.exists()}
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(target / LOCK), _socket_timeout(DOWNLOAD_TIMEOUT_S):
            fetch(target)
    except (OSError, RuntimeError, ValueError, EOFError, HTTPException, TarError) as error:
        _remove_new(target, before)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{name} is not in {', '.join(map(str, roots))}, and downloading it to {target} failed ({reason}). "
            f"Put {', '.join(files)} into {target / folder}, or set data.root=FOLDER or {ENVIRONMENT_VARIABLE} to the "
            f"folder that holds {folder or files[0]}; {NO_NETWORK}"
        ) from error


def _remove_new(folder: Path, before: set[Path]) -> None:
    """Leave no empty folder behind after a failed download."""
    new = [path for path in (*folder.parents, folder, folder / LOCK, *folder.rglob("*")) if path not in before]
    for path in sorted(new, reverse=True):
        with suppress(OSError):  # not empty: a partial file that a later download continues
            path.unlink() if path.name == LOCK else path.rmdir()


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
