"""Decoding of images, for all files that come from elsewhere."""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from rnnvision.data.splits import DataError

MAX_PIXELS = 64_000_000  # a header of some bytes may claim gigabytes
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}


def open_image(path: Path, channels: int = 3, convert: bool = False) -> Tensor:
    """The image of a file, as `decode` returns it.

    Raises:
        DataError: if there is no such file, or `decode` refuses it.
    """
    if not path.is_file():  # a pipe would wait for ever
        raise DataError(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            return decode(file, str(path), channels, convert)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def decode(file: BinaryIO, name: str, channels: int = 3, convert: bool = False) -> Tensor:
    """One image as uint8 (channels, H, W), upright as its EXIF data says, on white where it is transparent.

    JPEGs are decoded by torchvision, the rest by Pillow. `channels` is 1 (grey) or 3 (RGB). `convert` also reads what
    loses information: the upper byte of 16-bit greys, and CMYK colours without their profile.

    Raises:
        DataError: that begins with `name`, if it is no image, is truncated, is larger than 64 million pixels, has
            several frames, has floating-point or 32-bit values, whose range is unknown, or would have to be converted.
    """
    try:
        if (data := _plain_jpeg(file)) is not None:
            return _decode_jpeg(data, MODES[channels])
        # No warnings filter here: it would change those of the other reading threads.
        with Image.open(file) as image:
            _check(name, image, convert)
            if image.format == "JPEG" and image.mode in MODES.values():
                file.seek(0)
                return _decode_jpeg(file.read(), MODES[channels])
            pixels = np.asarray(_to_mode(ImageOps.exif_transpose(image), MODES[channels]))
    except DataError:
        raise
    except Exception as error:  # for damage Pillow raises nearly anything: SyntaxError, IndexError, TypeError ...
        reason = " ".join(str(error).split()).rpartition(".cpp:")[2]  # torchvision begins with a line of its source
        raise DataError(f"{name}: cannot be read as an image ({reason})") from error
    return torch.from_numpy(pixels.copy()).reshape(*pixels.shape[:2], channels).permute(2, 0, 1).contiguous()


def cut(image: Tensor, box: tuple[int, int, int, int], size: tuple[int, int]) -> Tensor:
    """A part of an image, resized with antialiasing: uint8 (C, any, any) -> (C, *size), channels last in memory.

    `box` is (top, left, height, width). torch resizes channels-last images in a third of the time, but recognises them
    only if the stride of the batch dimension agrees, which it would not after `unsqueeze`.
    """
    top, left, height, width = box
    part = image.permute(1, 2, 0)[top : top + height, left : left + width]
    if (height, width) == size:
        return part.permute(2, 0, 1)
    return interpolate(part[None].permute(0, 3, 1, 2), size, mode="bilinear", antialias=True)[0]


def _plain_jpeg(file: BinaryIO) -> bytes | None:
    """The content of a JPEG of 8 bits, grey or of three colours; None for what Pillow has to inspect.

    Pillow's inspection of a header takes a tenth of the time that an image of 224 x 224 takes to decode.
    """
    start = file.read(3)
    file.seek(0)
    if start != b"\xff\xd8\xff":
        return None
    data = file.read()
    file.seek(0)
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:  # from marker to marker
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker in (0xC0, 0xC1, 0xC2):  # the frame: baseline, extended or progressive
            bits, height, width, components = struct.unpack(">BHHB", data[place + 4 : place + 10])
            return data if bits == 8 and components in (1, 3) and 0 < width * height <= MAX_PIXELS else None
        if marker == 0xFF:  # fill byte
            place += 1
        elif (0xC0 <= marker <= 0xCF and marker != 0xC4) or (marker >= 0xD0 and marker <= 0xDA):
            return None  # a rarer kind of frame, or an image before its frame
        else:
            place += 2 + length
    return None


def _check(name: str, image: Image.Image, convert: bool) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{name}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG with a preview behind the image
        raise DataError(f"{name}: {frames} frames; an image has one")
    if image.mode in ("I", "F"):
        raise DataError(f"{name}: values of mode {image.mode} have no known range; save it with 8 bits")
    lossy = "16 bits" if image.mode.startswith("I;16") else "CMYK" if image.mode == "CMYK" else None
    if lossy and not convert:
        raise DataError(f"{name}: {lossy}; save it as 8-bit grey or RGB, or data.on_bad_file=convert reads it")


def _decode_jpeg(data: bytes, mode: str) -> Tensor:
    from torchvision.io import ImageReadMode

    wanted = ImageReadMode.GRAY if mode == "L" else ImageReadMode.RGB
    content = torch.frombuffer(bytearray(data), dtype=torch.uint8)  # for bytes, torch warns that they are read-only
    # What torchvision.io.decode_jpeg calls, which from 0.29 on warns of its end at every call.
    return torch.ops.image.decode_jpeg(content, wanted.value, True)


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = (values >> 8).astype(np.uint8)
        grey[values == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey).convert(mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert(mode)
    return image.convert(mode)
