"""Checkpoints whose archive or pickle is forged: what torch.save never writes."""

import io
import os
import pickle
import struct
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from torture.forgeries.forgery import BEST, LAST, PREVIOUS, Forgery

WAYS = ("load", "resume")
FILES = (BEST, LAST, PREVIOUS)  # all of a run: else it would go on from the one that is whole
PICKLE = "best/data.pkl"
RUNS = b"cposix\nsystem\nX\x0a\x00\x00\x00touch ran \x85R"  # os.system("touch ran ")
DIGESTS = b"X\x09\x00\x00\x00rnnvision}X\x07\x00\x00\x00digests}X\x0a\x00\x00\x00state_dict}"


def content_of(value: bytes, name: str = "more") -> bytes:
    """A pickle of a dictionary with the names of a checkpoint, and one entry more: a pickled value without its end."""
    return b"\x80\x02}(" + DIGESTS + pickled(name) + value + b"u."


def pickled(value: Any) -> bytes:
    return pickle.dumps(value, protocol=2)[2:-1]


def archive(value: bytes, **how: Any) -> Callable[[Path], object]:
    """Files that are an archive of this pickle and a storage of 16 bytes, called 0."""

    def forge(box: Path) -> None:
        for name in FILES:
            with zipfile.ZipFile(box / name, "w", **how) as made:
                made.writestr(PICKLE, value)
                made.writestr("best/byteorder", "little")
                made.writestr("best/data/0", bytes(16))
                made.writestr("best/version", "3\n")

    return forge


