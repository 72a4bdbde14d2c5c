"""Regular files, and nothing else: read up to a bound, and added to or written over where they lie.

A run folder may be a stranger's: in the place of a file there can be a link, which leads elsewhere, a pipe, which has
no end, or a file that claims terabytes. What is written whole is replaced instead, see `rnnvision.atomic`.
"""

import os
import stat
from pathlib import Path
from typing import TextIO

from rnnvision.errors import FailureError

CONFIGURATION = 2**18  # bytes, as all below
JSON = 2**24
EPOCHS = 2**24  # metrics.csv: 50,000 epochs of 20 figures
STUDY = 2**26  # trials.json: 20,000 trials of 100 epochs
INDEX = 2**27  # of results: some 150,000 runs
PREDICTIONS = 2**28  # predictions.csv: two million images under names of 80 letters

_AT_ONCE = getattr(os, "O_NONBLOCK", 0)  # opening a pipe waits for nobody
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def read_bounded(path: str | Path, most: int) -> bytes:
    """The content of a file. Twice as fast as `open`, which counts when there are 50,000.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no regular file, or has more than so many bytes; without the path.
    """
    descriptor, size = _opened(path, most)
    try:
        found = os.read(descriptor, size)
        while len(found) < size and (more := os.read(descriptor, size - len(found))):
            found += more
        return found
    finally:
        os.close(descriptor)


def open_table(path: Path, most: int, *, errors: str = "strict") -> TextIO:
    """Open a CSV file to be read.

    Raises:
        OSError, ValueError: as `read_bounded`.
    """
    return os.fdopen(_opened(path, most)[0], newline="", encoding="utf-8", errors=errors)


def open_in_place(path: Path, flags: int) -> int:
    """A file descriptor of a file that is to be changed where it lies; with O_CREAT it is made where there is none.

    Raises:
        FailureError: if it is a link, or no regular file.
        OSError: if it cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | _NO_LINK | _AT_ONCE | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise _not_in_place(path) from error
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise _not_in_place(path)


def open_log(path: Path) -> TextIO:
    """Open a log to add to it.

    Raises:
        FailureError, OSError: as `open_in_place`.
    """
    descriptor = open_in_place(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _opened(path: str | Path, most: int) -> tuple[int, int]:
    """A file descriptor, and the size of the file."""
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    known = os.fstat(descriptor)
    if stat.S_ISREG(known.st_mode) and known.st_size <= most:
        return descriptor, known.st_size
    os.close(descriptor)
    if not stat.S_ISREG(known.st_mode):
        raise ValueError("is no file")
    size = f"{most >> 20} MB" if most >> 20 else f"{most >> 10} kB"
    raise ValueError(f"is larger than {size}, which no such file is")


def _not_in_place(path: Path) -> FailureError:
    what = "is a link, and what it leads to would be written" if path.is_symlink() else "is no file"
    return FailureError(f"{path}: {what}; remove it")
