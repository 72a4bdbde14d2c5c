"""Decoding of images, for all files that come from elsewhere."""

import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError, features
from torch import Tensor

from rnnvision.checks import one_line
from rnnvision.data.images.deep import Greys, check_colours, greys_of, has_deep_colours
from rnnvision.data.images.limits import MAX_PACKED, check_file, check_opened, check_scans, weight
from rnnvision.data.images.memory import ALL, MEMORY, PER_PIXEL
from rnnvision.data.images.orientation import JpegHeader, is_left_to_pillow, jpeg_header, pillow_orientation, turn
from rnnvision.data.images.reduced import decode_reduced, divisor_of, upright
from rnnvision.data.images.view import MODES, Choice, Part, View, cut
from rnnvision.data.splits import DataError

# `decode` refuses what is too large itself, and Pillow's warning would come before that; of a damaged tag it warns with
# its own source, whether the image is read or not. For the whole process, once: a filter around each call would change
# those of the other reading threads.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".gif"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tif", ".tiff", ".webp", ".avif", ".jp2"),
)
# What Pillow may open, whatever the suffix says: without a list it would start Ghostscript for what holds EPS.
FORMATS = ("JPEG", "MPO", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP", "AVIF", "JPEG2000")
OPTIONAL = {  # formats that some builds of Pillow lack: (place, bytes) in a file, and Pillow's name of the decoder
    "AVIF": (((4, b"ftypavif"), (4, b"ftypavis")), "avif"),
    "JPEG 2000": (((0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51")), "jpg_2000"),
    "WebP": (((8, b"WEBP"),), "webp"),
}
HEAD = 2**18  # bytes in which the header of nearly every JPEG lies, with a preview in it
END_OF_IMAGE = b"\xff\xd9"  # the last marker of a JPEG, which cannot occur among its pixels
AT_ONCE = 2**20  # pixels that are converted at a time: several copies of a whole image would take gigabytes
Result = TypeVar("Result")


def open_image(path: Path, view: View) -> Tensor:
    """The whole image of a file, as `decode` returns it.

    Raises:
        DataError: if there is no such file, or `decode` refuses it.
    """
    return _opened(path, view, decode)


def open_seen(path: Path, view: View, choose: Choice | None = None) -> Tensor:
    """What the network sees of the image of a file, as `decode_seen` returns it; it raises what `open_image` does."""
    return _opened(path, view, partial(decode_seen, choose=choose))


def inspect_image(path: Path, view: View) -> None:
    """Look at a file as `inspect` does; it raises what `open_image` would for what is found so."""
    _opened(path, view, inspect)


def _opened(path: Path, view: View, decode: Callable[[BinaryIO, str, View], Result]) -> Result:
    name = one_line(path)
    try:
        if not stat.S_ISREG(mode := path.stat().st_mode):  # a pipe would wait for ever
            raise DataError(f"{name}: is a folder" if stat.S_ISDIR(mode) else f"{name}: is a device, pipe or socket")
        with path.open("rb") as file:
            return decode(file, name, view)
    except FileNotFoundError as error:
        raise DataError(f"{name}: there is no such file") from error
    except (OSError, ValueError) as error:  # a ValueError for a name with a null character
        raise DataError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def decode(file: BinaryIO, name: str, view: View) -> Tensor:
    """One image as uint8 (channels, H, W), upright, on white where it is transparent; channels last in memory.

    JPEGs are decoded by torchvision, the rest by Pillow. `view` says what is read, and in which colours.

    Raises:
        DataError: that begins with `name`, if it is empty, no image, truncated, larger than `max_pixels`, has several
            frames, has floating-point or 32-bit values, whose range is unknown, or would have to be converted.
    """
    return _decode(file, name, view, None)


def decode_seen(file: BinaryIO, name: str, view: View, choose: Choice | None = None) -> Tensor:
    """What the network sees of one image: uint8 (C, H, W); channels last in memory.

    It is `View.of` the whole image, or the part of it that `choose` gives in place of `View.part`; but for JPEGs that
    are decoded at reduced scale. It raises what `decode` does.
    """
    return _decode(file, name, view, choose or view.part)


def inspect(file: BinaryIO, name: str, view: View) -> None:
    """Refuse what `decode` would, as far as the file shows it without its pixels: of a JPEG, also that it is cut short.

    Raises:
        DataError: that begins with `name`.
    """
    with _told(name, view):
        size, header = _begin(file, name, view)
        if header is None:
            with _open_by_pillow(file, view) as image:
                _check(name, image, view)
            return
        with MEMORY.taken(size):
            if file.read().find(END_OF_IMAGE, header.length) < 0:
                raise DataError(f"{name}: cannot be read as an image (it is cut short)")


def _decode(file: BinaryIO, name: str, view: View, choose: Choice | None) -> Tensor:
    with _told(name, view):
        size, header = _begin(file, name, view)
        if header is None:
            with _open_by_pillow(file, view) as image:
                _check(name, image, view)
                with MEMORY.taken(_need(image, size)):
                    seen = _seen(_decode_by_pillow(image, file, name, view), view, choose)
                    image.close()  # and its pixels go
                    return seen
        with MEMORY.taken(PER_PIXEL * header.width * header.height + 2 * size):
            part = None if choose is None else choose(*upright(header))
            return _decode_by_libjpeg(file.read(), header, view, part)


def _seen(image: Tensor, view: View, choose: Choice | None) -> Tensor:
    """What is chosen of an image; all of it where there is no choice."""
    return image if choose is None else view.framed(cut(image, *choose(*image.shape[1:])))


def _decode_by_libjpeg(data: bytes, header: JpegHeader, view: View, part: Part | None) -> Tensor:
    if header.has_scans:
        check_scans(data)
    if part is not None and view.reduced_scale and (divisor := divisor_of(part)) > 1:
        return view.framed(decode_reduced(data, header, view.channels, part, divisor))
    image = turn(_decode_jpeg(data, view.channels), header.orientation)
    return image if part is None else view.framed(cut(image, *part))


def _begin(file: BinaryIO, name: str, view: View) -> tuple[int, JpegHeader | None]:
    """The size of a file, and the header of a JPEG that torchvision decodes; None for what is left to Pillow."""
    start = file.read(32)
    if not start:
        raise DataError(f"{name}: is empty")
    size = check_file(file, start)
    # Pillow's inspection of a header takes a tenth of the time that an image of 224 x 224 takes to decode.
    if start.startswith(b"\xff\xd8\xff"):
        header = jpeg_header(file.read(HEAD))
        if header is None and size > HEAD:
            file.seek(0)
            with MEMORY.taken(ALL):
                header = jpeg_header(file.read())
        file.seek(0)
        if (
            header is not None
            and header.bits == 8
            and header.components in (1, 3)
            and 0 < header.width * header.height <= view.max_pixels
        ):
            return size, header
    _check_decoder(name, start)
    return size, None


def _need(image: Image.Image, size: int) -> int:
    """The bytes that decoding an image of a file of this size may take."""
    return PER_PIXEL * image.width * image.height * (2 if weight(image) > 1 else 1) + min(size, MAX_PACKED)


@contextmanager
def _told(name: str, view: View) -> Iterator[None]:
    """Within, whatever a decoder raises becomes a DataError."""
    try:
        yield
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:  # above Pillow's own limit
        pixels = re.findall(r"\d+", str(error))[0]
        raise DataError(_too_large(name, f"{pixels} pixels", int(pixels), view)) from error
    except Exception as error:  # for damage Pillow raises nearly anything: SyntaxError, IndexError, TypeError ...
        reason = re.sub(r".*\.cpp:\d+, ", "", " ".join(str(error).split()))  # torchvision begins with its own source
        reason = "its content is none" if isinstance(error, UnidentifiedImageError) else reason
        raise DataError(f"{name}: cannot be read as an image ({reason})") from error


def _open_by_pillow(file: BinaryIO, view: View) -> Image.Image:
    if Image.MAX_IMAGE_PIXELS is not None and view.max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = view.max_pixels  # Pillow's own limit, of this process
    return Image.open(file, formats=_formats())


def _decode_by_pillow(image: Image.Image, file: BinaryIO, name: str, view: View) -> Tensor:
    if image.format == "JPEG" and image.mode in MODES.values():
        file.seek(0)
        check_scans(data := file.read())
        return turn(_decode_jpeg(data, view.channels), pillow_orientation(image))
    return _loaded(image, name, view)


def _loaded(image: Image.Image, name: str, view: View) -> Tensor:
    deep, upright = has_deep_colours(image), is_left_to_pillow(image)  # Pillow forgets both as it loads
    image.load()
    if deep:
        check_colours(name, image, view.used_bits)
    pixels = _pixels(name, image, view)
    return pixels if upright else turn(pixels, pillow_orientation(image))


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


def _check_decoder(name: str, start: bytes) -> None:
    for kind, (signatures, decoder) in OPTIONAL.items():
        if any(start[at:].startswith(bytes_) for at, bytes_ in signatures) and not features.check(decoder):
            raise DataError(
                f"{name}: {kind}, which the Pillow that is installed cannot read; "
                "try pip install --upgrade pillow, or save it as PNG"
            )


def _check(name: str, image: Image.Image, view: View) -> None:
    times = weight(image)
    if (pixels := times * image.width * image.height) > view.max_pixels:
        counted = f", of which each counts {'twice' if times == 2 else f'{times} times'} in {image.format}"
        size = f"{image.width} x {image.height} pixels{counted if times > 1 else ''}"
        raise DataError(_too_large(name, size, pixels, view))
    check_opened(image)
    # A camera's JPEG with a preview behind the image has one frame.
    if not view.first_frame and image.format != "MPO" and getattr(image, "is_animated", False):  # to count takes long
        raise DataError(f"{name}: several frames; an image has one, or data.first_frame=true reads the first")
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):  # of a PGM the range is known
        raise DataError(f"{name}: values of mode {image.mode} have no known range; save it with 8 bits")
    lossy = "16 bits" if image.mode.startswith("I;16") else "CMYK" if image.mode == "CMYK" else None
    if lossy and not view.convert:
        raise DataError(f"{name}: {lossy}; save it as 8-bit grey or RGB, or data.on_bad_file=convert reads it")


def _too_large(name: str, size: str, pixels: int, view: View) -> str:
    return f"{name}: {size}, more than data.max_pixels={view.max_pixels} allows; data.max_pixels={pixels} would read it"


def _decode_jpeg(data: bytes, channels: int) -> Tensor:
    from torchvision.io import ImageReadMode

    wanted = ImageReadMode.GRAY if channels == 1 else ImageReadMode.RGB
    content = torch.frombuffer(bytearray(data), dtype=torch.uint8)  # for bytes, torch warns that they are read-only
    # What torchvision.io.decode_jpeg calls, which from 0.29 on warns of its end at every call. It would turn an image
    # by the first of its segments alone.
    return torch.ops.image.decode_jpeg(content, wanted.value, False)


def _pixels(name: str, image: Image.Image, view: View) -> Tensor:
    """The pixels of an image that is loaded, as it lies: uint8 (channels, H, W)."""
    greys = greys_of(name, image, view.used_bits) if image.mode.startswith("I") else None
    pixels = np.empty((image.height, image.width, view.channels), np.uint8)
    rows = max(1, AT_ONCE // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        whole = rows >= image.height
        part = _to_mode(image if whole else image.crop((0, top, image.width, bottom)), MODES[view.channels], greys)
        pixels[top:bottom] = np.asarray(part).reshape(bottom - top, image.width, view.channels)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _to_mode(image: Image.Image, mode: str, greys: Greys | None) -> Image.Image:
    if greys is not None:
        return greys.to_eight_bits(image).convert(mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert(mode)
    return image.convert(mode)


def from_pillow(image: Image.Image, view: View, name: str = "image") -> Tensor:
    """An image that somebody has opened with Pillow, as `decode` would return it: uint8 (channels, H, W).

    Raises:
        DataError: that begins with `name`, as `decode` does.
    """
    with _told(name, view):
        _check(name, image, view)
        with MEMORY.taken(_need(image, 0)):
            return _loaded(image, name, view)
