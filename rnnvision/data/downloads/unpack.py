"""Unpacking: the one place that writes what an archive holds. All of it appears in the end, or nothing.

Only files and folders below the own folder are written: an archive with a link, a device, an absolute name or `..` is
refused, and one that grows beyond what any data set does. The filters of tarfile are not used: Python 3.10 and some
3.11 lack them, zipfile has none, and a filter of tarfile still follows links.
"""

import bz2
import errno
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from rnnvision.checks import one_line
from rnnvision.disk import LEFT_FREE, free
from rnnvision.progress import done, work

MARK = ".unpacking-"  # in the name of the folder of what is not complete
MOST_TIMES, AT_LEAST = 100, 2**28  # times the archive, and bytes, that its content may have: images do not shrink so
MOST_MEMBERS = 5_000_000
HEADERS = 2**24  # bytes that those of a tar may have more
Member = tuple[str, IO[bytes] | None]  # its name, and its content, or None for a folder
WRONG = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


class UnpackError(OSError):
    """An archive that is damaged, or that holds what it should not."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar, compressed or not, or a zip into a folder, in which files of the same names are replaced.

    Raises:
        UnpackError: if it is damaged, or holds anything but files and folders below itself; then nothing is written.
        OSError: if the disk is full, or the folder cannot be written.
    """
    with unpacked(archive, folder) as fresh:
        _move_into(fresh, folder)


def remove_begun(folder: Path) -> None:
    """Remove what killed processes have left that unpacked into a folder; no other one may do so now."""
    for path in folder.glob(f"{MARK}*"):
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def unpacked(archive: Path, folder: Path) -> Iterator[Path]:
    """Within, the content of an archive lies in a folder of its own beside `folder`'s other content."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=MARK, dir=folder))
    try:
        extract(archive, fresh)
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def extract(archive: Path, folder: Path) -> None:
    """Write the content of an archive into an empty folder; it raises what `unpack` does."""
    limit = max(AT_LEAST, MOST_TIMES * archive.stat().st_size)
    written = members = 0
    try:
        with work(f"unpacking {archive.name}"):
            for name, content in _of_zip(archive) if archive.suffix == ".zip" else _of_tar(archive, limit):
                if (members := members + 1) > MOST_MEMBERS:
                    raise UnpackError(f"it holds more than {MOST_MEMBERS:,} files and folders")
                place = folder.joinpath(*_parts(name))
                if content is None:
                    place.mkdir(parents=True, exist_ok=True)
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                with place.open("wb") as file:
                    while block := content.read(2**20):
                        written += len(block)
                        if written > limit:
                            raise UnpackError(_too_much(limit))
                        file.write(block)
                if members % 1000 == 1 and (left := free(folder)) is not None and left < LEFT_FREE:
                    raise OSError(errno.ENOSPC, "no space left on the device")
                done()
    except UnpackError as error:
        raise UnpackError(f"{archive}: {error}") from error
    except WRONG as error:
        raise UnpackError(f"{archive}: is damaged ({' '.join(str(error).split()) or type(error).__name__})") from error
    except OSError as error:
        if error.errno is None:  # the compression's own, for damage
            raise UnpackError(f"{archive}: {error}") from error
        raise


def _of_tar(archive: Path, limit: int) -> Iterator[Member]:
    with _decompressed(archive) as file:
        content = _Bounded(file, limit)
        with tarfile.open(fileobj=cast(IO[bytes], content), mode="r|") as tar:
            for member in tar:
                if not (member.isreg() or member.isdir()):
                    kind = "a link" if member.issym() or member.islnk() else "no file or folder"
                    raise UnpackError(f"{one_line(member.name)} in it is {kind}")
                yield member.name, None if member.isdir() else tar.extractfile(member)
                tar.members = []  # type: ignore[attr-defined]  # of 1.3 million none is kept
        while content.read(2**20):  # behind the last member is the checksum
            pass


def _decompressed(archive: Path) -> IO[bytes]:
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(archive))
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(archive))
    return cast(IO[bytes], lzma.open(archive)) if start == b"\xfd7zXZ\0" else archive.open("rb")


class _Bounded:
    """A file of which no more than `limit` bytes are read: a header of a tar may ask for any number."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self.file, self.limit, self.left = file, limit, limit + HEADERS

    def read(self, size: int) -> bytes:
        if size > self.left:
            raise UnpackError(_too_much(self.limit))
        block = self.file.read(size)
        self.left -= len(block)
        return block


def _too_much(limit: int) -> str:
    return f"it unpacks to more than {limit / 1e6:,.0f} MB"


def _of_zip(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            if info.is_dir():
                yield info.filename, None
                continue
            if (kind := stat.S_IFMT(info.external_attr >> 16)) not in (0, stat.S_IFREG):
                raise UnpackError(f"{one_line(info.filename)} in it is {'a link' if stat.S_ISLNK(kind) else 'no file'}")
            with file.open(info) as content:
                yield info.filename, content


def _parts(name: str) -> list[str]:
    """The parts of a member's name.

    Raises:
        UnpackError: if it leads out of the folder.
    """
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part != "."]
    if name.startswith(("/", "\\")) or ".." in parts or any(":" in part and os.name == "nt" for part in parts):
        raise UnpackError(f"{one_line(name)} in it would be written outside of the folder")
    if "\0" in name:
        raise UnpackError(f"{one_line(name)} in it is no name")
    return parts


def _move_into(fresh: Path, folder: Path) -> None:
    """Move all that is in a folder into another one: a folder that is there already takes in what is in it."""
    for path in sorted(fresh.iterdir()):
        place = folder / path.name
        if path.is_dir() and place.is_dir() and not place.is_symlink():
            _move_into(path, place)
        else:
            path.replace(place)
