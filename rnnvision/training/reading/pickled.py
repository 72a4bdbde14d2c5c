"""Pickles of torch's archives, read without torch's unpickler, in a third of its time.

A pickle is a program. Its words are checked one by one before any is followed: only those that torch writes, only the
names that plain values and tensors need, and no number of a place that would make a list of gigabytes. What is left is
followed by Python's own unpickler, which then can call nothing but the functions below.
"""

import math
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import torch
from torch import Tensor, nn

# The words that torch writes, by the number of bytes that follow each.
FIXED = {
    **dict.fromkeys(b"().NRabestu}]\x81\x85\x86\x87\x88\x89Q", 0),  # values without content, containers, calls
    **dict.fromkeys(b"\x80Kqh", 1),
    ord("M"): 2,
    ord("J"): 4,
    ord("j"): 4,
    ord("G"): 8,
}
COUNTED = {ord("X"): 4, ord("\x8a"): 1, ord("U"): 1}  # texts and long numbers: by the bytes of their length
GLOBAL, KEEP, STOP = ord("c"), ord("r"), ord(".")

STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
}
TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"  # made by functions below
KNOWN: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "torch.Size": torch.Size,
    TENSOR: None,
    PARAMETER: None,
    **{f"torch.{name}": dtype for name, dtype in STORAGES.items()},
}
MOST_DIMENSIONS = 16
SHARED = 8  # times the bytes of all storages: so much may all tensors be together, which share some


class UnreadableError(ValueError):
    """What is wrong with a file, as it follows the path in a message."""


def names_in(content: bytes) -> set[str]:
    """The names of what a pickle would load, once each of its words is one that torch writes.

    Raises:
        UnreadableError: for any other word, and for a pickle that is cut short.
    """
    found: set[str] = set()
    place, words, end = 0, 0, len(content)
    while place < end:
        word = content[place]
        words += 1
        if (size := FIXED.get(word)) is not None:
            if word == STOP:
                return found
            place += 1 + size
        elif word in COUNTED:
            start = place + 1 + COUNTED[word]
            place = start + int.from_bytes(content[place + 1 : start], "little")
        elif word == GLOBAL:
            name_end = content.find(b"\n", content.find(b"\n", place) + 1)
            if name_end < 0:
                break
            found.add(content[place + 1 : name_end].decode("utf-8", "replace").replace("\n", "."))
            place = name_end + 1
        elif word == KEEP:
            if int.from_bytes(content[place + 1 : place + 5], "little") > words:  # a list of that length would be made
                break
            place += 5
        else:
            break
    raise UnreadableError("is damaged")


def unpickled(content: bytes, records: Mapping[str, int], read: Callable[[str], Tensor] | None) -> Any:
    """What a pickle holds.

    Args:
        content: of data.pkl.
        records: of each storage, its bytes in the archive.
        read: gives the bytes of a storage as uint8 (N,). Without it only what they are for is checked: each tensor is
            None, and `Unknown` stands for whatever is no plain value.

    Raises:
        UnreadableError: for what is not plain, where it is read, and for tensors that are more than the archive holds.
    """
    found = names_in(content)
    if read is not None and (others := sorted(name for name in found if name not in KNOWN)):
        raise UnreadableError(f"asks to load {', '.join(others[:8])}")
    try:
        return _Reader(content, records, read).whole()
    except UnreadableError:
        raise
    except Exception as error:  # a damaged pickle can fail anywhere, with any type
        raise UnreadableError("is damaged") from error


class Unknown:
    """Whatever a file of others names, that is not looked into."""

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass

    def __call__(self, *_: object) -> "Unknown":
        return self

    append = extend = __setitem__ = __call__


class _Storage:
    """Memory of tensors: so many elements of this type, and the tensor of all of them, where they are read."""

    def __init__(self, dtype: torch.dtype, count: int, elements: Tensor | None) -> None:
        self.dtype, self.count, self.elements = dtype, count, elements

    def __setstate__(self, _: object) -> None:
        raise UnreadableError("is damaged")


class _Reader(pickle.Unpickler):
    def __init__(self, content: bytes, records: Mapping[str, int], read: Callable[[str], Tensor] | None) -> None:
        super().__init__(BytesIO(content))
        self.records, self.read = records, read
        self.known = {**KNOWN, TENSOR: self._tensor, PARAMETER: self._parameter}
        self.storages: dict[str, _Storage] = {}
        self.made: list[Tensor] = []
        self.left = SHARED * sum(records.values())  # bytes of tensors

    def find_class(self, module: str, name: str) -> Any:
        return self.known.get(f"{module}.{name}", Unknown)

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or type(count) is not int or type(key) is not str:
            raise UnreadableError("is damaged")
        known = self.storages.get(key)
        if known is None:
            if type(dtype) is not torch.dtype or self.records.get(key) != count * dtype.itemsize:
                raise UnreadableError("is damaged, a tensor has not the size that it says")
            elements = None if self.read is None else self.read(key).view(dtype)
            known = self.storages[key] = _Storage(dtype, count, elements)
        if known.dtype is not dtype or known.count != count:
            raise UnreadableError("is damaged, a tensor has two types")
        return known

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor | None:
        whole = all(type(n) is int and n >= 0 for n in (offset, *shape, *strides))
        if type(storage) is not _Storage or not whole or not len(shape) == len(strides) <= MOST_DIMENSIONS:
            raise UnreadableError("is damaged")
        count = math.prod(shape)
        last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
        if count and last >= storage.count:
            raise UnreadableError("is damaged, a tensor is larger than what is stored of it")
        self.left -= count * storage.dtype.itemsize
        if self.left < 0:
            raise UnreadableError("is damaged, its tensors are far larger than what is stored of them")
        if storage.elements is None:
            return None
        made = storage.elements.as_strided(shape, strides, offset if count else 0)
        made = made if _is_dense(shape, strides) else made.contiguous()  # where elements share a place, they part
        # For the rest of the pickle: torch's own would give the tensor other memory, whatever is asked for.
        made.__setstate__ = _refuse  # type: ignore[method-assign]
        self.made.append(made)
        return made

    def _parameter(self, data: Any, requires_grad: Any, *_: Any) -> nn.Parameter | None:
        if self.read is None:
            return None
        made = nn.Parameter(data, requires_grad=requires_grad is True)
        made.__setstate__ = _refuse  # type: ignore[method-assign]
        self.made.append(made)
        return made

    def whole(self) -> Any:
        """All that the pickle holds."""
        found = self.load()
        for tensor in self.made:
            del tensor.__setstate__
        return found


def _refuse(_: object) -> None:
    raise UnreadableError("is damaged")


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether elements fill a piece of memory, each in a place of its own, in whatever order of the dimensions."""
    expected = 1
    if 0 in shape:
        return True
    for stride, side in sorted(zip(strides, shape, strict=True)):
        if side != 1:
            if stride != expected:
                return False
            expected *= side
    return True
