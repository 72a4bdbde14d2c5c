"""Picture files of every kind that people have, good ones and bad ones, for what opens them."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

DARK, LIGHT = 40, 200
SIDE = 48


class Made(NamedTuple):
    """A file, and what is to become of it.

    Attributes:
        path: where it is, or would be.
        reason: part of the line that says why it cannot be read; None where it shows `halves`, to a few levels.
    """

    path: Path
    reason: str | None


def halves(side: int = SIDE, left: int = DARK, right: int = LIGHT) -> Image.Image:
    """A grey image, dark on the left and light on the right."""
    pixels = np.full((side, side), left, np.uint8)
    pixels[:, side // 2 :] = right
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def png(width: int, height: int, pixels: bytes, bits: int = 8, colours: int = 0) -> bytes:
    """A PNG that claims this size, whatever `pixels` (packed rows, each after its filter) holds."""
    header = struct.pack(">2I5B", width, height, bits, colours, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")
    made = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def bomb(side: int) -> bytes:
    """A true 1-bit PNG of side x side in some kilobytes, `halves` in black and white."""
    row = b"\0" + bytes(side // 16) + b"\xff" * (side // 16)
    return png(side, side, row * side, bits=1)


def tiff(width: int, height: int) -> bytes:
    """A TIFF that claims this size, compressed to nothing, in one strip."""
    tags = ((256, width), (257, height), (258, 8), (259, 8), (262, 1), (273, 8), (277, 1), (278, height), (279, 2))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHI", b"II", 42, 10) + b"\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


# The readable ones ----------------------------------------------------------------------------------------------------

GREY = halves()
RGB = GREY.convert("RGB")


def _alpha(mode: str) -> Image.Image:
    """Black whose opacity makes it `halves` on white."""
    image = Image.new("RGBA", GREY.size)
    image.putalpha(GREY.point(lambda value: 255 - value))
    return image.convert(mode)


def _palette() -> Image.Image:
    image = Image.new("P", GREY.size)
    image.putdata([int(value == LIGHT) for value in np.asarray(GREY).flat])
    image.putpalette([DARK] * 3 + [LIGHT] * 3)
    return image


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x112] = 6  # the camera was held upright: what lies is turned by 90 degrees clockwise to be seen
    return encoded(RGB.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


READABLE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "grey": ("a.png", lambda: encoded(GREY, "PNG")),
    "16 bits": ("a.png", lambda: encoded(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "PNG")),
    "16-bit tiff": ("a.tif", lambda: encoded(Image.fromarray(np.asarray(GREY).astype(np.uint16) * 257), "TIFF")),
    "cmyk": ("a.jpg", lambda: encoded(RGB.convert("CMYK"), "JPEG", quality=95)),
    "palette": ("a.png", lambda: encoded(_palette(), "PNG")),
    "gif": ("a.gif", lambda: encoded(_palette(), "GIF")),
    "alpha": ("a.png", lambda: encoded(_alpha("RGBA"), "PNG")),
    "grey with alpha": ("a.png", lambda: encoded(_alpha("LA"), "PNG")),
    "jpeg": ("a.jpg", lambda: encoded(RGB, "JPEG", quality=95)),
    "large jpeg": ("a.jpg", lambda: encoded(halves(1200).convert("RGB"), "JPEG", quality=95)),
    "jpeg turned": ("a.jpg", _turned),
    "webp": ("a.webp", lambda: encoded(RGB, "WEBP", lossless=True)),
    "bmp": ("a.bmp", lambda: encoded(RGB, "BMP")),
    "jpeg named png": ("a.png", lambda: encoded(RGB, "JPEG", quality=95)),
    "name on two lines": ("a\nb.png", lambda: encoded(GREY, "PNG")),
    "name that is no text": (os.fsdecode(b"caf\xe9.png"), lambda: encoded(GREY, "PNG")),
}


# Those that cannot be read --------------------------------------------------------------------------------------------


def _animated(kind: str) -> bytes:
    return encoded(GREY, kind, save_all=True, append_images=[halves(left=LIGHT, right=DARK)])


def _cut(kind: str) -> bytes:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))
    content = encoded(noise, kind)
    return content[: len(content) // 2]


def _without_width() -> bytes:
    content = bytearray(encoded(_palette(), "GIF"))
    content[6:8] = b"\0\0"
    at = content.index(b"\x2c")  # the image, after the canvas
    content[at + 5 : at + 7] = b"\0\0"
    return bytes(content)


NO_IMAGE = "cannot be read as an image"
UNREADABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "empty": ("a.png", bytes, "is empty"),
    "text": ("a.png", lambda: b"no picture\n", NO_IMAGE),
    "cut png": ("a.png", lambda: _cut("PNG"), NO_IMAGE),
    "cut jpeg": ("a.jpg", lambda: _cut("JPEG"), NO_IMAGE),
    "cut large jpeg": ("a.jpg", lambda: encoded(halves(1200), "JPEG")[:-400], NO_IMAGE),
    "animated gif": ("a.gif", lambda: _animated("GIF"), "several frames"),
    "animated png": ("a.png", lambda: _animated("PNG"), "several frames"),
    "animated webp": ("a.webp", lambda: _animated("WEBP"), "several frames"),
    "20,000 x 20,000": ("a.png", lambda: bomb(20_000), "400000000 pixels, more than"),
    "huge in its header": ("a.png", lambda: png(60_000, 60_000, b"\0"), "pixels, more than"),
    "huge tiff": ("a.tif", lambda: tiff(100_000, 100_000), "pixels, more than"),
    "32 bits": ("a.tif", lambda: encoded(GREY.convert("F"), "TIFF"), "no known range"),
    "eps": ("a.png", lambda: encoded(GREY, "EPS"), NO_IMAGE),
    "jpeg with garbage": ("a.jpg", lambda: encoded(GREY, "JPEG")[:20] + bytes(range(256)) * 40, NO_IMAGE),
    "gif without a width": ("a.gif", _without_width, NO_IMAGE),
    "bad, on two lines": ("a\nb.png", lambda: b"no picture", NO_IMAGE),
    "bad, no text": (os.fsdecode(b"caf\xe9.png"), lambda: b"no picture", NO_IMAGE),
}


def make_bad_pictures(folder: Path) -> dict[str, Made]:
    """Every kind of file, each in a folder of its own below `folder`: kind -> where it is, what is to become of it."""
    made: dict[str, Made] = {}

    def place(kind: str, name: str, reason: str | None) -> Path:
        path = folder / kind.replace(" ", "_") / name
        path.parent.mkdir(parents=True)
        made[kind] = Made(path, reason)
        return path

    for kind, (name, content) in READABLE.items():
        place(kind, name, None).write_bytes(content())
    for kind, (name, content, reason) in UNREADABLE.items():
        place(kind, name, reason).write_bytes(content())
    place("missing", "a.png", "there is no such file")
    place("below a file", "a.png/b.png", "cannot be read (Not a directory)").parent.rmdir()
    made["below a file"].path.parent.write_bytes(b"")
    place("folder", "a.png", "is a folder").mkdir()
    os.mkfifo(place("pipe", "a.png", "is a device, pipe or socket"))
    place("device", "a.png", "is a device, pipe or socket").symlink_to("/dev/zero")
    _bind(place("socket", "a.png", "is a device, pipe or socket"))
    place("link to nothing", "a.png", "there is no such file").symlink_to("nowhere.png")
    place("link to itself", "a.png", "cannot be read (").symlink_to("a.png")
    made["a name too long"] = Made(folder / ("a" * 300 + ".png"), "cannot be read (File name too long)")
    return made


def _bind(path: Path) -> None:
    """A socket, which may have only a short path."""
    with socket.socket(socket.AF_UNIX) as bound:
        before = os.open(".", os.O_RDONLY)
        try:
            os.chdir(path.parent)
            bound.bind(path.name)
        finally:
            os.fchdir(before)
            os.close(before)
