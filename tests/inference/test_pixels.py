"""Whatever people have of a picture becomes the same pixels; what is no picture is told on one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from rnnvision.data import DataError
from rnnvision.data.images import View
from rnnvision.errors import UsageError
from rnnvision.inference.pixels import as_seen, joined, several, stacked
from tests.inference.cases import images, make_classifier

RGB = np.random.default_rng(0).integers(0, 256, (12, 18, 3), dtype=np.uint8)
VIEW = View(image_size=(6, 8), channels=3)
GREY_VIEW = View(image_size=(6, 8), channels=1)


def levels(one: Tensor, other: Tensor) -> int:
    """The largest difference of two images in levels of 255."""
    assert one.dtype == other.dtype == torch.uint8
    return int((one.int() - other.int()).abs().max())


def forms_of(array: np.ndarray, folder: Path) -> dict[str, Any]:
    """One picture in every form, all but those of floating point of equal pixels."""
    image = Image.fromarray(array)
    image.save(folder / "a.png")
    first = torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())
    read_only = np.asarray(image)
    return {
        "path": folder / "a.png",
        "str": str(folder / "a.png"),
        "PIL": image,
        "PIL of a file": Image.open(folder / "a.png"),
        "array": array,
        "array that is read-only": read_only,
        "array of another order": np.asfortranarray(array),
        "tensor": first,
        "tensor that is not contiguous": first.permute(1, 2, 0).contiguous().permute(2, 0, 1),
        "float": first / 255,
        "double": first.double().numpy().transpose(1, 2, 0) / 255 if array.ndim == 3 else array / 255,
    }


@pytest.mark.parametrize("view", [VIEW, GREY_VIEW, View(image_size=(6, 8), channels=3, fit="letterbox")])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_every_form_of_a_picture_gives_the_same_pixels(tmp_path: Path, mode: str, view: View) -> None:
    image = Image.fromarray(RGB).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(RGB[..., 0]))
    forms = forms_of(np.asarray(image).copy(), tmp_path)
    expected = as_seen(forms["path"], view)
    assert expected.shape == view.image_shape
    assert expected.float().std() > 10  # else anything would equal anything
    for name, form in forms.items():
        found = as_seen(form, view)
        if found.is_floating_point():
            assert float(found.max()) <= 1.0
            found = (255 * found).round().to(torch.uint8)
        # Colours that are blended or weighed, and what is resized after that, round in another order.
        assert levels(found, expected) <= (1 if mode == "RGBA" or "PIL" not in name else 0), name


def test_white_stays_within_the_range_of_fractions() -> None:
    """Weights of antialiasing and of grey add up to a little more than 1 now and then."""
    for view in (VIEW, GREY_VIEW):
        for shape in ((3, 7, 9), (3, 50, 31), (4, 23, 5)):
            assert float(as_seen(torch.ones(shape), view).max()) <= 1.0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_upright_however_it_is_given(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    expected = as_seen(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")), VIEW)
    opened = Image.open(tmp_path / "a.png")
    assert torch.equal(as_seen(tmp_path / "a.png", VIEW), expected)
    assert torch.equal(as_seen(opened, VIEW), expected)
    assert torch.equal(as_seen(opened, VIEW), expected)  # now that it is loaded


def test_a_tensor_of_the_network_s_shape_is_what_it_reads(tmp_path: Path) -> None:
    """Whether it is alone, in a list, or in a batch: else a batch of a data set would be cropped once more."""
    classifier = make_classifier(data={"name": "image_folder", "crop_ratio": 0.5})
    assert classifier.view.crop_ratio == 0.5
    batch = images(classifier, 3)
    for form in (batch, list(batch), iter(batch), batch.flip(0).flip(0)):
        assert torch.equal(classifier.pixels(form), batch)
    assert torch.equal(classifier.pixels(batch[1]), batch[1:2])
    array = batch[0].permute(1, 2, 0).numpy()
    assert not torch.equal(classifier.pixels(array), batch[:1])  # which is a picture as any other


def test_several_pictures_may_be_mixed_and_come_from_anywhere(tmp_path: Path) -> None:
    forms = forms_of(RGB, tmp_path)
    classifier = make_classifier()
    alone = [classifier.pixels(form) for form in forms.values()]
    for mixed in (list(forms.values()), tuple(forms.values()), (form for form in forms.values())):
        found = classifier.pixels(mixed)
        assert found.shape == (len(forms), *classifier.input_shape)
        for one, several_ in zip(alone, found, strict=True):
            torch.testing.assert_close(joined([one, found[:0]])[0], several_, atol=1e-6, rtol=0)
    paths = [str(forms["path"])] * 3
    for column in (np.array(paths), np.array(paths, dtype=object), pandas.Series(paths)):
        assert torch.equal(classifier.pixels(column), classifier.pixels(paths))
    assert torch.equal(classifier.pixels(np.stack([RGB, RGB])), classifier.pixels([RGB, RGB]))


def test_what_is_one_picture_and_what_are_several(tmp_path: Path) -> None:
    for one in ("a.png", Path("a.png"), Image.fromarray(RGB), RGB, torch.zeros(3, 4, 4), torch.zeros(4, 4)):
        assert several(one) is None
    for many in (["a.png"], ("a.png",), iter([]), torch.zeros(1, 3, 4, 4), np.zeros((2, 4, 4, 3))):
        assert several(many) is not None
    assert stacked([torch.zeros(1, 2, 2), torch.full((1, 2, 2), 255, dtype=torch.uint8)])[1].max() == 1.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(5, 4, 4), "image of shape (5, 4, 4): give a path, "),
        (torch.zeros(2, 5, 3, 4, 4), "image of shape (2, 5, 3, 4, 4): "),
        (torch.zeros(4), "image of shape (4,): "),
        (np.zeros((0, 4, 3)), "image of shape (0, 4, 3): "),
        (
            torch.full((3, 4, 4), 200),
            "image of torch.int64 with values up to 200: give image.to(torch.uint8)",
        ),
        (np.full((4, 4), 200), 'image of torch.int64 with values up to 200: give image.astype("uint8")'),
        (np.full((4, 4), 255.0), "image of torch.float64 with values up to 255: give image / 255, if 255 is white"),
        (torch.full((2, 3, 6, 8), 254.0), "images of torch.float32 with values up to 254: give images / 255, if"),
        (
            np.full((4, 4), 4095, np.uint16),
            "image of torch.uint16 with values up to 4095: give pixels as uint8, or as floating point from 0 to 1: "
            "image / 65535 of 16 bits",
        ),
        (
            torch.full((3, 4, 4), 1.01),
            "image of torch.float32 with values up to 1.01: give pixels as uint8, or as floating point from 0 to 1: "
            "image.clip(0, 1) cuts off the rest",
        ),
        (torch.full((3, 4, 4), -1), "image of torch.int64 with values from -1 to -1: give pixels as uint8, or as"),
        (torch.full((3, 4, 4), float("nan")), "image of torch.float32 with values from nan to nan: give pixels"),
        (np.zeros((4, 4), dtype=bool), "image of torch.bool: give pixels as uint8"),
        (np.full((4, 4), None), "image of object: give pixels as uint8"),
        (7, "image of type int: give a path, a PIL image, an array or a tensor, or a list of them"),
        (b"a.png", "image of type bytes: give a path, a PIL image, an array or a tensor"),
        ({"a.png": 1}.values(), "image of type int: "),
        (None, "image of type NoneType: "),
        ([], "images=[]: there is no image"),
        (["a.png", None], "a.png: there is no such file"),
        ("/", "/: is a folder; give its files, for example sorted(Path('/').glob('*'))"),
    ],
)
def test_what_is_no_picture_is_told_on_one_line(wrong: Any, message: str) -> None:
    with pytest.raises((ValueError, DataError)) as error:
        make_classifier().probabilities(wrong)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_network_of_other_channels_reads_tensors_alone(tmp_path: Path) -> None:
    """As of a plugin's data of many bands."""
    classifier = make_classifier(input_shape=(2, 6, 8))
    batch = images(classifier, 2)
    expected = classifier.probabilities(batch)
    torch.testing.assert_close(classifier.probabilities(list(batch)), expected)
    torch.testing.assert_close(classifier.probabilities(batch.permute(0, 2, 3, 1).numpy()), expected)
    Image.fromarray(RGB).save(tmp_path / "a.png")
    for picture in (tmp_path / "a.png", Image.fromarray(RGB)):
        with pytest.raises(UsageError, match=r"^image: an image is grey or RGB, and this network reads \(2, 6, 8\)"):
            classifier.predict([picture])
