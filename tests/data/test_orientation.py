"""Which way up an image is: said in EXIF or XMP data, wherever it stands and however it is stored, or not at all."""

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from rnnvision.data.images import View, open_image

TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF 2.3, tag 0x0112: from the stored to the upright picture
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
HEIGHT, WIDTH = 30, 40
Y, X = np.mgrid[:HEIGHT, :WIDTH]
# An image that JPEG changes little, and no turn leaves alone: red from left to right, green from top to bottom.
SMOOTH = np.stack([X * 255 // WIDTH, Y * 255 // HEIGHT, 0 * X], axis=2).astype(np.uint8)


def encoded(kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(SMOOTH).save(file, kind, **options)
    return file.getvalue()


JPEG = encoded("JPEG", quality=95)


def exif(value: int, kind: int = 3, order: str = "<", before: int = 2) -> bytes:
    """A directory of some entries, the orientation among them; 3 is SHORT, 4 is LONG."""
    number = struct.pack(order + {1: "Bxxx", 3: "Hxx", 4: "I", 8: "hxx"}[kind], value)
    entries = [struct.pack(f"{order}HHI", 0x0100 + i, 3, 1) + bytes(4) for i in range(before)]
    entries.append(struct.pack(f"{order}HHI", 0x0112, kind, 1) + number)
    begin = b"II" if order == "<" else b"MM"
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)
    return begin + struct.pack(f"{order}HI", 42, 8) + directory


def attribute(value: int | str) -> bytes:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{value}"/></x:xmpmeta>'.encode()


def element(value: int | str) -> bytes:
    return f"<x:xmpmeta><tiff:Make>a</tiff:Make><tiff:Orientation> {value} </tiff:Orientation></x:xmpmeta>".encode()


def app1(content: bytes) -> bytes:
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content


def exif_segment(value: int, *options: Any) -> bytes:
    return app1(b"Exif\0\0" + exif(value, *options))


def xmp_segment(content: bytes) -> bytes:
    return app1(b"http://ns.adobe.com/xap/1.0/\0" + content)


def opened(path: Path, content: bytes) -> np.ndarray:
    path.write_bytes(content)
    return open_image(path, View()).permute(1, 2, 0).numpy()


def shows(image: np.ndarray, orientation: int, tolerance: int = 12) -> bool:
    expected = TURNS[orientation](SMOOTH)
    return image.shape == expected.shape and int(np.abs(image.astype(int) - expected).max()) <= tolerance


def with_segments(*segments: bytes, after_frame: bool = False) -> bytes:
    """JPEG with these after its first segment, or before its pixels."""
    place = JPEG.index(b"\xff\xda") if after_frame else 4 + JPEG[5]
    return JPEG[:place] + b"".join(segments) + JPEG[place:]


LAYOUTS: dict[str, Callable[[int], tuple[bytes, ...]]] = {
    "EXIF": lambda n: (exif_segment(n),),
    "EXIF, big-endian": lambda n: (exif_segment(n, 3, ">"),),
    "LONG": lambda n: (exif_segment(n, 4),),
    "LONG, big-endian": lambda n: (exif_segment(n, 4, ">"),),
    "XMP without it, EXIF": lambda n: (xmp_segment(b"<x/>"), exif_segment(n)),
    "XMP with another, EXIF": lambda n: (xmp_segment(attribute(9 - n)), exif_segment(n)),
    "EXIF, XMP with another": lambda n: (exif_segment(n), xmp_segment(attribute(9 - n))),
    "long XMP, EXIF": lambda n: (xmp_segment(attribute(1) + b" " * 60_000), exif_segment(n, 4, ">")),
    "XMP attribute": lambda n: (xmp_segment(attribute(n)),),
    "XMP element": lambda n: (xmp_segment(element(n)),),
    "EXIF without it, XMP": lambda n: (app1(b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"), xmp_segment(attribute(n))),
    "extension, comment, EXIF": lambda n: (
        app1(b"http://ns.adobe.com/xmp/extension/\0"),
        b"\xff\xfe\0\4ab",
        exif_segment(n),
    ),
    "empty EXIF, EXIF": lambda n: (app1(b"Exif\0\0"), exif_segment(n)),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_jpeg_is_turned_once_wherever_its_orientation_stands(tmp_path: Path, layout: str, orientation: int) -> None:
    segments = LAYOUTS[layout](orientation)
    assert shows(opened(tmp_path / "a.jpg", with_segments(*segments)), orientation)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_jpeg_is_turned_by_what_follows_its_frame(tmp_path: Path, orientation: int) -> None:
    content = with_segments(exif_segment(orientation), after_frame=True)
    assert shows(opened(tmp_path / "a.jpg", content), orientation)


@pytest.mark.parametrize("orientation", [2, 5, 8])
@pytest.mark.parametrize("layout", ["XMP without it, EXIF", "LONG", "XMP element"])
def test_a_jpeg_that_pillow_decodes_is_turned_too(tmp_path: Path, layout: str, orientation: int) -> None:
    file = io.BytesIO()
    Image.fromarray(SMOOTH).convert("CMYK").save(file, "JPEG", quality=95)
    content = file.getvalue()
    (tmp_path / "a.jpg").write_bytes(content[:2] + b"".join(LAYOUTS[layout](orientation)) + content[2:])
    image = open_image(tmp_path / "a.jpg", View(convert=True)).permute(1, 2, 0).numpy()
    assert shows(image, orientation, 20)


CONTAINERS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "PNG": lambda exif, xmp: encoded("PNG", **({"exif": exif} if exif else {"pnginfo": png_xmp(xmp)})),
    "WEBP": lambda exif, xmp: encoded("WEBP", lossless=True, exif=exif, xmp=xmp),
    "TIFF": lambda exif, xmp: encoded("TIFF", tiffinfo=tiff_tags(exif, xmp)),
}


def png_xmp(xmp: bytes) -> Any:
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def tiff_tags(exif: bytes, xmp: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if exif:
        order = "<" if exif.startswith(b"II") else ">"
        kind = struct.unpack_from(f"{order}H", exif, len(exif) - 14)[0]
        tags.tagtype[0x0112] = kind
        tags[0x0112] = struct.unpack_from(order + "HI"[kind - 3], exif, len(exif) - 8)[0]
    if xmp:
        tags.tagtype[700] = 1
        tags[700] = xmp
    return tags


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("where", ["SHORT", "LONG", "attribute", "element"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_another_file_is_turned_once(tmp_path: Path, kind: str, where: str, orientation: int) -> None:
    said = {"SHORT": exif(orientation), "LONG": exif(orientation, 4, ">")}.get(where, b"")
    xmp = {"attribute": attribute(orientation), "element": element(orientation)}.get(where, b"")
    assert shows(opened(tmp_path / f"a.{kind.lower()}", CONTAINERS[kind](said, xmp)), orientation, 0)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", [attribute, element])
@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_of_two_orientations_that_of_exif_counts(
    tmp_path: Path, kind: str, form: Callable[[int], bytes], orientation: int
) -> None:
    content = CONTAINERS[kind](exif(orientation), form(9 - orientation))
    assert shows(opened(tmp_path / f"a.{kind.lower()}", content), orientation, 0)


@pytest.mark.parametrize("orientation", TURNS)
def test_an_avif_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Its own boxes say how, and Pillow hands that on as EXIF data; XMP data has no say."""
    content = encoded("AVIF", exif=exif(orientation), xmp=attribute(9 - orientation), quality=100)
    assert shows(opened(tmp_path / "a.avif", content), orientation, 20)


UNREADABLE = {
    "orientation 0": exif(0),
    "orientation 9": exif(9),
    "LONG 70000": exif(70_000, 4),
    "as SHORT -6": exif(-6, 8),
    "no byte order": b"XX" + exif(6)[2:],
    "no directory": exif(6)[:8],
    "cut": exif(6)[:-10],
    "elsewhere": exif(6)[:4] + struct.pack("<I", 0xFFFFFFF0) + exif(6)[8:],
    "many entries": exif(6)[:8] + struct.pack("<H", 60_000) + bytes(40),
    "text": exif(6)[:-14] + struct.pack("<H", 2) + exif(6)[-12:],
    "two values": exif(6)[:-12] + struct.pack("<I", 2) + exif(6)[-8:],
    "empty": b"",
}


@pytest.mark.parametrize("what", UNREADABLE)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_that_cannot_be_read_means_upright(tmp_path: Path, kind: str, what: str) -> None:
    if kind == "JPEG":
        content = with_segments(app1(b"Exif\0\0" + UNREADABLE[what]))
    else:
        content = encoded(kind, exif=UNREADABLE[what] or b"Exif\0\0", **({"lossless": True} if kind == "WEBP" else {}))
    assert shows(opened(tmp_path / f"a.{kind.lower()}", content), 1)


@pytest.mark.parametrize("value", ["0", "9", "10", "", "six", "-6"])
@pytest.mark.parametrize("form", [attribute, element])
def test_an_orientation_in_xmp_that_is_none_means_upright(
    tmp_path: Path, form: Callable[[str], bytes], value: str
) -> None:
    assert shows(opened(tmp_path / "a.jpg", with_segments(xmp_segment(form(value)))), 1)


def test_the_orientation_of_a_preview_is_not_that_of_the_image(tmp_path: Path) -> None:
    first = b"II*\0" + struct.pack("<IHI", 8, 0, 14)  # no entry; the next directory, of the preview, follows
    second = struct.pack("<HHHIHxxI", 1, 0x0112, 3, 1, 6, 0)
    assert shows(opened(tmp_path / "a.jpg", with_segments(app1(b"Exif\0\0" + first + second))), 1)
