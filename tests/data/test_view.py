"""The part of an image that the network sees: any shape, cut out or whole; its options, for every data set of files."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from rnnvision.data import CATALOG, Augmentation, ImageData
from rnnvision.data.files import FileSplit, read_all
from rnnvision.data.images import View
from rnnvision.data.shard_writer import make_shards
from rnnvision.data.streaming import RandomResizedCrop
from tests.data.layouts import WRITERS, read

IMAGE_FILES = ("csv", "gtsrb", "eurosat", "imagenette", "flowers102", "oxford_pets", "imagenet", "image_folder")
OPTIONS = {"image_size", "crop_ratio", "fit", "channels", "max_pixels", "first_frame", "reduced_scale", "used_bits"}


def places(height: int, width: int) -> Tensor:
    """An image whose first two channels are each pixel's row and column."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([y, x, torch.full_like(x, 255)]).byte()


# A part of an image ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(8, 8), (8, 12), (12, 8), (1, 7)])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (40, 60), (60, 40), (41, 200), (3, 5), (1, 1)])
def test_the_centre_of_this_shape_is_seen(height: int, width: int, size: tuple[int, int]) -> None:
    """Of all boxes of this shape inside the image the largest, to a pixel, as torchvision crops and resizes it."""
    image = places(height, width)
    rows = max(1, round(min(height, width * size[0] / size[1])))
    columns = max(1, round(min(width, height * size[1] / size[0])))
    expected = F.resize(F.center_crop(image, [rows, columns]), list(size), antialias=True)
    assert torch.equal(View(image_size=size).of(image), expected)


@pytest.mark.parametrize("side", [8, 12, 33])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (40, 60), (61, 40), (7, 9)])
@pytest.mark.parametrize("ratio", [1.0, 0.875, 0.5])
def test_a_square_is_the_centre_of_the_shorter_side(height: int, width: int, side: int, ratio: float) -> None:
    image = places(height, width)
    span = max(1, round(ratio * min(height, width)))
    expected = F.resized_crop(
        image, round((height - span) / 2), round((width - span) / 2), span, span, [side, side], antialias=True
    )
    for image_size in (side, (side, side)):
        assert torch.equal(View(image_size=image_size, crop_ratio=ratio).of(image), expected)


@pytest.mark.parametrize("size", [(8, 8), (8, 12), (12, 8), (5, 50)])
@pytest.mark.parametrize(("height", "width"), [(40, 40), (40, 60), (60, 40), (4, 200), (3, 5), (200, 1)])
def test_a_letterbox_shows_the_whole_image_between_black_bars(height: int, width: int, size: tuple[int, int]) -> None:
    image = places(height, width)
    seen = View(image_size=size, fit="letterbox").of(image)
    assert seen.shape == (3, *size)
    inside = seen[2] == 255
    rows, columns = (int(inside.any(dim=1 - axis).sum()) for axis in (0, 1))
    assert int(inside.sum()) == rows * columns
    assert seen[:, ~inside].sum() == 0
    assert rows == size[0] or columns == size[1]
    scale = min(size[0] / height, size[1] / width)
    assert abs(rows - max(1, height * scale)) <= 0.5
    assert abs(columns - max(1, width * scale)) <= 0.5
    top, left = (int(inside.any(dim=1 - axis).byte().argmax()) for axis in (0, 1))
    assert (top, left) == ((size[0] - rows) // 2, (size[1] - columns) // 2)
    shown = seen[:, top : top + rows, left : left + columns]
    assert torch.equal(shown, F.resize(image, [rows, columns], antialias=True))


@pytest.mark.parametrize("size", [(20, 20), (20, 40), (40, 16)])
def test_a_random_part_is_not_stretched_beyond_3_to_4(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    boxes = [RandomResizedCrop(size, 0.1).part(200, 200)[0] for _ in range(200)]
    stretches = np.array([(width / size[1]) / (height / size[0]) for _, _, height, width in boxes])
    assert 0.72 <= stretches.min() < 0.8  # sides are whole pixels
    assert 1.25 < stretches.max() <= 1.38


# Options --------------------------------------------------------------------------------------------------------------


def test_every_data_set_of_image_files_has_the_options_of_a_view() -> None:
    with_options = {
        name
        for name, facts in CATALOG.items()
        if {key for key, p in inspect.signature(facts.read).parameters.items() if p.kind is p.KEYWORD_ONLY}.issuperset(
            OPTIONS
        )
    }
    assert with_options == set(IMAGE_FILES)


@pytest.mark.parametrize("name", [name for name in IMAGE_FILES if name in WRITERS])
def test_a_data_set_of_image_files_is_read_as_its_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    WRITERS[name](tmp_path / "root", monkeypatch)
    splits = read(name, tmp_path / "root", image_size=[6, 9], fit="letterbox", crop_ratio=1.0, channels=1)
    for part in (splits.train, splits.val, splits.test):
        if part is not None:
            assert isinstance(part, FileSplit)
            assert part.seen(0).shape == part.image_shape == (1, 6, 9)
    refusing = read(name, tmp_path / "root", max_pixels=95).train  # they have 96
    assert isinstance(refusing, FileSplit)
    assert len(read_all(refusing)[1]) == len(refusing)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": [64]}, r"image_size=\[64\]: must be a side, or \[height, width\], whole numbers of at least 1"),
        ({"image_size": [64, 0]}, r"image_size=\[64, 0\]: must be a side"),
        ({"image_size": [1, 2, 3]}, r"image_size=\[1, 2, 3\]: must be a side"),
        ({"image_size": [64, 2.5]}, r"image_size=\[64, 2.5\]: must be a side"),
        ({"image_size": 0}, "image_size=0: must be a whole number of at least 1"),
        ({"image_size": "64"}, "image_size=64: must be a whole number"),
        ({"crop_ratio": 0.0}, "crop_ratio=0.0: must be a number above 0 and at most 1"),
        ({"crop_ratio": float("nan")}, "crop_ratio=nan: must be a number above 0"),
        ({"crop_ratio": "all"}, "crop_ratio=all: must be a number above 0"),
        ({"fit": "leterbox"}, "fit=leterbox: choose one of crop, letterbox; did you mean letterbox?"),
        ({"fit": "letterbox", "crop_ratio": 0.5}, "crop_ratio=0.5: fit=letterbox shows the whole image; add data.crop"),
        ({"channels": 4}, "channels=4: choose one of 1, 3"),
        ({"max_pixels": 0}, "max_pixels=0: must be a whole number of at least 1"),
        ({"first_frame": 1}, "first_frame=1: must be true or false"),
        ({"reduced_scale": "yes"}, "reduced_scale=yes: must be true or false"),
        ({"used_bits": 7}, "used_bits=7: must be a whole number from 8 to 16"),
    ],
)
def test_an_option_out_of_range_is_told(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message.replace('?', '[?]')}"):
        View(**options)
    with pytest.raises(ValueError, match=f"^{message.replace('?', '[?]')}"):  # before the folder is looked for
        ImageData("image_folder", root=str(tmp_path / "nowhere"), **options).setup()


