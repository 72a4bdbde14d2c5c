"""The images that other people make: what is read, and how; what is refused."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image, features
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from rnnvision.data import DataError
from rnnvision.data.images import SUFFIXES, View, cut, inspect_image, open_image

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)  # (H, W, RGB)
GREYS = np.random.default_rng(1).integers(0, 65536, (6, 9), dtype=np.uint16)
PICTURE = Image.fromarray(PIXELS)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def opened(path: Path, channels: int = 3, **options: Any) -> Tensor:
    return open_image(path, View(channels=channels, **options))


def refusal(path: Path, channels: int = 3, **options: Any) -> str:
    """The message of the DataError: one line that names the file."""
    with pytest.raises(DataError) as error:
        opened(path, channels, **options)
    assert str(error.value).startswith(f"{path}: ")
    assert str(error.value).count(f"{path}: ") == 1
    assert "\n" not in str(error.value)
    return str(error.value)


# Read -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "TIFF", "WEBP"])
def test_an_rgb_image_comes_channels_first(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"picture.{kind.lower()}"
    PICTURE.save(path, **({"lossless": True} if kind == "WEBP" else {}))
    image = opened(path)
    assert image.dtype == torch.uint8
    assert np.array_equal(image.numpy(), PIXELS.transpose(2, 0, 1))
    grey = (PIXELS @ np.array([0.299, 0.587, 0.114])).round()  # ITU-R 601
    assert np.abs(opened(path, channels=1).numpy()[0] - grey).max() <= 1


def smooth(width: int = 40, height: int = 30) -> Image.Image:
    """An image that JPEG changes little: red from left to right, green from top to bottom."""
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 0 * x], axis=2).astype(np.uint8))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_is_decoded_as_pillow_does(tmp_path: Path, mode: str, channels: int) -> None:
    path = tmp_path / "picture.jpg"
    smooth().convert(mode).save(path, quality=95)
    with Image.open(path) as image:
        expected = np.atleast_3d(np.asarray(image.convert("L" if channels == 1 else "RGB"))).transpose(2, 0, 1)
    image = opened(path, channels)
    assert (image.dtype, image.shape) == (torch.uint8, (channels, 30, 40))
    assert np.abs(image.numpy().astype(int) - expected).max() <= 3


def with_filling(data: bytes) -> bytes:
    """Each marker before the image itself may be preceded by any number of bytes FF."""
    place, parts = 2, [data[:2]]
    while data[place + 1] != 0xDA:
        length = 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        parts.append(b"\xff\xff" + data[place : place + length])
        place += length
    return b"".join(parts) + data[place:]


@pytest.mark.parametrize("kind", ["progressive", "filled", "with a comment", "with a preview"])
def test_a_jpeg_of_any_layout_is_decoded(tmp_path: Path, kind: str) -> None:
    options: dict[str, Any] = {"quality": 95}
    if kind == "progressive":
        options["progressive"] = True
    if kind == "with a comment":
        options["comment"] = b"\xff\xc0\x00\x11\x08" + bytes(50)  # looks like a frame of no size
    if kind == "with a preview":
        exif = Image.Exif()
        exif[0x927C] = encoded(smooth(8, 8), "JPEG")  # a whole JPEG inside the header
        options["exif"] = exif
    data = encoded(smooth(), "JPEG", **options)
    path = tmp_path / "a.jpg"
    path.write_bytes(with_filling(data) if kind == "filled" else data)
    expected = np.asarray(Image.open(path))
    assert expected.shape == (30, 40, 3)
    assert np.abs(opened(path).permute(1, 2, 0).numpy().astype(int) - expected).max() <= 2


def test_a_jpeg_that_claims_to_be_huge_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    data = bytearray(encoded(smooth(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    assert "4290250000 pixels" in refusal(path)  # as Pillow says


@pytest.mark.parametrize("box", [(0, 0, 30, 40), (3, 5, 20, 20), (29, 39, 1, 1)])
@pytest.mark.parametrize("size", [(20, 20), (7, 50)])
def test_a_part_is_cut_out_and_resized_as_torchvision_does(box: tuple[int, ...], size: tuple[int, int]) -> None:
    image = torch.from_numpy(np.asarray(smooth()).copy()).permute(2, 0, 1)
    expected = F.resized_crop(image.contiguous(), *box, list(size), antialias=True)
    for laid_out in (image, image.contiguous()):
        part = cut(laid_out, box, size)  # type: ignore[arg-type]
        assert torch.equal(part, expected)
        if laid_out is image and box[2:] != size:
            assert part.permute(1, 2, 0).is_contiguous()  # for the copy into a batch


def test_reading_in_threads_leaves_the_filters_of_warnings_alone(tmp_path: Path) -> None:
    smooth(300, 200).save(tmp_path / "picture.jpg")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(opened, [tmp_path / "picture.jpg"] * 100))
    assert warnings.filters == before


def test_a_grey_image_comes_in_one_or_three_equal_channels(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert np.array_equal(opened(tmp_path / "grey.png", 1).numpy(), grey[None])
    assert np.array_equal(opened(tmp_path / "grey.png", 3).numpy(), np.stack([grey] * 3))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_shows_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (3, 1))
    for x, alpha in enumerate((255, 51, 0)):
        image.putpixel((x, 0), (100, 100, 100, alpha))
    image.convert(mode).save(tmp_path / "alpha.png")
    expected = torch.tensor([100, 224, 255], dtype=torch.uint8)  # 100 * a + 255 * (1 - a)
    for channels in (1, 3):
        assert torch.equal(opened(tmp_path / "alpha.png", channels), expected.expand(channels, 1, 3))


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_colour_of_a_palette_shows_white(tmp_path: Path, suffix: str) -> None:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 200, 0, 0, 0, 0, 250])
    for x in range(3):
        image.putpixel((x, 0), x)
    image.save(tmp_path / f"palette.{suffix}", transparency=1)
    expected = [[10, 255, 0], [20, 255, 0], [30, 255, 250]]
    assert opened(tmp_path / f"palette.{suffix}")[:, 0].tolist() == expected


def test_cmyk_becomes_rgb_where_it_may_be_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    assert "CMYK; save it as 8-bit grey or RGB" in refusal(tmp_path / "print.jpg")
    red = torch.tensor([255, 0, 0]).reshape(3, 1, 1)
    assert (opened(tmp_path / "print.jpg", convert=True).int() - red).abs().max() <= 6


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = PIXELS[..., 0] > 127
    Image.fromarray(bits).save(tmp_path / "bits.png")
    assert np.array_equal(opened(tmp_path / "bits.png", 1).numpy()[0], bits * 255)


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["F", "I"])
def test_values_without_a_known_range_are_refused(tmp_path: Path, mode: str) -> None:
    Image.fromarray(GREYS.astype(np.float32 if mode == "F" else np.int32)).save(tmp_path / "values.tif")
    assert f"values of mode {mode} have no known range" in refusal(tmp_path / "values.tif")


def first_of(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "avif"])
def test_an_animation_is_refused_unless_its_first_frame_is_wanted(tmp_path: Path, suffix: str) -> None:
    other = Image.fromarray(255 - PIXELS)
    PICTURE.save(tmp_path / f"moving.{suffix}", save_all=True, append_images=[other, PICTURE])
    path = tmp_path / f"moving.{suffix}"
    assert "several frames; an image has one, or data.first_frame=true reads the first" in refusal(path)
    assert np.array_equal(opened(path, first_frame=True).numpy(), np.asarray(first_of(path)).transpose(2, 0, 1))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of some bytes whose header claims this size."""
    chunks = ((b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0")))
    made = (
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in (*chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


@pytest.mark.parametrize("side", [8001, 10_000, 20_000])  # PIL says nothing, warns, and refuses
def test_a_huge_size_in_a_header_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_of_size(side, side))
    told = refusal(path)
    assert "pixels, more than data.max_pixels=64000000 allows" in told
    assert f"data.max_pixels={side * side} would read it" in told


@pytest.mark.parametrize("side", [10_000, 20_000])
def test_of_a_huge_size_nothing_is_said_but_the_refusal(tmp_path: Path, side: int) -> None:
    """In a process of its own, whose filters of warnings are not those of the tests."""
    (tmp_path / "huge.png").write_bytes(png_of_size(side, side))
    code = """
import sys
from pathlib import Path
from rnnvision.data import DataError
from rnnvision.data.images import View, open_image
try:
    open_image(Path(sys.argv[1]), View(channels=3))
except DataError as error:
    print(error)
"""
    words = [sys.executable, "-c", code, str(tmp_path / "huge.png")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert f"data.max_pixels={side * side} would read it" in done.stdout


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF"])
def test_the_limit_of_pixels_is_an_option(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"
    PICTURE.save(path, kind)
    assert opened(path, max_pixels=54).shape == (3, 6, 9)
    assert "9 x 6 pixels, more than data.max_pixels=53 allows; data.max_pixels=54 would read it" in refusal(
        path, max_pixels=53
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_more_pixels_than_pillow_allows_by_itself(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It warns above its limit, and refuses above twice as many."""
    path = tmp_path / "picture"
    PICTURE.convert("CMYK" if kind == "JPEG" else "RGB").save(path, kind)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert opened(path, convert=True).shape == (3, 6, 9)


def test_a_large_image_is_not_held_several_times_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In strips of some rows: each is converted by itself, and they make the same image."""
    image = Image.fromarray(np.random.default_rng(2).integers(0, 256, (50, 30, 4), dtype=np.uint8))
    image.save(tmp_path / "a.png")
    whole = opened(tmp_path / "a.png")
    seen = []
    real = Image.alpha_composite
    monkeypatch.setattr(Image, "alpha_composite", lambda a, b: seen.append(b.size) or real(a, b))
    monkeypatch.setattr("rnnvision.data.images.decoding.AT_ONCE", 30 * 7)
    assert torch.equal(opened(tmp_path / "a.png"), whole)
    assert seen == [(30, 7)] * 7 + [(30, 1)]


def test_postscript_is_refused_without_being_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **options: started.append(args))
    PICTURE.save(tmp_path / "picture.png", "EPS")
    assert "cannot be read as an image" in refusal(tmp_path / "picture.png")
    assert started == []


@pytest.mark.parametrize(("suffix", "kind"), [("avif", "AVIF"), ("jp2", "JPEG 2000"), ("webp", "WebP")])
def test_a_format_that_this_pillow_lacks_is_told(
    tmp_path: Path, suffix: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    PICTURE.save(tmp_path / f"picture.{suffix}")
    monkeypatch.setattr(features, "check", lambda name: False)
    assert f"{kind}, which the Pillow that is installed cannot read; try pip" in refusal(tmp_path / f"picture.{suffix}")


@pytest.mark.parametrize("content", [b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"BM"])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    assert "cannot be read as an image" in refusal(path)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert refusal(path) == f"{path}: is empty"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "PPM", "TIFF", "GIF", "WEBP"])
def test_a_cut_image_is_refused(tmp_path: Path, kind: str) -> None:
    content = encoded(PICTURE.resize((40, 40)), kind)
    path = tmp_path / f"cut.{kind.lower()}"
    for length in (len(content) // 4, len(content) // 2, len(content) * 3 // 4):
        path.write_bytes(content[:length])
        assert "cannot be read as an image" in refusal(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what PIL says of damage beside the exception
def test_an_animation_cut_anywhere_is_refused_or_read(tmp_path: Path) -> None:
    content = encoded(PICTURE, "GIF", save_all=True, append_images=[Image.fromarray(255 - PIXELS)])
    path = tmp_path / "cut.gif"
    others = []
    for length in range(1, len(content)):
        path.write_bytes(content[:length])
        try:
            assert opened(path).shape == (3, 6, 9)
        except DataError:
            continue
        except Exception as error:
            others.append((length, repr(error)))
    assert others == []


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what PIL says of damage beside the exception
def test_a_second_page_without_a_size_is_refused(tmp_path: Path) -> None:
    content = bytearray(encoded(PICTURE, "TIFF"))
    (first,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, first)
    struct.pack_into("<I", content, first + 2 + 12 * entries, len(content))  # where the next page begins
    (tmp_path / "pages.tif").write_bytes(bytes(content) + bytes(6))
    refusal(tmp_path / "pages.tif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_that_is_looked_for_is_read(tmp_path: Path, suffix: str) -> None:
    (PICTURE.convert("L") if suffix == ".pgm" else PICTURE).save(tmp_path / f"picture{suffix}")
    assert opened(tmp_path / f"picture{suffix}").shape == (3, 6, 9)


def test_the_end_of_a_preview_is_not_that_of_the_image(tmp_path: Path) -> None:
    path, preview, file = tmp_path / "a.jpg", io.BytesIO(), io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    Image.fromarray(pixels[:8, :8]).save(preview, "JPEG")
    Image.fromarray(pixels).save(file, "JPEG")
    data, segment = file.getvalue(), b"Exif\0\0" + preview.getvalue()
    whole = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    path.write_bytes(whole)
    inspect_image(path, View())
    path.write_bytes(whole[:-100])
    with pytest.raises(DataError, match="it is cut short"):
        inspect_image(path, View())
