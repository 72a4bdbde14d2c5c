"""Sources: the pictures that a command names, by a file, a folder, a pattern, or paths on standard input."""

import glob
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import UsageError

STDIN = "-"


def pictures_of(source: str | list[str]) -> Iterator[str]:
    """The paths of the pictures, folders searched to their ends; what is named itself need not look like a picture.

    Raises:
        UsageError: (while it is read) for a folder or pattern without a picture.
    """
    for one in source if isinstance(source, list) else [source]:
        yield from _lines() if str(one) == STDIN else _named(expanded(str(one)), str(one))


def _lines() -> Iterator[str]:
    """One path a line, as `find` prints them; with a NUL in it, as `find -print0` does."""
    stream = sys.stdin.buffer
    for line in stream:
        for path in line.split(b"\0") if b"\0" in line else [line.rstrip(b"\r\n")]:
            if path.strip():
                yield os.fsdecode(path)


def _named(path: str, typed: str) -> Iterator[str]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _below(path, typed)
    elif not os.path.lexists(path) and glob.has_magic(path):
        found = sorted(name for name in glob.glob(path, recursive=True) if not os.path.isdir(name))  # noqa: PTH112, PTH207
        if not found:
            raise UsageError(f"source={typed}: no file matches")
        yield from found
    else:
        yield path


def _below(folder: str, typed: str) -> Iterator[str]:
    from rnnvision.data import DataError
    from rnnvision.data.files import find_images

    try:
        images, others = find_images(Path(folder))
    except DataError as error:
        raise UsageError(f"source={typed}: {error}") from error
    if not images:
        beside = f", only {len(others)} other files" if others else ""
        raise UsageError(f"source={typed}: there is no picture in this folder{beside}")
    yield from images
