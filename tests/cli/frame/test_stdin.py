"""The bytes of an image are known from paths and from rows of pixels."""

import io

import pytest
from PIL import Image

from rnnvision.cli.frame.stdin import is_image


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_what_pillow_writes_is_an_image(form: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 28), "white").save(file, form)
    assert is_image(file.getvalue()[:18])


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GIF89a.gif\nb.gif\n",
        b"BMW.jpg\nAudi.jpg\nVW.jpg\n",
        b"RIFF/a.webp\n",
        bytes([255, 216, 255, 255] * 5),
        bytes([255, 216, 255, 224] * 5),
        bytes([66, 77, *[0] * 26]),
        bytes([73, 73, 42, *[0] * 25]),
    ],
)
def test_paths_and_rows_of_pixels_are_none(start: bytes) -> None:
    assert not is_image(start)
