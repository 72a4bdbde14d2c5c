"""JPEGs decoded at reduced scale: the same part of the image, alike wherever images are read for a network."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rnnvision.data import CATALOG, Augmentation, DataError, ImageData
from rnnvision.data.images import View, decoding, open_image, open_many, open_seen
from rnnvision.data.images.orientation import JpegHeader
from rnnvision.data.images.reduced import divisor_of, upright
from rnnvision.data.shard_writer import make_shards


def blurred(height: int, width: int, seed: int = 0) -> Image.Image:
    """Random blots, without symmetry, so that a part that is displaced by some pixels differs."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, (max(2, height // 40), max(2, width // 40), 3), dtype=np.uint8
    )
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def saved(path: Path, image: Image.Image, orientation: int = 1, **options: Any) -> Path:
    exif = Image.Exif()
    exif[0x112] = orientation
    image.save(path, "JPEG", **({"quality": 92} | options), exif=exif)
    return path


def both(path: Path, view: View) -> tuple[Tensor, Tensor]:
    """What is seen of the whole image, and at reduced scale."""
    assert not view.reduced_scale
    return open_seen(path, view), open_seen(path, replace(view, reduced_scale=True))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By what the sides of each JPEG were divided that was decoded at reduced scale."""
    divisors: list[int] = []
    real = decoding.decode_reduced
    monkeypatch.setattr(decoding, "decode_reduced", lambda *given: divisors.append(given[-1]) or real(*given))
    return divisors


# The pixels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "options", "divisor"),
    [
        (512, 768, {"image_size": 32}, 8),
        (511, 768, {"image_size": 32}, 4),  # 63.9 pixels would be left, less than twice 32
        (768, 256, {"image_size": 32}, 4),
        (255, 127, {"image_size": 32}, 1),
        (128, 4000, {"image_size": 32}, 2),
        (512, 768, {"image_size": 32, "crop_ratio": 0.875}, 4),
        (512, 768, {"image_size": [16, 32]}, 8),
        (512, 768, {"image_size": 48, "fit": "letterbox"}, 8),
        (512, 768, {"image_size": 49, "fit": "letterbox"}, 4),
    ],
)
def test_at_least_twice_what_is_shown_is_decoded(
    height: int, width: int, options: dict[str, Any], divisor: int
) -> None:
    view = View(**options)
    assert divisor_of(view.part(*upright(JpegHeader(8, height, width, 3, 1)))) == divisor
    assert divisor_of(view.part(*upright(JpegHeader(8, width, height, 3, 6)))) == divisor  # turned by a quarter


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("options", "divisor"),
    [
        ({"image_size": 12}, 8),
        ({"image_size": 25}, 4),
        ({"image_size": 45, "crop_ratio": 0.875}, 2),
        ({"image_size": [7, 13]}, 8),
        ({"image_size": [20, 30], "fit": "letterbox"}, 4),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_same_part_is_seen(
    tmp_path: Path, decoded: list[int], orientation: int, options: dict[str, Any], divisor: int, channels: int
) -> None:
    """Sides that no divisor divides, and every way that a camera may be held; displaced by half a pixel it fails."""
    path = saved(tmp_path / "a.jpg", blurred(213, 301), orientation)
    whole, seen = both(path, View(channels=channels, **options))
    assert decoded == [divisor]
    assert (seen.dtype, seen.shape) == (torch.uint8, whole.shape)
    assert (whole.int() - seen).abs().float().mean() < 1
    assert (whole.int() - seen).abs().max() <= 12


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}])
def test_every_kind_of_jpeg_is_reduced(tmp_path: Path, decoded: list[int], mode: str, kind: dict[str, Any]) -> None:
    path = saved(tmp_path / "a.jpg", blurred(256, 256).convert(mode), **kind)
    for channels in (1, 3):
        whole, seen = both(path, View(image_size=16, channels=channels))
        assert (whole.int() - seen).abs().float().mean() < 1
    assert decoded == [8, 8]


def test_what_is_no_plain_jpeg_is_read_whole(tmp_path: Path, decoded: list[int]) -> None:
    blurred(256, 256).save(tmp_path / "a.png")
    blurred(256, 256).convert("CMYK").save(tmp_path / "cmyk.jpg")
    saved(tmp_path / "small.jpg", blurred(31, 31))
    for name in ("a.png", "cmyk.jpg", "small.jpg"):
        assert torch.equal(*both(tmp_path / name, View(image_size=16, convert=True)))
    assert decoded == []


def test_a_large_jpeg_that_is_cut_short_or_too_large_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", blurred(256, 256))
    view = View(image_size=16, reduced_scale=True)
    with pytest.raises(DataError, match=r"256 x 256 pixels, more than data.max_pixels=65535 allows"):
        open_seen(path, replace(view, max_pixels=65535))
    content = path.read_bytes()
    for length in (len(content) // 4, len(content) // 2, len(content) - 200):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="cannot be read as an image"):
            open_seen(path, view)


# Alike everywhere -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for place, name in enumerate(("ant", "bee")):
        (folder / name).mkdir()
        for i in range(10):
            saved(folder / name / f"{i}.jpg", blurred(90 + i, 120 - 3 * i, seed=10 * place + i), orientation=1 + i % 8)
    return folder


def served(root: Path, parts: tuple[str, ...] = ("train", "val", "test"), **options: Any) -> Tensor:
    """The images of a data module as uint8 (N, C, H, W), those of train in the order of an epoch."""
    options = {"image_size": 8, "num_workers": 0, "seed": 1, "val_fraction": 0.3, "reduced_scale": True} | options
    data = ImageData("image_folder", root=str(root), mean=[0.0], std=[1.0], **options)
    found = [images for part in parts for images, _ in getattr(data, f"{part}_dataloader")()]
    data.teardown()
    return (255 * torch.cat(found)).round().byte()


def test_every_way_of_reading_reduces_alike(root: Path, tmp_path: Path, decoded: list[int]) -> None:
    facts = CATALOG["image_folder"]
    make_shards("image_folder", facts.read(facts.class_names, str(root)), root, tmp_path / "shards", 1.0)
    resident = served(root, format="resident")
    assert decoded == [4] * 20
    assert torch.equal(resident, served(root, format="streaming"))
    assert torch.equal(resident, served(tmp_path / "shards", format="shards"))
    assert not torch.equal(resident, served(root, format="resident", reduced_scale=False))
    opened = list(open_many(root.rglob("*.jpg"), View(image_size=8, reduced_scale=True)))
    assert {bytes(image.numpy()) for image in resident} == {bytes(torch.as_tensor(image).numpy()) for image in opened}


@pytest.mark.parametrize("format", ["streaming", "shards"])
@pytest.mark.parametrize("smallest", [0.3, 1.0])
def test_random_parts_are_the_same_at_reduced_scale(
    root: Path, tmp_path: Path, decoded: list[int], format: str, smallest: float
) -> None:
    """Each is drawn by the size of the whole image, and decoded by its own."""
    if format == "shards":
        facts = CATALOG["image_folder"]
        make_shards("image_folder", facts.read(facts.class_names, str(root)), root, tmp_path / "shards", 1.0)
    where = tmp_path / "shards" if format == "shards" else root
    augmentation = Augmentation(crop=smallest)
    reduced, whole = (
        served(where, ("train",), format=format, augmentation=augmentation, reduced_scale=choice)
        for choice in (True, False)
    )
    assert set(decoded) == ({2, 4} if smallest < 1 else {4})  # of 90 x 120 for 8 x 8
    assert not torch.equal(reduced, whole)
    assert (reduced.int() - whole).abs().float().mean() < 1.5
    assert (reduced.int() - whole).abs().float().mean(dim=(1, 2, 3)).max() < 5  # none is displaced


def test_a_policy_sees_images_of_reduced_scale(root: Path, decoded: list[int]) -> None:
    served(root, ("train",), augmentation=Augmentation(policy="randaugment"))
    assert set(decoded) == {4}


def test_unless_it_is_chosen_images_are_read_whole(root: Path, decoded: list[int]) -> None:
    """As by the networks that were trained before there was a choice."""
    path = root / "ant" / "0.jpg"
    assert torch.equal(open_seen(path, View(image_size=8)), View(image_size=8).of(open_image(path, View())))
    described = ImageData("image_folder", root=str(root), image_size=8).describe()
    assert "reduced_scale" not in described
    list(ImageData(**described).test_dataloader())
    assert decoded == []


def test_the_whole_image_can_be_asked_for(root: Path) -> None:
    content = (root / "ant" / "0.jpg").read_bytes()
    assert decoding.decode(io.BytesIO(content), "a", View(image_size=8, reduced_scale=True)).shape == (3, 90, 120)
