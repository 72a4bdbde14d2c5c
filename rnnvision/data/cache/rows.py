"""Files of rows: arrays of one shape under a key each, written once and mapped into memory rather than read.

    magic, the length of header and index (uint64), their SHA-256
    header    JSON: the number of rows, their shape, and why other keys have none
    index     the key (16 bytes) of each row, then the CRC-32 of each
    rows      uint8, from a multiple of 4096 on

Whoever maps such a file shares its pages with all others that do. Nothing is ever written through a mapping.
"""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

MAGIC = b"rnnvision rows 1"
KEY_BYTES = 16
START = struct.Struct("<16sQ32s")  # magic, length, SHA-256
PAGE = 4096
SMALL = 64 * 2**20  # bytes


class DamagedError(ValueError):
    """A file that is not as it was written."""


@dataclass(frozen=True, eq=False)
class RowFile:
    """A file of rows, of which only header and index have been read and checked.

    Attributes:
        keys: of the N rows.
        sums: uint32 (N,), the CRC-32 of each row.
        reasons: keys that have no row, and why.
        rows: uint8 (N, *shape), mapped: what is written to it stays in this process.
    """

    path: Path
    keys: list[bytes]
    sums: np.ndarray
    reasons: Mapping[bytes, str]
    rows: np.ndarray

    @property
    def is_small(self) -> bool:
        return self.rows.nbytes < SMALL

    def intact(self, index: np.ndarray) -> np.ndarray:
        """bool: whether each of these rows is as it was written."""
        return np.array([zlib.crc32(self.rows[i]) == self.sums[i] for i in index], dtype=bool)


def read_rows(path: Path, shape: tuple[int, ...]) -> RowFile:
    """Map a file of rows of this shape.

    Raises:
        DamagedError: if it is cut, or its header or index has changed.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        magic, length, digest = _unpacked(file.read(START.size))
        size = os.fstat(file.fileno()).st_size
        if magic != MAGIC or length > size or hashlib.sha256(head := file.read(length)).digest() != digest:
            raise DamagedError(path)
        end = head.index(b"\n")
        header = json.loads(head[:end])
        count, stated = header["rows"], tuple(header["shape"])
        begin, row = _aligned(START.size + length), int(np.prod(shape, dtype=np.int64))
        if stated != shape or size != begin + count * row:
            raise DamagedError(path)
        mapped = np.memmap(file, np.uint8, "c", begin, (count, *shape)) if count else np.empty((0, *shape), np.uint8)
    index = head[end + 1 :]
    keys = [index[at : at + KEY_BYTES] for at in range(0, KEY_BYTES * count, KEY_BYTES)]
    sums = np.frombuffer(index, "<u4", count, KEY_BYTES * count)
    reasons = {bytes.fromhex(key): reason for key, reason in header["reasons"].items()}
    return RowFile(path, keys, sums, reasons, np.asarray(mapped))  # a memmap takes long for each of its rows


def write_rows(file: BinaryIO, keys: Sequence[bytes], rows: np.ndarray, reasons: Mapping[bytes, str]) -> None:
    """Write rows uint8 (N, *shape) under their keys, and why other keys have none, through to the disk."""
    header = {"rows": len(keys), "shape": rows.shape[1:], "reasons": {k.hex(): why for k, why in reasons.items()}}
    sums = np.array([zlib.crc32(row) for row in rows], dtype="<u4")
    head = b"".join([json.dumps(header).encode(), b"\n", *keys, sums.tobytes()])
    file.write(START.pack(MAGIC, len(head), hashlib.sha256(head).digest()) + head)
    file.write(bytes(_aligned(file.tell()) - file.tell()))
    file.write(rows.reshape(-1).data)
    file.flush()
    os.fsync(file.fileno())


def _unpacked(start: bytes) -> tuple[bytes, int, bytes]:
    return START.unpack(start) if len(start) == START.size else (b"", 0, b"")


def _aligned(offset: int) -> int:
    return -(-offset // PAGE) * PAGE
