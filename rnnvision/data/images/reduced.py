"""Decoding at reduced scale: 1/2, 1/4 or 1/8 of the sides of a JPEG, which libjpeg makes of its coefficients at once.

For 64 x 64 of a photograph of 12 megapixels this takes half of the time and a twelfth of the memory of decoding it
whole. What is left is reading the coefficients. The part that is kept is found in the whole image and cut out of the
small one at fractions of a pixel: at whole ones it would be displaced, and differ five times as much.
"""

import io
import math

import numpy as np
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from rnnvision.data.images.orientation import TURNS, JpegHeader, turn
from rnnvision.data.images.view import MODES, Box, Part

DIVISORS = (8, 4, 2)
# How many times what is shown the small image has to be. On photographs the result then differs from that of the whole
# image by 0.5 of 255 on average; at 1.5 by 1.1, and at 1 by 1.8.
MARGIN = 2


def divisor_of(part: Part) -> int:
    """By what the sides of a JPEG with this part may be divided: 8, 4, 2, or 1 where it is decoded whole."""
    (*_, rows, columns), shown = part
    times = min(rows / shown[0], columns / shown[1])
    return next((divisor for divisor in DIVISORS if times >= MARGIN * divisor), 1)


def decode_reduced(data: bytes, header: JpegHeader, channels: int, part: Part, divisor: int) -> Tensor:
    """A part of a JPEG at the size at which it is shown, decoded at 1 / `divisor` of its sides: uint8 (C, H, W)."""
    (box, shown), (height, width) = part, upright(header)
    top, left, rows, columns = (side / divisor for side in _lying(box, height, width, header.orientation))
    size = shown[::-1] if TURNS[header.orientation][0] else shown
    with JpegImageFile(io.BytesIO(data)) as image:
        mode = MODES[channels]
        image.draft(mode, (header.width // divisor, header.height // divisor))
        x, y = math.floor(left), math.floor(top)
        right, bottom = math.ceil(left + columns), math.ceil(top + rows)
        # Cut out first: what lies around the part must not be blended in.
        around = image.crop((x, y, min(right, image.width), min(bottom, image.height)))
    exact = (left - x, top - y, left - x + columns, top - y + rows)
    resized = np.array(around.resize(size[::-1], Image.Resampling.BILINEAR, exact).convert(mode))
    return turn(torch.from_numpy(resized.reshape(*size, channels)).permute(2, 0, 1), header.orientation)


def upright(header: JpegHeader) -> tuple[int, int]:
    """(height, width) of the upright image."""
    swapped, _ = TURNS[header.orientation]
    return (header.width, header.height) if swapped else (header.height, header.width)


def _lying(box: Box, height: int, width: int, orientation: int) -> Box:
    """A part of the upright image, which has this height and width, in the image as it lies in the file."""
    swapped, reversed_axes = TURNS[orientation]
    top, left, rows, columns = box
    top = height - top - rows if 1 in reversed_axes else top
    left = width - left - columns if 2 in reversed_axes else left
    return (left, top, columns, rows) if swapped else (top, left, rows, columns)
