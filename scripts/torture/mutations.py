"""Image files of every format that is read, and what becomes of them: bytes changed, cut, repeated, put together."""

import io
import random
import re
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, features

Made = tuple[str, bytes]  # the suffix of its format, and its content
NUMBERS = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\x01",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\x40\0",
)
OPTIONAL = {"webp": "webp", "avif": "avif", "jp2": "jpg_2000"}


@lru_cache(maxsize=1)
def originals() -> tuple[Made, ...]:
    """Small images: each format in the ways in which programs write it."""
    chance = np.random.default_rng(0)
    rgb = Image.fromarray(chance.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    rgb.paste(Image.linear_gradient("L").resize((20, 16)).convert("RGB"), (4, 4))
    grey, deep = rgb.convert("L"), Image.fromarray(chance.integers(0, 2**16, (12, 16), dtype=np.uint16))
    alpha, palette, small = rgb.convert("RGBA"), rgb.quantize(16), rgb.resize((16, 12))
    alpha.putalpha(grey)
    exif = Image.Exif()
    exif[0x112], exif[0x10F] = 6, "camera"
    made: list[tuple[str, Image.Image, dict[str, object]]] = [
        ("png", rgb, {}),
        ("png", alpha, {"exif": exif}),
        ("png", palette, {"transparency": 3}),
        ("png", grey.convert("1"), {}),
        ("png", deep, {}),
        ("png", small, {"save_all": True, "append_images": [small.rotate(90)]}),
        ("jpg", rgb, {"quality": 70}),
        ("jpg", rgb.resize((200, 160)), {"quality": 50, "exif": exif}),
        ("jpg", grey, {"progressive": True}),
        ("jpg", rgb.convert("CMYK"), {}),
        ("gif", palette, {"transparency": 1, "interlace": 1}),
        ("gif", palette, {"save_all": True, "append_images": [palette.rotate(90)], "comment": b"hello"}),
        ("bmp", rgb, {}),
        ("bmp", palette, {}),
        ("bmp", grey.convert("1"), {}),
        ("tif", rgb, {}),
        ("tif", rgb, {"compression": "tiff_adobe_deflate"}),
        ("tif", alpha, {"compression": "tiff_lzw"}),
        ("tif", grey.convert("1"), {"compression": "group4"}),
        ("tif", rgb, {"compression": "jpeg"}),
        ("tif", deep, {"compression": "packbits"}),
        ("ppm", rgb, {}),
        ("ppm", grey, {}),
        ("ppm", grey.convert("1"), {}),
        ("webp", rgb, {"quality": 60}),
        ("webp", alpha, {"lossless": True, "exif": exif}),
        ("webp", small, {"save_all": True, "append_images": [small.rotate(90)]}),
        ("avif", small, {"speed": 10}),
        ("jp2", small, {}),
    ]
    here = [one for one in made if one[0] not in OPTIONAL or features.check(OPTIONAL[one[0]])]
    plain = b"P3\n# plain\n4 3\n255\n" + b" ".join(b"%d" % (i * 7) for i in range(36)) + b"\n"
    return (*((suffix, _saved(image, suffix, options)) for suffix, image, options in here), ("ppm", plain))


def _saved(image: Image.Image, suffix: str, options: dict[str, object]) -> bytes:
    file = io.BytesIO()
    kind = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper())
    image.save(file, kind, **options)
    return file.getvalue()


def mutated(chance: random.Random) -> Made:
    """One of the images after one to four changes; of half of the PNGs the checksums are right again."""
    suffix, content = chance.choice(originals())
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice(CHANGES)(data, chance)
    if suffix == "png" and chance.random() < 0.5:
        return suffix, with_checksums(bytes(data))
    return suffix, bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    """Somewhere, as often as not in the first bytes, where the header is."""
    end = min(len(data), 120) if chance.random() < 0.6 else len(data)
    return chance.randrange(end) if end else 0


def _flip(data: bytearray, chance: random.Random) -> None:
    if data:
        data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _put(data: bytearray, chance: random.Random) -> None:
    at, number = _place(data, chance), chance.choice(NUMBERS)
    data[at : at + len(number)] = number


def _noise(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    number = chance.randrange(1, 9)
    data[at : at + number] = chance.randbytes(number)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[_place(data, chance) :]


def _remove(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    del data[at : at + chance.randrange(1, 16)]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = _place(data, chance)
    data[at:at] = chance.randbytes(chance.randrange(1, 16))


def _repeat(data: bytearray, chance: random.Random) -> None:
    begin, end = sorted((_place(data, chance), _place(data, chance)))
    data[end:end] = data[begin:end] * chance.randrange(1, 4)


def _join(data: bytearray, chance: random.Random) -> None:
    """The begin of this one, the end of another one."""
    other = chance.choice(originals())[1]
    data[_place(data, chance) :] = other[chance.randrange(len(other)) :]


CHANGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(_flip, _flip, _flip, _put, _put, _noise, _cut, _remove, _insert, _repeat, _join),
)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the right checksums, as far as there are chunks."""
    place, made = 8, [data[:8]]
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = place + 8 + length
        if end + 4 > len(data) or not re.fullmatch(rb"[a-zA-Z]{4}", data[place + 4 : place + 8]):
            break
        made.append(data[place:end] + struct.pack(">I", zlib.crc32(data[place + 4 : end])))
        place = end + 4
    return b"".join(made) + data[place:]
