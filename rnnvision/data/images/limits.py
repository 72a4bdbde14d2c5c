"""Limits of image files: what a header may ask of a decoder, looked at before a decoder sees it.

`max_pixels` bounds the image. What is bounded here lies beside it: tiles larger than the image, tables of any length,
comments, a hundred thousand empty scans, decoders that take a microsecond a pixel. The figures are far beyond what
cameras, scanners and programs write.
"""

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

from PIL import Image

MAX_RAW = 2**30  # bytes of a file whose pixels may lie in it as they are: sixteen for each of `MAX_PIXELS`
MAX_PACKED = 2**27  # of any other: decoders keep it in memory, or copy its tables
MAX_TABLES = 2**25  # bytes of what is in it beside pixels: profiles, previews, comments
MAX_VALUES = 2**20  # in a table of numbers, each of which takes 50 bytes as Python's
MAX_HEADER = 2**16  # bytes before the pixels of a PPM or PGM
MAX_SIDE = 2**20  # pixels
MAX_SCANS = 100  # of a progressive JPEG; programs write 10
MAX_TILES = 2**16  # of a JPEG 2000, times its channels and 5: each of both takes a kilobyte
HEAVY = ("WEBP", "JPEG2000", "AVIF")  # their decoders take twice the memory of others, up to 24 bytes a pixel
SLOW = ("ppm", "ppm_plain", "bmp_rle")  # decoders written in Python, which take a microsecond a pixel
SLOW_WEIGHT = 8
RAW = (b"BM", b"P", b"II", b"MM", b"\x89PNG")  # how files begin that may be as large as `MAX_RAW`
JPEG_2000 = (b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51")
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # of a TIFF


def check_file(file: BinaryIO, start: bytes) -> int:
    """The size of a file that begins with `start`, of which nothing is asked that an honest one would not need.

    Raises:
        ValueError: that says what is too large.
    """
    size = file.seek(0, os.SEEK_END)
    most = MAX_RAW if start.startswith(RAW) else MAX_PACKED
    if size > most:
        raise ValueError(f"{size:,} bytes, more than the {most:,} that are read of its kind")
    if start.startswith(JPEG_2000):
        _check_tiles(file)
    elif size > MAX_HEADER:
        if start.startswith(b"\x89PNG"):
            _check_chunks(file, size)
        elif start.startswith((b"II", b"MM")):
            _check_tags(file, start)
        elif start.startswith(b"BM") and struct.unpack_from("<I", start.ljust(18, b"\0"), 14)[0] > MAX_HEADER:
            raise ValueError("its header is too long")
        elif re.match(rb"P[0-9a-zA-Z]\s", start):
            _check_comments(file)
    file.seek(0)
    return size


def check_scans(data: bytes) -> None:
    """Refuse a progressive JPEG that has the decoder go over all of it hundreds of times.

    Raises:
        ValueError: that says so.
    """
    if (scans := data.count(b"\xff\xda")) > MAX_SCANS:
        raise ValueError(f"{scans:,} scans, more than {MAX_SCANS}")


def check_opened(image: Image.Image) -> None:
    """Refuse a thread of pixels, each row of which takes its own place, and a TIFF with tiles far larger than itself.

    Raises:
        ValueError: that says so.
    """
    if max(image.size) > MAX_SIDE:
        raise ValueError(f"a side of {max(image.size):,} pixels, more than {MAX_SIDE:,}")
    if image.format != "TIFF":
        return
    tags = image.tag_v2  # type: ignore[attr-defined]  # which images of this format have
    sides = [tags.get(322, 0), tags.get(323, 0)]
    if all(isinstance(side, int) for side in sides):
        width, height = sides
        if width * height > max(4 * image.width * image.height, 2**22):
            raise ValueError(f"tiles of {width} x {height} pixels in an image of {image.width} x {image.height}")


def weight(image: Image.Image) -> int:
    """How many pixels each one of an image counts for, by the time and the memory that decoding it takes."""
    if any(tile[0] in SLOW for tile in getattr(image, "tile", [])[:1]):
        return SLOW_WEIGHT
    return 2 if image.format in HEAVY else 1


def _check_chunks(file: BinaryIO, size: int) -> None:
    """Of a PNG: what is beside the pixels. Pillow reads each such chunk as a whole."""
    for kind, length in _chunks(file, size):
        if kind not in (b"IDAT", b"fdAT") and length > MAX_TABLES:
            raise ValueError(f"{length:,} bytes in a chunk that holds no pixels")


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    if size <= MAX_TABLES:  # no chunk can be larger
        return
    place = 8
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        yield kind, length
        place += 12 + length


def _check_tags(file: BinaryIO, start: bytes) -> None:
    """Of a TIFF: the tables of its first directory, all of which Pillow reads."""
    order = "<" if start.startswith(b"II") else ">"
    big = struct.unpack_from(f"{order}H", start, 2)[0] == 43
    head, entry = ("Q", "HHQ") if big else ("H", "HHI")
    (place,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", start.ljust(16, b"\0"), 8 if big else 4)
    file.seek(place)
    (count,) = struct.unpack(f"{order}{head}", file.read(8 if big else 2).ljust(8 if big else 2, b"\0"))
    if count > MAX_HEADER:
        raise ValueError(f"{count:,} entries in its directory")
    entries = file.read((20 if big else 12) * count)
    total = 0
    for at in range(0, len(entries) - (19 if big else 11), 20 if big else 12):
        _, kind, values = struct.unpack_from(f"{order}{entry}", entries, at)
        total += values * TYPE_BYTES.get(kind, 1)
        if kind not in (1, 2, 7) and values > MAX_VALUES:
            raise ValueError(f"{values:,} numbers in a table")
    if total > MAX_PACKED:
        raise ValueError(f"{total:,} bytes of tables")


def _check_comments(file: BinaryIO) -> None:
    """Of a PPM or PGM: that its header ends soon. Pillow looks for the end byte by byte."""
    file.seek(0)
    head = re.sub(rb"#[^\r\n]*[\r\n]", b" ", file.read(MAX_HEADER))
    words = head.split(None, 4)[:4]
    if len(words) < 4 or any(b"#" in word for word in words):
        raise ValueError("its header does not end")


def _check_tiles(file: BinaryIO) -> None:
    """Of a JPEG 2000: the number of its tiles, for each of which the decoder makes tables before it reads one."""
    file.seek(0)
    head = file.read(MAX_HEADER)
    at = head.find(JPEG_2000[1])
    if at < 0 or len(head) < at + 42:
        return
    right, bottom, _, _, width, height, left, top, channels = struct.unpack_from(">8IH", head, at + 8)
    if not width or not height:
        return
    tiles = -(-max(0, right - left) // width) * -(-max(0, bottom - top) // height)
    if tiles * (channels + 5) > MAX_TILES:
        raise ValueError(f"{tiles:,} tiles of {channels:,} channels")
