"""Orientation: which way up a camera was held, as EXIF or XMP data says, for the bytes of a JPEG and what Pillow opens.

An orientation is 1 (upright) to 8, tag 0x0112 of EXIF 2.3. That of EXIF counts, else that of XMP. What cannot be read,
or is no orientation, says nothing; where nothing is said an image is upright.
"""

import re
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from PIL import Image
from torch import Tensor

TAG = 0x0112
EXIF, XMP = b"Exif\0", b"http://ns.adobe.com/xap/1.0/\0"  # the begin of such a segment of a JPEG
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
WHOLE = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # BYTE, SHORT, LONG, and these with a sign
IN_XMP = re.compile(rb"""tiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]""")  # an attribute or an element
# Of the upright image: whether rows and columns change places, and which axes (1 top to bottom, 2 left to right) are
# then reversed.
TURNS: dict[int, tuple[bool, tuple[int, ...]]] = {
    1: (False, ()),
    2: (False, (2,)),
    3: (False, (1, 2)),
    4: (False, (1,)),
    5: (True, ()),
    6: (True, (2,)),
    7: (True, (1, 2)),
    8: (True, (1,)),
}


class JpegHeader(NamedTuple):
    """What a JPEG of the usual kinds (baseline, extended, progressive) says before its pixels, in so many bytes."""

    bits: int
    height: int
    width: int
    components: int
    orientation: int
    length: int = 0
    has_scans: bool = False  # several: it is progressive, or its channels come one after the other


def jpeg_header(data: bytes) -> JpegHeader | None:
    """The header of a JPEG, from marker to marker; None where it is of a rarer kind, or damaged.

    All of its segments are looked at: the one with XMP data may come before the one with EXIF data.
    """
    place = 2
    frame: tuple[int, int, int, int] | None = None
    exif: list[bytes] = []
    xmp: list[bytes] = []
    end, progressive = len(data) - 10, False
    while place <= end and data[place] == 0xFF:
        marker, length = data[place + 1], data[place + 2] << 8 | data[place + 3]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker == 0xDA:  # the pixels
            if frame is None:
                return None
            return JpegHeader(*frame, orientation(exif, xmp), place, progressive or data[place + 4] < frame[3])
        if marker == 0xE1:
            segment = data[place + 4 : place + 2 + length]
            exif += [segment] if segment.startswith(EXIF) else []
            xmp += [segment] if segment.startswith(XMP) else []
        elif 0xC0 <= marker <= 0xD9 and marker != 0xC4:  # a frame; 0xC4 holds Huffman tables
            if marker > 0xC2 or frame is not None:
                return None
            frame, progressive = struct.unpack_from(">BHHB", data, place + 4), marker == 0xC2
        place += 2 + length
    return None


def is_left_to_pillow(image: Image.Image) -> bool:
    """Whether Pillow itself brings an image upright as it loads it: a TIFF of which it finds an orientation."""
    return image.format == "TIFF" and image.getexif().get(TAG) in TURNS


def pillow_orientation(image: Image.Image) -> int:
    """The orientation of an image that Pillow has loaded, and left as it lies."""
    exif = image.info.get("exif", b"")
    if raw := image.info.get("Raw profile type exif"):  # of PNGs by ImageMagick: hexadecimal, after three lines
        with suppress(ValueError):
            exif = exif or bytes.fromhex("".join(raw.split("\n")[3:]))
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if image.format == "AVIF":  # turned by its own boxes, which Pillow writes into the EXIF data
        xmp = b""
    return orientation([exif], [xmp.encode() if isinstance(xmp, str) else xmp])


def orientation(exif: Iterable[bytes], xmp: Iterable[bytes]) -> int:
    """The first orientation that is said, that of EXIF data before that of XMP data; 1 where none is."""
    for found in (*map(exif_orientation, exif), *map(xmp_orientation, xmp)):
        if found is not None:
            return found
    return 1


def exif_orientation(exif: bytes) -> int | None:
    """The orientation in EXIF data, with or without the begin of its segment: of its first directory, the image's."""
    tiff = exif[6:] if exif.startswith(EXIF) else exif
    if (order := ORDERS.get(tiff[:4])) is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, place)
            if tag == TAG and count == 1 and kind in WHOLE:
                (value,) = struct.unpack_from(f"{order}{WHOLE[kind]}", tiff, place + 8)
                return value if value in TURNS else None
    except struct.error:  # it ends before, or points behind its end
        pass
    return None


def xmp_orientation(xmp: bytes) -> int | None:
    """The tiff:Orientation in XMP data."""
    found = IN_XMP.search(xmp)
    return int(found[1]) if found else None


def turn(image: Tensor, orientation: int) -> Tensor:
    """The upright image: (C, H, W) -> (C, H, W) or (C, W, H), channels last in memory."""
    swapped, reverse = TURNS[orientation]
    if orientation == 1:
        return image
    upright = (image.transpose(1, 2) if swapped else image).flip(reverse)
    return upright.permute(1, 2, 0).contiguous().permute(2, 0, 1)
