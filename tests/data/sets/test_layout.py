"""Folders as people have them: what is a split and what a class, and that whatever is left out is said."""

import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from rnnvision.data import DataError, ImageData, Splits
from rnnvision.data.sets.folders import read_image_folder
from rnnvision.data.sets.layout import split_named


def draw(folder: Path, *names: str, count: int = 4) -> None:
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new("RGB", (4, 4), (i, len(name), 0)).save(folder / name / f"{i}.png")


def read(root: Path) -> Splits:
    return read_image_folder((), str(root), image_size=4)


def size(splits: Splits) -> int:
    return sum(map(len, splits.parts().values()))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"), ("Training_Set", "train"), ("trainImages", "train"), ("seg-train", "train"),
        ("valid", "val"), ("dev", "val"), ("validation data", "val"), ("TEST", "test"), ("test2017", "test"),
        ("train_猫", None),
        ("train_station", None), ("contest", None), ("device", None), ("train_test", None), ("cats", None),
    ],
)  # fmt: skip
def test_a_split_is_known_by_its_name(name: str, part: str | None) -> None:
    assert split_named(name) == part


@pytest.mark.parametrize("names", [("car", "train"), ("test", "train"), ("dev", "val", "test")])
def test_classes_with_the_name_of_a_split_are_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    draw(tmp_path, *names)
    splits = read(tmp_path)
    assert (splits.class_names, size(splits), splits.notes) == (tuple(sorted(names)), 4 * len(names), ())


def test_a_class_named_train_within_the_splits(tmp_path: Path) -> None:
    for part in ("train", "test"):
        draw(tmp_path / part, "car", "train")
    splits = read(tmp_path)
    assert (splits.class_names, len(splits.train), len(splits.test)) == (("car", "train"), 8, 8)


def test_two_folders_for_one_split_and_a_split_beside_classes_are_refused(tmp_path: Path) -> None:
    for folder in ("train", "training"):
        draw(tmp_path / "two" / folder, "a", "b")
    with pytest.raises(DataError, match=r"two: train/, training/ could each be the train split"):
        read(tmp_path / "two")
    draw(tmp_path / "mixed", "a", "b")
    draw(tmp_path / "mixed" / "test", "a", "b")
    with pytest.raises(DataError, match=r"test/ beside a/, b/ can be read in two ways; move the classes into train/"):
        read(tmp_path / "mixed")


def test_a_folder_around_the_folder_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "archive" / "PetImages", "Cat", "Dog")
    with pytest.raises(DataError, match=r"holds no classes itself; did you mean data.root=.*PetImages\?$"):
        read(tmp_path / "archive")


def test_a_lone_test_folder_is_nothing_to_learn_from(tmp_path: Path) -> None:
    draw(tmp_path / "test", "a", "b")
    with pytest.raises(DataError, match="holds test, and no train/ to learn from"):
        read(tmp_path)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    for part in ("train", "val"):
        draw(tmp_path / part, "a", "b")
    draw(tmp_path, "unlabelled", "test")
    draw(tmp_path / "train" / "..", "train")  # images in train/ itself
    (tmp_path / "train" / "New folder").mkdir()
    (tmp_path / "train" / "a" / "notes.txt").write_text("notes")
    for litter in ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png"):
        (tmp_path / "train" / "a" / litter).write_text("litter")
    (tmp_path / "__MACOSX").mkdir()
    splits = read(tmp_path)
    assert (splits.class_names, size(splits)) == (("a", "b"), 16)
    (note,) = splits.notes
    for part in (
        "unlabelled/, no split by its name",
        "test/, which holds no folders of classes",
        "4 images in train/ itself",
        "train/New folder/, which is empty",
        "1 file without the name of an image (1 .txt)",
    ):
        assert part in note


@pytest.mark.parametrize("kind", ["parent", "each other", "itself"])
def test_links_in_a_circle_end_and_are_told(tmp_path: Path, kind: str) -> None:
    draw(tmp_path, "a", "b")
    if kind == "parent":
        (tmp_path / "a" / "up").symlink_to(tmp_path)
    elif kind == "each other":
        (tmp_path / "a" / "other").symlink_to(tmp_path / "b")
        (tmp_path / "b" / "other").symlink_to(tmp_path / "a")
    else:
        (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    splits = read(tmp_path)
    # Each class holds its own images, and once those of the class that a link leads to.
    assert size(splits) == {"parent": 12, "each other": 16, "itself": 8}[kind]
    assert "a link in a circle" in splits.notes[0] or kind == "itself"


def test_a_link_to_images_elsewhere_is_followed(tmp_path: Path) -> None:
    draw(tmp_path / "store", "a", "b")
    (tmp_path / "links").mkdir()
    for name in ("a", "b"):
        (tmp_path / "links" / name).symlink_to(tmp_path / "store" / name)
    assert size(read(tmp_path / "links")) == 8


def test_names_are_compared_in_one_unicode_form(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Äpfel") for form in ("NFC", "NFD"))
    draw(tmp_path / "train", composed, "b")
    draw(tmp_path / "test", apart, "b")
    splits = read(tmp_path)
    assert splits.class_names == ("b", composed)
    assert len(splits.test) == 8


def test_a_name_that_is_no_utf_8_can_be_kept_and_printed(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    Path(os.fsdecode(folder)).mkdir()
    Image.new("RGB", (4, 4)).save(os.fsdecode(folder + b"/\xff.png"))
    draw(tmp_path, "b")
    data = ImageData("image_folder", root=str(tmp_path), image_size=4)
    assert data.class_names == ("b", r"caf\xe9")
    data.summary().encode()
    str(data.describe()).encode()


def test_splits_within_the_classes_are_refused_and_classes_within_something_else_are_asked_about(
    tmp_path: Path,
) -> None:
    for name in ("cat", "dog"):
        draw(tmp_path / "inside" / name, "train", "test")
        draw(tmp_path / "folds" / f"fold{len(name + name) if name == 'cat' else 1}", "cat", "dog")
    with pytest.raises(
        DataError, match="each of its folders holds test/ and train/; put the splits on top, as test/cat/"
    ):
        read(tmp_path / "inside")
    (note,) = read(tmp_path / "folds").notes
    assert "each class holds the same folders (cat, dog); are these the classes?" in note


def test_a_folder_of_other_things_beside_the_classes_is_told_with_what_may_be_meant(tmp_path: Path) -> None:
    draw(tmp_path / "images", "a", "b")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "list.txt").write_text("a b")
    with pytest.raises(DataError, match=r"annotations: holds no image .*; did you mean data\.root=.*/images\?"):
        read(tmp_path)
    draw(tmp_path / "flat", "a", "b")
    (tmp_path / "flat" / "notes").mkdir()
    (tmp_path / "flat" / "notes" / "list.txt").write_text("a b")
    with pytest.raises(DataError, match=r"notes: holds no image .*; if it is no class, move it out of the folder"):
        read(tmp_path / "flat")