# Images that are not square, through every way of serving ------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name in ("ant", "bee"):
        (folder / name).mkdir()
        for i in range(10):
            pixels = generator.integers(0, 256, (30 + i, 50 - 3 * i, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.{'jpg' if i % 2 else 'png'}")
    return folder


def batches(data: ImageData) -> list[tuple[Tensor, Tensor]]:
    found = [batch for part in ("train", "val", "test") for batch in getattr(data, f"{part}_dataloader")()]
    data.teardown()
    return found


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(shift=1, rotate=9.0, flip=0.5, erase=0.5)])
def test_every_way_of_serving_gives_the_same_images_that_are_not_square(
    root: Path, tmp_path: Path, fit: str, augmentation: Augmentation
) -> None:
    facts = CATALOG["image_folder"]
    make_shards("image_folder", facts.read(facts.class_names, str(root)), root, tmp_path / "shards", 1.0)
    options: dict[str, Any] = {"image_size": [8, 12], "fit": fit, "mean": [0.5], "std": [0.2, 0.25, 0.3]}
    options |= {"batch_size": 5, "eval_batch_size": 3, "num_workers": 0, "val_fraction": 0.25, "seed": 1}

    def served(**where: str) -> list[tuple[Tensor, Tensor]]:
        return batches(ImageData("image_folder", augmentation=augmentation, **options, **where))

    resident = served(root=str(root), format="resident")
    assert {images.shape[1:] for images, _ in resident} == {(3, 8, 12)}
    for where in ({"root": str(root), "format": "streaming"}, {"root": str(tmp_path / "shards"), "format": "shards"}):
        for (images, labels), (others, other_labels) in zip(resident, served(**where), strict=True):
            assert torch.equal(images, others)
            assert torch.equal(labels, other_labels)


@pytest.mark.parametrize("policy", [None, "randaugment"])
def test_random_parts_have_the_shape_too(root: Path, policy: str | None) -> None:
    augmentation = Augmentation(crop=0.3, policy=policy)
    data = ImageData("image_folder", root=str(root), image_size=[8, 12], augmentation=augmentation, num_workers=0)
    assert {images.shape[1:] for images, _ in batches(data)} == {(3, 8, 12)}


def test_a_description_makes_the_same_images_again(root: Path) -> None:
    options: dict[str, Any] = {"image_size": [8, 12], "fit": "letterbox", "mean": [0.4], "std": [0.2, 0.25, 0.3]}
    data = ImageData("image_folder", root=str(root), channels=3, max_pixels=5000, **options)
    again = ImageData(**data.describe())
    assert again.normalisation == data.normalisation == {"mean": [0.4] * 3, "std": [0.2, 0.25, 0.3]}
    for (images, _), (others, _) in zip(data.test_dataloader(), again.test_dataloader(), strict=True):
        assert torch.equal(images, others)


def test_a_description_of_an_earlier_version_is_read(root: Path) -> None:
    """It has a whole number, and none of the later options."""
    described = {"name": "image_folder", "root": str(root), "eval_batch_size": 1000, "val_fraction": 0.1}
    described |= {"split_seed": 0, "on_bad_file": "stop", "image_size": 8, "channels": 3, "crop_ratio": 1.0}
    data = ImageData(**described, test_fraction=0.2)
    assert data.input_shape == (3, 8, 8)
    assert data.normalisation["mean"] == list(CATALOG["image_folder"].mean)
