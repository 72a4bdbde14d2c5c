"""The content of a checkpoint: plain builtins and tensors, no two of which share memory, and the digest of it."""

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


class Plain:
    """Copies of values in which there is nothing but what a digest covers.

    A dictionary has no attributes, such as the `_metadata` of a state dict; a tensor wants no gradient, and has memory
    of its own: two entries of a damaged file may have become one.

    Args:
        of_file: they come from a file. Of one that is written tensors stay as they are: weights of a GPU share a block.
    """

    def __init__(self, *, of_file: bool) -> None:
        self._of_file = of_file
        self._seen: set[int] = set()  # addresses of memory that a tensor has
        self.bytes = 0  # of all tensors

    def of(self, value: Any) -> Any:
        """The copy; what is not plain stays for `digest` to refuse."""
        if isinstance(value, Tensor):
            return self._tensor(value)
        if type(value) in (dict, OrderedDict):
            return {self.of(key): self.of(item) for key, item in value.items()}
        if type(value) in (list, tuple):
            return type(value)(self.of(item) for item in value)
        return value

    def _tensor(self, value: Tensor) -> Tensor:
        value = value.detach()
        if value.layout is not torch.strided or value.device.type == "meta":
            return value
        self.bytes += value.nbytes
        memory = value.untyped_storage()
        if not self._of_file:
            return value if value.nbytes <= memory.nbytes() else value.contiguous()  # one that was expanded
        address = memory.data_ptr()
        if value.nbytes < memory.nbytes() or address in self._seen:
            return value.clone()
        self._seen.add(address)
        return value


def digests_of(entries: Mapping[str, Any]) -> dict[str, str]:
    """One per entry and its name: the pickled digests share the name's string, so a flipped byte changes both."""
    return {key: digest((key, value)) for key, value in entries.items()}


def digest(value: Any) -> str:
    """SHA-256 of plain values and tensors.

    Raises:
        TypeError: for anything else, so that it cannot get into a checkpoint.
    """
    sha = hashlib.sha256()
    for part in _bytes_of(value):
        sha.update(part)
    return sha.hexdigest()


def _bytes_of(value: Any) -> Iterator[bytes | memoryview]:
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
            raise TypeError(f"a checkpoint holds dense tensors, not {value.layout} on {value.device}")
        flat = value.detach().cpu().contiguous().reshape(-1)
        yield f"tensor {value.dtype} {tuple(value.shape)};".encode()
        yield memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b""  # type: ignore[arg-type]  # a buffer
    elif type(value) in (dict, OrderedDict):
        yield f"map {len(value)};".encode()
        for key, item in value.items():
            yield from _bytes_of(key)
            yield from _bytes_of(item)
    elif type(value) in (list, tuple, torch.Size):
        yield f"{type(value).__name__} {len(value)};".encode()
        for item in value:
            yield from _bytes_of(item)
    elif type(value) is float:
        yield b"float" + struct.pack("<d", value)
    elif type(value) in (int, bool, str, type(None)):
        yield f"{type(value).__name__} {value!r};".encode()
    else:
        raise TypeError(f"a checkpoint holds plain values and tensors, not {type(value).__name__}: {value!r}")