def repack(path: Path, change: Callable[[dict[str, bytes]], object], **how: Any) -> None:
    """Change the entries of an archive."""
    with zipfile.ZipFile(path) as honest:
        entries = {name: honest.read(name) for name in honest.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", **how) as made:
        for name, content in entries.items():
            made.writestr(name, content)


def rewritten(change: Callable[[dict[str, bytes]], object], **how: Any) -> Callable[[Path], object]:
    """The honest archives, their entries changed."""

    def forge(box: Path) -> None:
        for name in FILES:
            repack(box / name, change, **how)

    return forge


def storage(count: int = 4, key: str = "0", kind: bytes = b"FloatStorage") -> bytes:
    return (
        b"(" + pickled("storage") + b"ctorch\n" + kind + b"\n" + pickled(key) + pickled("cpu") + pickled(count) + b"tQ"
    )


def tensor(shape: Any, strides: Any, offset: int = 0, held: bytes | None = None) -> bytes:
    empty = b"ccollections\nOrderedDict\n)R"
    parts = (held or storage()) + pickled(offset) + pickled(shape) + pickled(strides) + b"\x89" + empty
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + parts + b"tR"


def laughs(levels: int) -> bytes:
    """Lists, each of which is two references to the one before."""
    made = b"]q\x00" + pickled(5) + b"a"
    for level in range(1, levels):
        before = b"h" + bytes([level - 1])
        made += b"]q" + bytes([level]) + b"(" + before * 2 + b"e"
    return b"(" + made + b"t"


def _swapped(entries: dict[str, bytes]) -> None:
    name = next(name for name in entries if name.endswith("byteorder"))
    entries[name] = b"big"


def _no_pickle(entries: dict[str, bytes]) -> None:
    del entries[next(name for name in entries if name.endswith("data.pkl"))]


def _short_storage(entries: dict[str, bytes]) -> None:
    name = max((name for name in entries if "/data/" in name), key=lambda name: len(entries[name]))
    entries[name] = entries[name][:4]


def _many(entries: dict[str, bytes]) -> None:
    entries.update({f"best/x{i}": b"" for i in range(250_000)})


def _twice(box: Path) -> None:
    for name in FILES:
        with zipfile.ZipFile(box / name, "a") as made:
            pickle_name = next(entry for entry in made.namelist() if entry.endswith("data.pkl"))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                made.writestr(pickle_name, content_of(RUNS))


def _bomb(box: Path) -> None:
    for name in FILES:
        bomb = zipfile.ZipFile(box / name, "w", zipfile.ZIP_DEFLATED)
        with bomb, bomb.open(PICKLE, "w", force_zip64=True) as entry:
            for _ in range(300):
                entry.write(bytes(10_000_000))


def _overlapping(box: Path) -> None:
    """A thousand entries of the directory that are the same megabyte."""
    for name in FILES:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as file:
            file.writestr("best/data/0", bytes(1_000_000))
            first = file.infolist()[0]
            for i in range(1, 2000):
                other = zipfile.ZipInfo(f"best/data/{i}")
                for key in ("header_offset", "file_size", "compress_size", "CRC"):
                    setattr(other, key, getattr(first, key))
                file.filelist.append(other)
                file.NameToInfo[other.filename] = other
            file.writestr(PICKLE, content_of(pickled(1)))
        (box / name).write_bytes(made.getvalue())


def _saved(value: Any) -> Callable[[Path], object]:
    """What torch itself writes for a value that is no plain one."""

    def forge(box: Path) -> None:
        for name in FILES:
            torch.save({"rnnvision": {}, "digests": {}, "state_dict": {}, "more": value}, box / name)

    return forge


class _Runs:
    def __reduce__(self) -> Any:
        return os.system, ("touch ran",)


PICKLES: dict[str, bytes] = {
    "os.system": content_of(RUNS),
    "os.system as the whole file": b"\x80\x02" + RUNS + b".",
    "builtins.eval": content_of(b"c__builtin__\neval\n" + pickled("open('ran','w')") + b"\x85R"),
    "builtins.getattr": content_of(b"c__builtin__\ngetattr\n" + pickled(("a", "upper")) + b"R"),
    "torch.hub": content_of(b"ctorch.hub\nload\n" + pickled(("a", "b")) + b"R"),
    "an old class": content_of(b"(" + pickled("touch ran") + b"iposix\nsystem\n"),
    "a protocol of today": pickle.dumps({"rnnvision": {}, "digests": {}, "state_dict": {}}, protocol=5),
    "persistent number": content_of(pickled(5) + b"Q"),
    "persistent text": content_of(b"Pstorage\n"),
    "a place of its memory that is far away": content_of(b"]r" + struct.pack("<I", 0x7FFFFFFF)),
    "a long number": content_of(b"\x8b" + struct.pack("<I", 100_000) + b"\x7f" * 100_000),
    "a number of 250 bytes": content_of(b"\x8a\xfa" + b"\x7f" * 250),
    "a text that is longer than the file": content_of(b"X\xff\xff\xff\x7fabc"),
    "bytes of 2**62": content_of(b"\x8e" + struct.pack("<Q", 1 << 62)),
    "an array of bytes of 2**36": content_of(b"\x96" + struct.pack("<Q", 1 << 36)),
    "lists in lists, 10,000 deep": content_of(b"]" * 10_000 + b"a" * 9_999),
    "lists of the same lists, 2**40": content_of(laughs(40)),
    "a list that holds itself": content_of(b"]q\x05h\x05a"),
    "more to take than there is": content_of(b"0" * 50),
    "without an end": content_of(pickled(1))[:-1],
    "a tensor of 2**60 numbers from 4": content_of(tensor((1 << 60,), (0,))),
    "a tensor of 2**33 numbers from 4": content_of(tensor((1 << 33,), (0,))),
    "a tensor beyond its memory": content_of(tensor((2, 1000), (1000, 1))),
    "a tensor that begins beyond its memory": content_of(tensor((4,), (1,), 1 << 40)),
    "a tensor with a negative offset": content_of(tensor((4,), (1,), -4)),
    "a tensor with a negative stride": content_of(tensor((4,), (-1,), 3)),
    "a tensor with a negative side": content_of(tensor((-4,), (1,))),
    "a tensor of a hundred dimensions": content_of(tensor((1,) * 100, (1,) * 100)),
    "a tensor with more strides than sides": content_of(tensor((4,), (1, 1))),
    "a tensor with text for a side": content_of(tensor(("4",), (1,))),
    "a tensor of nothing": content_of(tensor((4,), (1,), 0, pickled(None))),
    "a storage that is larger than it is": content_of(tensor((400,), (1,), 0, storage(400))),
    "a storage of 2**60": content_of(tensor((4,), (1,), 0, storage(1 << 60))),
    "a storage that is not there": content_of(tensor((4,), (1,), 0, storage(4, "../0"))),
    "a storage of two types": content_of(
        b"(" + tensor((4,), (1,)) + tensor((2,), (1,), 0, storage(2, "0", b"LongStorage")) + b"t"
    ),
    "a storage of quantised numbers": content_of(tensor((16,), (1,), 0, storage(16, "0", b"QInt8Storage"))),
    "a tensor that is given other memory": content_of(tensor((4,), (1,)) + pickled((1, 0, (1 << 40,), (1,))) + b"b"),
    "100,000 tensors of the same memory": content_of(b"(" + tensor((4,), (1,)) * 100_000 + b"t"),
    "a dictionary that hides its methods": content_of(
        b"ccollections\nOrderedDict\n)R" + pickled({"items": 5, "values": 6, "keys": 7}) + b"b", "state_dict"
    ),
    "an OrderedDict of text": content_of(b"ccollections\nOrderedDict\n" + pickled(("abc",)) + b"R", "state_dict"),
    "a Size of text": content_of(b"ctorch\nSize\n" + pickled((("a",),)) + b"R"),
}


def _all() -> list[Forgery]:
    found = {f"pickle: {name}": archive(value) for name, value in PICKLES.items()}
    saved = {
        "an object that runs": _Runs(),
        "a class": OrderedDict,
        "a type": torch.float32,
        "a device": torch.device("cpu"),
        "a sparse tensor": torch.eye(3).to_sparse(),
        "a tensor on meta": torch.ones(3, device="meta"),
        "a set": {1},
        "a path": Path("a"),
        "bytes": b"abc",
        "a generator": torch.Generator,
    }
    found |= {f"saved: {name}": _saved(value) for name, value in saved.items()}
    found |= {
        "archive: of another order of bytes": rewritten(_swapped),
        "archive: without a pickle": rewritten(_no_pickle),
        "archive: a storage cut short": rewritten(_short_storage),
        "archive: compressed": rewritten(lambda entries: None, compression=zipfile.ZIP_DEFLATED),
        "archive: 250,000 entries": rewritten(_many),
        "archive: 3 GB compressed": _bomb,
        "archive: two pickles": _twice,
        "archive: entries that share their bytes": _overlapping,
        "archive: a folder in its place": _folder,
        "archive: a pipe in its place": _pipe,
    }
    return [Forgery(name, forge, WAYS) for name, forge in found.items()]


def _folder(box: Path) -> None:
    for name in FILES:
        (box / name).unlink()
        (box / name).mkdir()


def _pipe(box: Path) -> None:
    for name in FILES:
        (box / name).unlink()
        os.mkfifo(box / name)


FORGERIES = _all()
