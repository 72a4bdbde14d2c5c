"""Sources: the pictures that a command names, by a file, a folder, a pattern, or paths on standard input."""

import glob
import os
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from rnnvision.checks import counted
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.stdin import refuse_image
from rnnvision.errors import UsageError

STDIN = "-"


def pictures_of(source: str | list[str], empty: list[str]) -> Iterator[str]:
    """The paths of the pictures, folders searched to their ends; what is named itself need not look like a picture.

    Args:
        source: as it was typed.
        empty: gets a line for each folder or pattern without a picture.
    """
    for one in map(str, source if isinstance(source, list) else [source]):
        try:
            if not one.strip():
                raise UsageError(f"source={one}: names no image")
            yield from _lines() if one == STDIN else _named(expanded(one), one)
        except UsageError as error:
            empty.append(str(error))


def _lines() -> Iterator[str]:
    """One path a line, as `find` prints them, or if there is a NUL in the first of them each up to a NUL: `-print0`."""
    rest, separator = b"", b""
    stream = None if sys.stdin is None else cast("BufferedReader", sys.stdin.buffer)
    if stream is not None:
        refuse_image(stream, "paths, one a line")
    while stream is not None and (chunk := stream.read1(2**16)):  # what is there: a list may come slowly
        rest += chunk
        separator = separator or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if separator:
            *lines, rest = rest.split(separator)
            yield from _paths(lines, separator)
    yield from _paths([rest], separator)


def _paths(lines: list[bytes], separator: bytes) -> Iterator[str]:
    for line in lines:
        path = line if separator == b"\0" else line.rstrip(b"\r")
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
    from rnnvision.data.sets.tree import Tree

    try:
        images, others = Tree().find_images(Path(folder))
    except DataError as error:
        raise UsageError(f"source={typed}: {error}") from error
    if not images:
        beside = f", only {counted(len(others), 'other file')}" if others else ""
        raise UsageError(f"source={typed}: there is no image in this folder{beside}")
    yield from images
