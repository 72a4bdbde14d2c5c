"""ImageNet's layout: train/<wnid> and val/<wnid>, its classes in words, its val/ as the test split."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from rnnvision.data import DataError, ImageData, Splits
from rnnvision.data.sets.folders import read_imagenet, wnid_names
from rnnvision.data.sets.locate import ENVIRONMENT_VARIABLE

# Of the synset list of ILSVRC2012, by its order.
KNOWN = {0: ("n01440764", "tench"), 207: ("n02099601", "golden retriever"), 999: ("n15075141", "toilet tissue")}
TWO_SENSES = {"n02012849": "crane bird", "n03126707": "crane"}


def draw(root: Path, classes: Iterable[str], train: int = 3, val: int = 2) -> Path:
    for name in classes:
        for part, count in (("train", train), ("val", val)):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (12, 10)).save(root / part / name / f"{name}_{i}.JPEG")
    return root


def read(root: Path) -> Splits:
    return read_imagenet((), str(root), image_size=8)


def test_the_thousand_ids_have_a_name_each() -> None:
    names = wnid_names()
    assert len(names) == len(set(names.values())) == 1000
    assert list(names) == sorted(names)
    for place, (wnid, words) in KNOWN.items():
        assert list(names.items())[place] == (wnid, words)
    assert {wnid: names[wnid] for wnid in TWO_SENSES} == TWO_SENSES


def test_some_of_the_classes_are_named_in_words(tmp_path: Path) -> None:
    splits = read(draw(tmp_path, ["n02099601", "n03126707", "my_dog", "n01440764", "n99999999"]))
    assert splits.class_names == ("my_dog", "tench", "golden retriever", "crane", "n99999999")
    assert (len(splits.train), splits.val, len(splits.test)) == (15, None, 10)
    assert splits.root == str(tmp_path)


def test_val_is_the_test_split_and_ours_is_cut_from_train(tmp_path: Path) -> None:
    draw(tmp_path, ["n01440764", "n02099601"], train=10)
    data = ImageData("imagenet", root=str(tmp_path), image_size=8, val_fraction=0.2)
    assert (len(data.splits.train), len(data.val_split), len(data.splits.test)) == (16, 4, 4)
    assert data.class_names == ("tench", "golden retriever")
    assert data.input_shape == (3, 8, 8)


def test_the_images_without_labels_of_a_test_folder_are_no_split(tmp_path: Path) -> None:
    """As the archive of the challenge unpacks."""
    draw(tmp_path, ["n01440764", "n02099601"])
    (tmp_path / "test").mkdir()
    Image.new("RGB", (12, 10)).save(tmp_path / "test" / "ILSVRC2012_test_00000001.JPEG")
    splits = read(tmp_path)
    assert (len(splits.train), splits.val, len(splits.test)) == (6, None, 4)


@pytest.mark.parametrize("folder", ["", "imagenet", "ImageNet"])
def test_it_is_found_under_the_root_and_by_the_environment(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / folder, ["n01440764", "n02099601"])
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, str(tmp_path))
    for root in (str(tmp_path), None):
        assert read_imagenet((), root, image_size=8).origin == str(tmp_path / folder)


@pytest.mark.parametrize("parts", [[], ["train"], ["val"], ["train", "validation"]])
def test_a_missing_folder_is_told_with_what_it_has_to_hold(tmp_path: Path, parts: list[str]) -> None:
    for part in parts:
        (tmp_path / part / "n01440764").mkdir(parents=True)
    with pytest.raises(DataError) as error:
        read(tmp_path)
    message = str(error.value)
    assert message.startswith(f"imagenet is not in {tmp_path}: ")
    assert "set data.root to the folder that holds train/ and val/" in message
    assert "\n" not in message


def test_a_val_folder_without_classes_is_named(tmp_path: Path) -> None:
    draw(tmp_path, ["n01440764", "n02099601"], val=0)
    for name in ("n01440764", "n02099601"):
        (tmp_path / "val" / name).rmdir()
    Image.new("RGB", (12, 10)).save(tmp_path / "val" / "ILSVRC2012_val_00000001.JPEG")
    with pytest.raises(DataError, match=f"^{tmp_path / 'val'}: "):
        read(tmp_path)


def test_a_folder_like_a_split_beside_train_and_val_is_told(tmp_path: Path) -> None:
    draw(tmp_path, ["n01440764", "n02099601"])
    (tmp_path / "validation").mkdir()
    assert read(tmp_path).notes == ("left out: validation/",)


@pytest.mark.parametrize(("option", "value"), [("image_size", 0), ("crop_ratio", 0.0), ("crop_ratio", 2.0)])
def test_an_option_out_of_range_is_told(tmp_path: Path, option: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{option}={value}: "):
        ImageData("imagenet", root=str(tmp_path), **{option: value}).setup()
