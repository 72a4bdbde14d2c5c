"""Archives of torch: what a file holds, checked before memory is asked for.

torch writes entries as they are, one after the other. Others can write archives that unpack to a thousand times their
size, of which two readers see different parts, or whose tensors are larger than what is stored of them.
"""

import os
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from torch import Tensor

from rnnvision.training.reading.pickled import UnreadableError, unpickled

MOST_ENTRIES = 200_000
MOST_PICKLED = 100_000_000  # bytes of data.pkl, which holds no weights
PICKLE = "data.pkl"
HEADER, LENGTHS = 30, (26, 28)  # bytes before the name of an entry, and where the lengths of what follows them are
METADATA = "_metadata"  # the attribute of a state dict with the versions of its modules
# Of plain values: names of 20,000 classes are some of them, and weights none.
MOST_VALUES, MOST_DEPTH, LONGEST_TEXT, LARGEST = 2_000_000, 64, 1_000_000, 1 << 256


def read_archive(path: Path) -> Any:
    """What an archive of plain values and tensors holds, the tensors on the CPU.

    Raises:
        UnreadableError: for a file that is damaged, holds something else, or more of it than its size allows.
    """
    found = _followed(path, with_tensors=True)
    check_plain(found)
    return found


def check_archive(path: Path) -> None:
    """Check that an archive of others, which torch is to read, holds no more than its size allows.

    Raises:
        UnreadableError: if it does, or is damaged.
    """
    _followed(path, with_tensors=False)


def pickled_in(path: Path) -> bytes:
    """The pickle in an archive, which has the names and the plain values; nothing of it is followed.

    Raises:
        UnreadableError: for a file that is damaged, or holds more than its size allows.
    """
    with _opened(path) as (archive, folder):
        return archive.read(f"{folder}/{PICKLE}")


def _followed(path: Path, *, with_tensors: bool) -> Any:
    with _opened(path) as (archive, folder), path.open("rb") as file:
        start = f"{folder}/data/"
        names = [name for name in archive.namelist() if name.startswith(start)]
        records = {name.removeprefix(start): archive.getinfo(name).file_size for name in names}
        order = f"{folder}/byteorder"
        if order in archive.namelist() and archive.read(order).decode() != sys.byteorder:
            raise UnreadableError("was written by a machine of another order of bytes")

        def read(key: str) -> Tensor:
            return _content(file, archive.getinfo(start + key))

        return unpickled(archive.read(f"{folder}/{PICKLE}"), records, read if with_tensors else None)


def _content(file: BinaryIO, entry: zipfile.ZipInfo) -> Tensor:
    """The bytes of an entry; whether they are right its digest says, by the name of what it belongs to."""
    file.seek(entry.header_offset)
    header = file.read(HEADER)
    file.seek(sum(int.from_bytes(header[place : place + 2], "little") for place in LENGTHS), os.SEEK_CUR)
    made = torch.empty(entry.file_size, dtype=torch.uint8)
    if header[:4] != b"PK\3\4" or cast(Any, file).readinto(made.numpy()) != entry.file_size:
        raise UnreadableError("is damaged")
    return made


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """An archive that holds no more than its size allows, and the folder within it in which everything lies."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive.infolist(), path.stat().st_size)
            yield archive, _folder_of(archive.infolist())
    except UnreadableError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError, KeyError, ValueError) as error:
        raise UnreadableError("is damaged") from error


def check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Check that the entries of an archive are as torch writes them: whole, each once, and no more than the file holds.

    Raises:
        UnreadableError: for others.
    """
    if len(entries) > MOST_ENTRIES:
        raise UnreadableError(f"holds {len(entries):,} entries")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UnreadableError("is compressed, which torch does not do")
    if len({entry.filename for entry in entries}) != len(entries):
        raise UnreadableError("is damaged, or holds two entries of the same name")
    if sum(entry.file_size for entry in entries) > size:
        raise UnreadableError("is damaged, it holds more than its size")


def _folder_of(entries: list[zipfile.ZipInfo]) -> str:
    """The folder within an archive in which everything lies."""
    folders = {entry.filename.partition("/")[0] for entry in entries}
    pickles = [entry for entry in entries if entry.filename.partition("/")[2] == PICKLE]
    if len(folders) != 1 or len(pickles) != 1 or pickles[0].file_size > MOST_PICKLED:
        raise UnreadableError("is no archive of torch")
    return folders.pop()


def check_plain(content: Any) -> None:
    """Check that values are few enough to look at each, and none of them is endless; a level of nesting at a time.

    A list that holds a list twice, which holds a list twice ... is a file of some bytes and a traversal without end.

    Raises:
        UnreadableError: for more than that.
    """
    level, count = [content], 0
    for _ in range(MOST_DEPTH):
        inner: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str:
                if len(value) > LONGEST_TEXT:
                    raise UnreadableError(f"is damaged, or holds a text of {len(value):,} characters")
            elif kind is int:
                if not -LARGEST < value < LARGEST:
                    raise UnreadableError("is damaged, or holds a number that is too large")
            elif kind is dict or kind is OrderedDict:
                inner += dict.keys(value)
                inner += dict.values(value)
                if kind is OrderedDict and (attributes := vars(value)):
                    if attributes.keys() != {METADATA}:
                        raise UnreadableError("is damaged, or holds an OrderedDict with attributes")
                    inner.append(attributes[METADATA])
            elif kind is list or kind is tuple:
                inner += value
            if count + len(inner) > MOST_VALUES:
                raise UnreadableError(f"is damaged, it holds more than {MOST_VALUES:,} values")
        if not inner:
            return
        level, count = inner, count + len(inner)
    raise UnreadableError(f"is damaged, it holds values in more than {MOST_DEPTH} levels")
