"""Pixels -> PNG -> data address, with the standard library alone."""

import base64
import struct
import zlib

from rnnvision.report.page.blocks import Picture

COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> that of a PNG: grey, RGB, RGBA
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(picture: Picture) -> bytes:
    """The file (W3C, Portable Network Graphics, 3rd edition): header, compressed rows without a filter, end.

    Examples:
        >>> png(Picture(2, 1, 1, bytes([0, 255])))[:8] == SIGNATURE
        True
    """
    length = picture.width * picture.channels
    rows = b"".join(b"\0" + picture.data[i * length : (i + 1) * length] for i in range(picture.height))
    header = struct.pack(">IIBBBBB", picture.width, picture.height, 8, COLOUR_TYPES[picture.channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def data_address(picture: Picture) -> str:
    """The picture within the page itself, as the address of an <img>."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def pixel_rows(picture: Picture) -> list[list[list[float]]]:
    """(H, W, 3) in [0, 1], for a plot, of a picture that is grey or RGB."""
    w, c = picture.width, picture.channels
    values = [value / 255 for value in picture.data]
    pixels = [values[i * c : (i + 1) * c] * (3 // c) for i in range(w * picture.height)]
    return [pixels[row * w : (row + 1) * w] for row in range(picture.height)]
