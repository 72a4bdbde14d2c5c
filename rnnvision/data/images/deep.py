"""More than 8 bits: how many bits of a value are used, as the file, the user or the values say."""

from typing import NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from rnnvision.data.splits import DataError

BITS_PER_SAMPLE, PHOTOMETRIC, MAX_SAMPLE_VALUE = 258, 262, 281  # tags of a TIFF
USUAL = (8, 10, 12, 14, 16)  # of cameras and scanners


class Greys(NamedTuple):
    """The meaning of the values of an image.

    Attributes:
        bits: of a value, 8 to 16; the upper 8 are kept.
        inverted: 0 is white.
        transparent: the value that is transparent, shown white; -1 for none.
    """

    bits: int
    inverted: bool = False
    transparent: int = -1

    def to_eight_bits(self, image: Image.Image) -> Image.Image:
        """The image, or a part of it, as mode L."""
        values = np.asarray(image)
        grey = np.minimum(values >> (self.bits - 8), 255).astype(np.uint8)
        grey = 255 - grey if self.inverted else grey
        grey[values == self.transparent] = 255
        return Image.fromarray(grey)


def greys_of(name: str, image: Image.Image, used_bits: int | None) -> Greys:
    """The meaning of the values of an image of mode I;16, or I of a PGM.

    The file says how many bits are used in a PGM or a JPEG 2000 (Pillow spreads their values over 16 bits), and in a
    TIFF with fewer bits per sample, or with a largest sample value of 2^n - 1 (any other describes the image, not its
    range). Else `used_bits` says it, else the largest value does. The sBIT of a PNG says nothing: its values have to be
    spread over all 16 bits.

    Raises:
        DataError: for a value that `used_bits` cannot hold.
    """
    inverted = isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0
    transparent = image.info.get("transparency", -1)
    if (bits := _stated_bits(image)) is None:
        largest = int(np.asarray(image).max())
        bits = used_bits or next(usual for usual in USUAL if largest < 2**usual)
        if largest >= 2**bits:
            raise DataError(f"{name}: holds the value {largest:,}, which data.used_bits={bits} cannot hold")
    return Greys(bits, inverted, transparent)


def has_deep_colours(image: Image.Image) -> bool:
    """Whether an image that is not loaded yet has colours, or greys with transparency, of 16 bits."""
    return not image.mode.startswith("I") and any(";16" in str(tile[3]) for tile in getattr(image, "tile", []))


def check_colours(name: str, image: Image.Image, used_bits: int | None) -> None:
    """Check that the upper 8 of 16 bits, all that Pillow reads of colours, are the right ones.

    Raises:
        DataError: for an image that would be nearly black, since it seems to use 14 or fewer.
    """
    ranges = np.reshape(image.getextrema(), (-1, 2))
    colours = ranges[:-1] if image.mode in ("RGBA", "LA") else ranges
    if used_bits not in (None, 16) or (used_bits is None and colours.max() < 2**14 >> 8):
        bits = used_bits or 8 + int(colours.max()).bit_length()
        raise DataError(
            f"{name}: 16-bit colours that use {bits} bits; save it with 8 bits a channel, "
            "or data.used_bits=16 reads it as it is"
        )


def _stated_bits(image: Image.Image) -> int | None:
    if image.format in ("PPM", "JPEG2000"):
        return 16
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits, largest = (_first(image.tag_v2.get(tag)) for tag in (BITS_PER_SAMPLE, MAX_SAMPLE_VALUE))
        if 8 <= bits < 16:
            return bits
        if 8 <= largest.bit_length() < 16 and largest & (largest + 1) == 0 and int(np.asarray(image).max()) <= largest:
            return largest.bit_length()
    return None


def _first(value: object) -> int:
    """The value of a tag that may be a tuple; 0 where it is missing, or no whole number."""
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else 0
