"""Pixels: what people have of a picture (a path, PIL image, array, tensor) as the network sees it.

Shapes: C, H, W are those of the network's images; a picture may have another height, width and number of channels.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.checks import one_line
from rnnvision.data import DataError
from rnnvision.data.images import View, from_pillow, open_seen
from rnnvision.inference.viewing import check_is_for_pictures

if TYPE_CHECKING:
    import numpy as np

CHANNELS = (1, 3, 4)  # grey, RGB, RGB with transparency
PIXELS = "give pixels as uint8, or as floating point from 0 to 1"
GREY = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow weighs them


def several(images: Any) -> Iterable[Any] | None:
    """The pictures of a list, tuple, iterator, batch (four dimensions) or column of paths; None for a single one."""
    if hasattr(images, "ndim"):
        column = images.ndim == 1 and getattr(images.dtype, "kind", None) in ("O", "U")  # of NumPy, pandas
        return images if images.ndim == 4 or column else None
    if isinstance(images, (str, Path, bytes, bytearray)) or hasattr(images, "convert"):
        return None
    return images if isinstance(images, Iterable) else None


def listed(images: Any) -> Iterable[Any]:
    """The pictures, one by one, of several or a single one.

    Raises:
        DataError: for a folder in place of a picture; with what lists its files.
    """
    found = several(images)
    if found is None and isinstance(images, (str, Path)) and Path(images).is_dir():
        name = one_line(images)
        raise DataError(f"{name}: is a folder; give its files, for example sorted(Path({name!r}).glob('*'))")
    return [images] if found is None else found


def stacked(images: Sequence[Tensor]) -> Tensor:
    """A batch of what `as_seen` gave: uint8, or floating point where some of them are."""
    return torch.stack(_alike(images))


def joined(batches: Sequence[Tensor]) -> Tensor:
    """Batches as one: uint8, or floating point where some of them are.

    Raises:
        ValueError: if there is none.
    """
    if not batches:
        raise ValueError("images=[]: there is no image")
    return torch.cat(_alike(batches))


def _alike(pixels: Sequence[Tensor]) -> list[Tensor]:
    if all(part.dtype == torch.uint8 for part in pixels):
        return list(pixels)
    return [part / 255 if part.dtype == torch.uint8 else part.float() for part in pixels]


def as_seen(image: Any, view: View) -> Tensor:
    """One picture, upright, in the network's colours and size: uint8 (C, H, W), or float where it was given as such.

    A tensor of this shape is taken as it is, whatever part of a picture the view shows.

    Raises:
        DataError: for a file or PIL image that cannot be read.
        UsageError: for a file or PIL image, if the network reads other channels than those of pictures.
        ValueError: for an array or tensor that is no picture.
    """
    if isinstance(image, (str, Path)):
        check_is_for_pictures(view)
        return open_seen(Path(image), view)
    if hasattr(image, "convert"):
        check_is_for_pictures(view)
        return view.of(from_pillow(image, view, getattr(image, "filename", None) or "image"))
    if isinstance(image, Tensor) and image.shape == view.image_shape:
        return _checked(image, image)
    tensor = image if isinstance(image, Tensor) else _from_array(image, view)
    if tensor.ndim == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.ndim != 3 or tensor.shape[0] not in {*CHANNELS, view.channels} or 0 in tensor.shape:
        raise ValueError(
            f"image of shape {tuple(image.shape)}: give a path, a PIL image, an array (height, width) or (height, "
            "width, channels), or a tensor (channels, height, width), of 1, 3 or 4 channels"
        )
    seen = view.of(_in_colours(_checked(tensor, image), view.channels))
    return seen.clamp(0, 1) if seen.is_floating_point() else seen  # weights of a mean add up to nearly 1


def _from_array(array: "np.ndarray", view: View) -> Tensor:
    """Arrays have their channels last, as Pillow and OpenCV give them: (H, W) or (H, W, C) -> (C, H, W)."""
    if not hasattr(array, "__array__"):
        raise ValueError(
            f"image of type {type(array).__name__}: give a path, a PIL image, an array or a tensor, or a list of them"
        )
    import numpy as np

    try:
        tensor = torch.tensor(
            np.ascontiguousarray(array)
        )  # a copy: Pillow's arrays are read-only, of which torch warns
    except TypeError as error:
        raise ValueError(f"image of {np.asarray(array).dtype}: {PIXELS}") from error
    channels_first = tuple(tensor.shape) == view.image_shape and tensor.shape[-1] not in CHANNELS
    return tensor if tensor.ndim != 3 or channels_first else tensor.permute(2, 0, 1)


def _checked(image: Tensor, given: Any) -> Tensor:
    check_values("image", image, is_tensor=isinstance(given, Tensor))
    return image if image.dtype == torch.uint8 else image.float()


def check_values(what: str, pixels: Tensor, *, is_tensor: bool = True) -> None:
    """Check that pixels are uint8, or floating point from 0 to 1.

    Raises:
        ValueError: if they are not: it begins with `what`, and says how to make them so.
    """
    if pixels.dtype == torch.uint8 or (pixels.is_floating_point() and 0 <= pixels.min() <= pixels.max() <= 1):
        return
    of = f"{what} of {pixels.dtype}"
    if pixels.dtype == torch.bool or pixels.is_complex():
        raise ValueError(f"{of}: {PIXELS}")
    least, most = pixels.double().min(), pixels.double().max()  # torch has no minimum of uint16
    if not least >= 0 or not most < math.inf:  # also of NaN
        raise ValueError(f"{of} with values from {least:g} to {most:g}: {PIXELS}")
    if pixels.is_floating_point() and most <= 2:
        advice = f"{PIXELS}: {what}.clip(0, 1) cuts off the rest"
    elif most > 255:
        advice = f"{PIXELS}: {what} / 65535 of 16 bits"
    elif pixels.is_floating_point():
        advice = f"give {what} / 255, if 255 is white"
    else:
        advice = f"give {what}.to(torch.uint8)" if is_tensor else f'give {what}.astype("uint8")'
    raise ValueError(f"{of} with values up to {most:.7g}: {advice}")


def _in_colours(image: Tensor, channels: int) -> Tensor:
    """(1, 3 or 4, H, W) -> (channels, H, W); what is transparent lies on white."""
    if image.shape[0] == channels:
        return image
    white = 255 if image.dtype == torch.uint8 else 1
    x = image.float() if image.dtype == torch.uint8 else image
    if image.shape[0] == 4:
        opaque = x[3:] / white
        x = x[:3] * opaque + white * (1 - opaque)
    if channels == 1 and x.shape[0] == 3:
        x = (x * x.new_tensor(GREY)[:, None, None]).sum(dim=0, keepdim=True)
    x = x.expand(channels, -1, -1) if x.shape[0] == 1 else x
    return x.round().to(torch.uint8) if image.dtype == torch.uint8 else x
