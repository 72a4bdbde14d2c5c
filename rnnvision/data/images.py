"""The one place that opens a picture somebody else made."""

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from rnnvision.data.splits import DataError

MAX_PIXELS = 64_000_000  # a header of some bytes may claim gigabytes
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
MODES = {1: "L", 3: "RGB"}


def open_image(path: Path, channels: int = 3) -> Tensor:
    """One picture as uint8 (channels, H, W), upright as its EXIF data says, on white where it is transparent.

    16-bit greys keep their upper byte. `channels` is 1 (grey) or 3 (RGB).

    Raises:
        DataError: that names the file, if it is no picture, is cut short, is larger than 64 million pixels, holds
            several frames, or holds floating-point or 32-bit values, whose range is unknown.
    """
    if not path.is_file():  # a pipe would wait for ever
        raise DataError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
            with Image.open(path) as image:
                pixels = _pixels(path, image, MODES[channels])
    except DataError:
        raise
    except Exception as error:  # of damage Pillow raises nearly anything: SyntaxError, IndexError, TypeError ...
        raise DataError(f"{path}: cannot be read as a picture ({error})") from error
    return torch.from_numpy(pixels.copy()).reshape(*pixels.shape[:2], channels).permute(2, 0, 1).contiguous()


def _pixels(path: Path, image: Image.Image, mode: str) -> np.ndarray:
    if image.width * image.height > MAX_PIXELS:
        raise DataError(f"{path}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a camera's JPEG with a preview behind the picture
        raise DataError(f"{path}: {frames} frames; a picture has one")
    return np.asarray(_to_mode(path, ImageOps.exif_transpose(image), mode))


def _to_mode(path: Path, image: Image.Image, mode: str) -> Image.Image:
    if image.mode in ("I", "F"):
        raise DataError(f"{path}: values of mode {image.mode} have no known range; save it with 8 or 16 bits")
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        grey = (values >> 8).astype(np.uint8)
        grey[values == image.info.get("transparency", -1)] = 255
        return Image.fromarray(grey).convert(mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert(mode)
    return image.convert(mode)
