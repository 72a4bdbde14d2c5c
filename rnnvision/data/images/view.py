"""View: how an image file is read, and what part of the image the network sees, at which size."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rnnvision.checks import LONGEST_SIDE, at_least, flags, one_of
from rnnvision.data.splits import Splits

MODES = {1: "L", 3: "RGB"}
FITS = ("crop", "letterbox")
USED_BITS = range(8, 17)
MAX_PIXELS = 64_000_000  # a header of some bytes may claim gigabytes

Box = tuple[int, int, int, int]  # top, left, height, width
Part = tuple[Box, tuple[int, int]]  # of an image, and the size (height, width) at which it is shown
Choice = Callable[[int, int], Part]  # of the part to show, by the height and width of the upright image


@dataclass(frozen=True, kw_only=True)
class View:
    """The options of image files, said once for all data sets that are kept as such.

    Attributes:
        image_size: of the images that the network sees: side of a square, or [height, width].
        crop_ratio: share of the sides of the largest centred part of this shape that is kept, when nothing is cut out
            at random.
        fit: "crop" keeps that part, "letterbox" the whole image, with black bars beside it.
        channels: 1 (grey) or 3 (RGB).
        max_pixels: larger images are refused.
        first_frame: read the first frame of an animation, or the first page of several, instead of refusing it.
        reduced_scale: JPEGs whose part that is kept has at least twice the sides that the network sees are decoded at
            1/2, 1/4 or 1/8 (`rnnvision.data.images.reduced`).
        used_bits: of greys that are stored with 16 bits, where the file does not say how many of them are used; None
            for the fewest of 8, 10, 12, 14 and 16 that hold the image's largest value. Such greys are read only if
            they may be converted. 16-bit colours that seem to use 14 or fewer are read only with 16.
        convert: also read what loses information: 16-bit and CMYK images. Chosen by `on_bad_file`, so no option.

    Raises:
        ValueError: for an option out of range.

    Examples:
        >>> View(image_size=[64, 96]).size
        (64, 96)
    """

    image_size: int | tuple[int, int] = 64
    crop_ratio: float = 1.0
    fit: str = "crop"
    channels: int = 3
    max_pixels: int = MAX_PIXELS
    first_frame: bool = False
    reduced_scale: bool = False
    used_bits: int | None = None
    convert: bool = field(default=False, metadata={"option": False})

    def __post_init__(self) -> None:
        _check_size(self.image_size)
        if isinstance(self.crop_ratio, (bool, str)) or not 0.0 < self.crop_ratio <= 1.0:
            raise ValueError(f"crop_ratio={self.crop_ratio}: must be a number above 0 and at most 1")
        one_of("fit", self.fit, FITS)
        if self.fit == "letterbox" and self.crop_ratio != 1.0:
            raise ValueError(
                f"crop_ratio={self.crop_ratio}: fit=letterbox shows the whole image; add data.crop_ratio=1"
            )
        if self.channels not in MODES:
            raise ValueError(f"channels={self.channels}: choose one of {', '.join(map(str, MODES))}")
        at_least("max_pixels", self.max_pixels, 1)
        flags(first_frame=self.first_frame, reduced_scale=self.reduced_scale)
        if self.used_bits is not None and self.used_bits not in USED_BITS:
            raise ValueError(f"used_bits={self.used_bits}: must be a whole number from 8 to 16")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of what the network sees."""
        if isinstance(self.image_size, int):
            return self.image_size, self.image_size
        height, width = self.image_size
        return height, width

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of what the network sees."""
        return self.channels, *self.size

    def of(self, image: Tensor) -> Tensor:
        """What the network sees of an image: uint8 (C, any, any) -> (C, H, W)."""
        box, size = self.part(*image.shape[1:])
        return self.framed(cut(image, box, size))

    def part(self, height: int, width: int) -> Part:
        """The part that is kept of an image of this size."""
        if self.fit == "letterbox":
            scale = min(self.size[0] / height, self.size[1] / width)
            sides = zip((height, width), self.size, strict=True)
            rows, columns = (min(max(1, round(side * scale)), most) for side, most in sides)
            return (0, 0, height, width), (rows, columns)
        return self._centre(height, width), self.size

    def framed(self, part: Tensor) -> Tensor:
        """A part at the size at which it is shown, in the middle of black where it is smaller than the view."""
        channels, rows, columns = part.shape
        if (rows, columns) == self.size:
            return part
        top, left = (self.size[0] - rows) // 2, (self.size[1] - columns) // 2
        canvas = torch.zeros(*self.size, channels, dtype=part.dtype)
        canvas[top : top + rows, left : left + columns] = part.permute(1, 2, 0)
        return canvas.permute(2, 0, 1)

    def _centre(self, height: int, width: int) -> Box:
        """The centred part that has the shape of `size`, and spans `crop_ratio` of the largest one."""
        h, w = self.size
        if height * w <= width * h:  # the image is the wider of the two
            part = self.crop_ratio * height, self.crop_ratio * (height * w / h)
        else:
            part = self.crop_ratio * (width * h / w), self.crop_ratio * width
        rows, columns = (max(1, round(side)) for side in part)
        return round((height - rows) / 2), round((width - columns) / 2), rows, columns


def _check_size(image_size: object) -> None:
    if not isinstance(image_size, (list, tuple)):
        at_least("image_size", image_size, 1, LONGEST_SIDE)
    elif len(image_size) != 2 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in image_size):
        raise ValueError(
            f"image_size={list(image_size)}: must be a side, or [height, width], whole numbers of at least 1"
        )
    elif max(image_size) > LONGEST_SIDE:
        raise ValueError(f"image_size={list(image_size)}: must be at most {LONGEST_SIDE} on each side")


def cut(image: Tensor, box: Box, size: tuple[int, int]) -> Tensor:
    """A part of an image, resized with antialiasing: uint8 (C, any, any) -> (C, *size), channels last in memory.

    `box` is (top, left, height, width). torch resizes channels-last images in a third of the time, but recognises them
    only if the stride of the batch dimension agrees, which it would not after `unsqueeze`.
    """
    top, left, height, width = box
    part = image.permute(1, 2, 0)[top : top + height, left : left + width]
    if (height, width) == size:
        return part.permute(2, 0, 1)
    return interpolate(part[None].permute(0, 3, 1, 2), size, mode="bilinear", antialias=True)[0]


OPTIONS = tuple(f for f in fields(View) if f.metadata.get("option", True))


def default_view(reader: Callable[..., Splits]) -> View | None:
    """The view of a reader's defaults; None for one that does not read image files.

    A plugin's reader may name some of the options in its own signature.
    """
    defaults = {name: p.default for name, p in inspect.signature(reader).parameters.items()}
    known = {f.name: defaults[f.name] for f in OPTIONS if f.name in defaults}
    return View(**known) if "image_size" in known else None


def view_from(defaults: View, options: dict[str, Any]) -> View:
    """The view that `options` ask for, which are taken out of them; `defaults` holds for what they lack."""
    return View(**{f.name: options.pop(f.name, getattr(defaults, f.name)) for f in OPTIONS})


def with_view(**defaults: Any) -> Callable[[Callable[..., Splits]], Callable[..., Splits]]:
    """Give a reader of image files the options of `View`; `defaults` are those of its data set.

    The reader takes (class_names, root, view, *, its own options). What is made of it takes (class_names, root, *, its
    own options and those of `View`), and says so in its signature, which the command line checks arguments against.
    """
    standard = View(**defaults)

    def decorate(read: Callable[..., Splits]) -> Callable[..., Splits]:
        @wraps(read)
        def reader(class_names: tuple[str, ...], root: str | None, **options: Any) -> Splits:
            return read(class_names, root, view_from(standard, options), **options)

        own = [p for name, p in inspect.signature(read).parameters.items() if name != "view"]
        added = [
            inspect.Parameter(
                f.name, inspect.Parameter.KEYWORD_ONLY, default=getattr(standard, f.name), annotation=f.type
            )
            for f in OPTIONS
        ]
        # inspect looks at it first; the type of functions does not have it
        reader.__signature__ = inspect.Signature([*own, *added], return_annotation=Splits)  # type: ignore[attr-defined]
        reader.__annotations__ = {p.name: p.annotation for p in (*own, *added)} | {"return": Splits}
        return reader

    return decorate
