"""Image files of little that ask for much: memory, or time without end. Each function takes how much."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

Fields = list[tuple[int, int, list[int]]]  # of a TIFF: tag, type (3 for 16 bits, 4 for 32), values


def small(kind: str, mode: str = "L", side: int = 8, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (side, side)).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, colours: int) -> bytes:
    """A whole PNG of zeros: `bits` and `colours` as in its header."""
    row = 1 + -(-width * bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colours] // 8)
    packer = zlib.compressobj(1)
    rows = max(1, 2**22 // row)
    data = b"".join(packer.compress(bytes(row * min(rows, height - top))) for top in range(0, height, rows))
    header = struct.pack(">2I5B", width, height, bits, colours, 0, 0, 0)
    made = chunk(b"IHDR", header) + chunk(b"IDAT", data + packer.flush()) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + made


def chunk_png(size: int) -> bytes:
    """A chunk that holds no pixels, which is read as a whole."""
    whole = small("PNG")
    return whole[:33] + chunk(b"prVt", bytes(size)) + whole[33:]


def tiff(fields: Fields, data: bytes, following: bytes = b"") -> bytes:
    """A TIFF of one directory; the offset of `data` is put in place of each value -1."""
    start = 8 + 2 + 12 * len(fields) + 4
    outside = sum(_length(kind, values) for _, kind, values in fields if _length(kind, values) > 4)
    place, entries, tables = start, b"", b""
    for tag, kind, values in fields:
        known = [start + outside if value == -1 else value for value in values]
        packed = struct.pack(f"<{len(known)}{'H' if kind == 3 else 'I'}", *known)
        if len(packed) > 4:
            tables += packed
            packed, place = struct.pack("<I", place), place + len(packed)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    after = start + outside + len(data) if following else 0
    head = struct.pack("<2sHIH", b"II", 42, 8, len(fields))
    return head + entries + struct.pack("<I", after) + tables + data + following


def _length(kind: int, values: list[int]) -> int:
    return len(values) * (2 if kind == 3 else 4)


def grey(width: int, height: int, size: int) -> Fields:
    """The fields of a deflated grey TIFF in one strip."""
    sides: Fields = [(256, 4, [width]), (257, 4, [height]), (258, 3, [8]), (259, 3, [8]), (262, 3, [1])]
    return [*sides, (273, 4, [-1]), (277, 3, [1]), (278, 4, [height]), (279, 4, [size])]


def strips_tiff(count: int) -> bytes:
    """A table of so many strips, each of which becomes a number of Python."""
    data = zlib.compress(bytes(64))
    fields = grey(8, 8, len(data))
    fields[5] = (273, 4, [8] * count)
    return tiff(fields, data)


def tile_tiff(side: int) -> bytes:
    """One tile of zeros that is much larger than the image."""
    data = zlib.compress(bytes(side * side), 1)
    sides: Fields = [(256, 4, [10]), (257, 4, [10]), (258, 3, [8]), (259, 3, [8]), (262, 3, [1]), (277, 3, [1])]
    return tiff([*sides, (322, 4, [side]), (323, 4, [side]), (324, 4, [-1]), (325, 4, [len(data)])], data)


def pages_tiff(count: int) -> bytes:
    """So many pages: Pillow looks for each among all before it."""
    data = zlib.compress(bytes(64))
    first = tiff(grey(8, 8, len(data)), data, b"more")[:-4]
    entries = first[8 : 8 + 2 + 12 * 9]
    place, pages = len(first), []
    for number in range(count):
        place += len(entries) + 4
        pages.append(entries + struct.pack("<I", place if number < count - 1 else 0))
    return first + b"".join(pages)


def deep_tiff(side: int) -> bytes:
    """RGBA of 16 bits in one strip, the most that a pixel can be."""
    packer, row = zlib.compressobj(1), bytes(8 * side)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    fields = grey(side, side, len(data))
    fields[2], fields[4], fields[6] = (258, 3, [16] * 4), (262, 3, [2]), (277, 3, [4])
    return tiff([*fields, (338, 3, [2])], data)


def scans_jpeg(side: int, count: int) -> bytes:
    """So many empty scans of a progressive JPEG, each of which the decoder goes through whole."""
    whole = small("JPEG", side=side, progressive=True)
    at = whole.rindex(b"\xff\xda")
    return whole[:at] + whole[at:-2] * count + whole[-2:]


def comment_ppm(size: int) -> bytes:
    """A comment, which is read byte by byte."""
    return b"P5\n#" + b"x" * size + b"\n8 8\n255\n" + bytes(64)


def header_bmp(size: int) -> bytes:
    """A header that says that it is so long, and is."""
    whole = bytearray(small("BMP"))
    struct.pack_into("<I", whole, 14, size)
    return bytes(whole) + bytes(size)


def runs_bmp(side: int) -> bytes:
    """Runs of 4 bits, which Pillow unpacks in Python."""
    row = b"\xff\x12" * (side // 255) + bytes([side % 255, 0x12, 0, 0])
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 4, 2, len(row) * side, 0, 0, 16, 16)
    return b"BM" + struct.pack("<IHHI", 118 + len(row) * side, 0, 0, 118) + head + bytes(64) + row * side


def tiles_jp2(side: int, across: int) -> bytes:
    """So many tiles across and down, for each of which the decoder makes tables at the start."""
    whole = bytearray(small("JPEG2000", "RGB", side))
    at = whole.index(b"\xff\x4f\xff\x51")
    struct.pack_into(">II", whole, at + 24, side // across, side // across)
    return bytes(whole)


# What takes as much as is allowed, by a name; then what is to be refused.
MOST: dict[str, Callable[[], bytes]] = {
    "png of 1 bit": lambda: png(8000, 8000, 1, 0),
    "png in rgba": lambda: png(8000, 8000, 8, 6),
    "png of 16 bits": lambda: png(8000, 8000, 16, 0),
    "png of a side": lambda: png(2**20, 61, 8, 6),
    "tiff of 16 bits": lambda: deep_tiff(8000),
    "jpeg": lambda: small("JPEG", "RGB", 8000, subsampling=0),
    "jpeg, progressive": lambda: small("JPEG", "RGB", 8000, progressive=True, subsampling=0),
    "jpeg in cmyk": lambda: small("JPEG", "CMYK", 8000, progressive=True),
    "gif": lambda: small("GIF", "P", 8000, transparency=0),
    "bmp": lambda: small("BMP", "RGB", 8000),
    "webp": lambda: small("WEBP", "RGBA", 5656, lossless=True, method=0),
    "jp2": lambda: small("JPEG2000", "RGBA", 5656),
    "ppm of 16 bits": lambda: b"P6\n2828 2828\n65535\n" + bytes(6 * 2828 * 2828),
}
TOO_MUCH: dict[str, Callable[[], bytes]] = {
    "png of 400 million pixels": lambda: png(20_000, 20_000, 1, 0),
    "png of a thread": lambda: png(1, 50_000_000, 8, 6),
    "png with a chunk": lambda: chunk_png(600_000_000),
    "tiff with a table": lambda: strips_tiff(40_000_000),
    "tiff with a tile": lambda: tile_tiff(40_000),
    "tiff with pages": lambda: pages_tiff(400_000),
    "jpeg with scans": lambda: scans_jpeg(8000, 20_000),
    "ppm with a comment": lambda: comment_ppm(900_000_000),
    "ppm of 16 bits": lambda: b"P6\n8000 8000\n65535\n" + bytes(6 * 8000 * 8000),
    "bmp with a header": lambda: header_bmp(900_000_000),
    "bmp of runs": lambda: runs_bmp(8000),
    "jp2 with tiles": lambda: tiles_jp2(5000, 250),
}
