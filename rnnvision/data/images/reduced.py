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
from rnnvision.data.images.view import MODES, Box, View

DIVISORS = (8, 4, 2)
# How many times what is shown the small image has to be. On photographs the result then differs from that of the whole
# image by 0.5 of 255 on average; at 1.5 by 1.1, and at 1 by 1.8.
MARGIN = 2


def divisor_of(header: JpegHeader, view: View) -> int:
    """By what the sides of a JPEG may be divided: 8, 4, 2, or 1 where it is decoded whole."""
    (*_, rows, columns), shown = view.part(*_upright(header))
    times = min(rows / shown[0], columns / shown[1])
    return next((divisor for divisor in DIVISORS if times >= MARGIN * divisor), 1)


def decode_reduced(data: bytes, header: JpegHeader, view: View, divisor: int) -> Tensor:
    """What the network sees of a JPEG, decoded at 1 / `divisor` of its sides: uint8 (C, H, W)."""
    height, width = _upright(header)
    box, shown = view.part(height, width)
    top, left, rows, columns = (side / divisor for side in _lying(box, height, width, header.orientation))
    size = shown[::-1] if TURNS[header.orientation][0] else shown
    with JpegImageFile(io.BytesIO(data)) as image:
        mode = MODES[view.channels]
        image.draft(mode, (header.width // divisor, header.height // divisor))
        x, y = math.floor(left), math.floor(top)
        right, bottom = math.ceil(left + columns), math.ceil(top + rows)
        # Cut out first: what lies around the part must not be blended in.
        around = image.crop((x, y, min(right, image.width), min(bottom, image.height)))
    exact = (left - x, top - y, left - x + columns, top - y + rows)
    part = np.array(around.resize(size[::-1], Image.Resampling.BILINEAR, exact).convert(mode))
    pixels = torch.from_numpy(part.reshape(*size, view.channels)).permute(2, 0, 1)
    return view.framed(turn(pixels, header.orientation))


def _upright(header: JpegHeader) -> tuple[int, int]:
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
