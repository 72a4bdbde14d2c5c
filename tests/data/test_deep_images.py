"""Values of more than 8 bits: 10 and 12 of 16 are used as often as all of them, and the file says so or does not."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from rnnvision.data import DataError
from rnnvision.data.images import View, open_image

HEIGHT, WIDTH = 6, 10
RAMP = np.linspace(0, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)  # from black to white


def ramp(bits: int) -> np.ndarray:
    return (RAMP * (2**bits - 1)).round().astype(np.uint16)


def opened(path: Path, convert: bool = True, channels: int = 1, used_bits: int | None = None) -> np.ndarray:
    view = View(channels=channels, convert=convert, used_bits=used_bits)
    return open_image(path, view).permute(1, 2, 0).numpy()


def refusal(path: Path, convert: bool = True, **options: int) -> str:
    with pytest.raises(DataError) as error:
        opened(path, convert, **options)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def is_ramp(image: np.ndarray, whole: float = 255) -> bool:
    return bool(np.abs(image[..., 0] - RAMP * whole).max() <= 1)


def save(path: Path, values: np.ndarray, order: str = "<u2", **options: object) -> Path:
    mode = "I;16" if order == "<u2" else "I;16B"
    Image.frombytes(mode, values.shape[::-1], values.astype(order).tobytes()).save(path, **options)  # type: ignore[arg-type]
    return path


def tags(**values: int) -> TiffImagePlugin.ImageFileDirectory_v2:
    made = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, value in {"MaxSampleValue": 281, "PhotometricInterpretation": 262}.items():
        if tag in values:
            made.tagtype[value] = 3
            made[value] = values[tag]
    return made


# Greys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("suffix", "order"), [("png", "<u2"), ("tif", "<u2"), ("tif", ">u2")])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_greys_keep_their_upper_8_bits_where_they_may_be_converted(
    tmp_path: Path, bits: int, suffix: str, order: str, channels: int
) -> None:
    path = save(tmp_path / f"deep.{suffix}", ramp(bits), order)
    assert "16 bits; save it as 8-bit grey or RGB" in refusal(path, convert=False)
    image = opened(path, channels=channels)
    assert image.shape == (HEIGHT, WIDTH, channels)
    assert np.array_equal(image, np.stack([ramp(bits) >> (bits - 8)] * channels, axis=2))


@pytest.mark.parametrize("used_bits", [10, 12, 16])
def test_the_bits_that_are_used_may_be_chosen_for_all_files(tmp_path: Path, used_bits: int) -> None:
    """A dark image of such a camera stays dark."""
    path = save(tmp_path / "dark.png", ramp(9))
    assert is_ramp(opened(path, used_bits=used_bits), 255 * 2**9 / 2**used_bits)
    assert "holds the value 511, which data.used_bits=8 cannot hold" in refusal(path, used_bits=8)


@pytest.mark.parametrize("stated", [10, 12])
def test_a_tiff_that_states_its_range_is_read_so(tmp_path: Path, stated: int) -> None:
    path = save(tmp_path / "a.tif", ramp(9), tiffinfo=tags(MaxSampleValue=2**stated - 1))
    assert is_ramp(opened(path), 255 * 2**9 / 2**stated)


@pytest.mark.parametrize(("described", "largest"), [(511, 700), (300, 300), (700, 700), (0, 1023)])
def test_a_largest_value_that_only_describes_an_image_is_no_range(tmp_path: Path, described: int, largest: int) -> None:
    values = np.minimum(ramp(10), largest)
    path = save(tmp_path / "a.tif", values, tiffinfo=tags(MaxSampleValue=described))
    assert np.array_equal(opened(path)[..., 0], values >> 2)


def test_12_bits_that_a_tiff_packs_are_their_range(tmp_path: Path) -> None:
    values = ramp(9)  # a dark image
    pairs = values.reshape(-1, 2).astype(int)
    packed = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    pixels = packed.astype(np.uint8).tobytes()
    entries = {256: WIDTH, 257: HEIGHT, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: HEIGHT, 279: len(pixels)}
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries.items())
    header = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    (tmp_path / "a.tif").write_bytes(header + pixels + struct.pack("<H", len(entries)) + directory + bytes(4))
    assert np.array_equal(opened(tmp_path / "a.tif")[..., 0], values >> 4)


def test_a_tiff_in_which_0_is_white_is_no_negative(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", ramp(16)[::-1, ::-1])
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<HHI", 262, 3, 1))
    struct.pack_into("<H", content, place + 8, 0)
    path.write_bytes(content)
    assert is_ramp(opened(path))


def test_a_transparent_grey_shows_white(tmp_path: Path) -> None:
    values = np.array([[0, 0x8000]], dtype=np.uint16)
    save(tmp_path / "deep.png", values, transparency=0)
    assert b"tRNS" in (tmp_path / "deep.png").read_bytes()
    assert opened(tmp_path / "deep.png").flatten().tolist() == [255, 128]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("largest", [1, 15, 100, 255, 256, 1000, 1023, 4095, 65534, 65535])
def test_a_pgm_states_its_range_and_needs_no_converting(tmp_path: Path, largest: int, plain: bool) -> None:
    values = (RAMP * largest).round().astype(int)
    kind = "u1" if largest < 256 else ">u2"
    pixels = " ".join(map(str, values.flatten())).encode() if plain else values.astype(kind).tobytes()
    header = f"P{2 if plain else 5} {WIDTH} {HEIGHT} {largest}\n".encode()
    (tmp_path / "a.pgm").write_bytes(header + pixels)
    found = opened(tmp_path / "a.pgm", convert=False)[..., 0]
    assert np.abs(found - values * (255 / largest)).max() <= 1


@pytest.mark.parametrize("largest", [100, 1023, 65535])
def test_a_dark_pgm_stays_dark(tmp_path: Path, largest: int) -> None:
    values = (RAMP * largest / 8).astype("u1" if largest < 256 else ">u2")
    (tmp_path / "a.pgm").write_bytes(f"P5 {WIDTH} {HEIGHT} {largest}\n".encode() + values.tobytes())
    assert opened(tmp_path / "a.pgm", convert=False).max() in range(29, 33)


# Colours --------------------------------------------------------------------------------------------------------------


def png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits: (H, W, C), where C = 2 and 4 have transparency. Pillow writes none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    colour_type = {2: 4, 3: 2, 4: 6}[values.shape[2]]
    header = struct.pack(">2I5B", WIDTH, HEIGHT, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


def tiff(values: np.ndarray) -> bytes:
    """A TIFF of three colours of 16 bits."""
    pixels = values.astype("<u2").tobytes() + struct.pack("<3H", 16, 16, 16)
    where = 8 + len(pixels) - 6
    entries = {256: (1, WIDTH), 257: (1, HEIGHT), 258: (3, where), 259: (1, 1), 262: (1, 2), 273: (1, 8), 277: (1, 3)}
    entries |= {278: (1, HEIGHT), 279: (1, len(pixels) - 6)}
    directory = b"".join(struct.pack("<HHII", tag, 3 if tag == 258 else 4, *entry) for tag, entry in entries.items())
    header = struct.pack("<2sHI", b"II", 42, 8 + len(pixels))
    return header + pixels + struct.pack("<H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize(("count", "kind"), [(2, png), (3, png), (4, png), (3, tiff)])
def test_deep_colours_are_never_served_nearly_black(
    tmp_path: Path, count: int, kind: Callable[[np.ndarray], bytes], bits: int
) -> None:
    values = np.stack([ramp(bits)] * count, axis=2)
    if count in (2, 4):
        values[..., -1] = 65535  # opaque
    path = tmp_path / "a"
    path.write_bytes(kind(values))
    if bits < 16:
        assert f"16-bit colours that use {bits} bits; save it with 8 bits a channel" in refusal(path)
        assert refusal(path, convert=False).endswith("data.used_bits=16 reads it as it is")
    else:
        assert is_ramp(opened(path, convert=False, channels=3), 255 * 2**bits / 2**16)
    assert is_ramp(opened(path, channels=3, used_bits=16), 255 * 2**bits / 2**16)
