"""A user's own pictures: the layouts, the order of the classes, the size, and each mistake with the folder named."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import DataError, ImageData, Split, Splits
from rnnvision.data.files import FileSplit, read_all
from rnnvision.data.sets.folders import read_image_folder
from rnnvision.data.splits import Samples

COLOURS = {"ant": (255, 0, 0), "bee": (0, 255, 0), "cat": (0, 0, 255)}


def draw(folder: Path, classes: Iterable[str] = COLOURS, count: int = 5, size: tuple[int, int] = (12, 10)) -> None:
    """`count` pictures a class, each of the class's colour."""
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new("RGB", size, COLOURS.get(name, (9, 9, 9))).save(folder / name / f"{i}.png")


def read(root: Path, **options: float) -> Splits:
    return read_image_folder((), str(root), **{"image_size": 8, **options})


def pictures(split: Samples | None) -> Split:
    """The images of a split of files, in memory."""
    assert isinstance(split, FileSplit)
    kept, bad = read_all(split)
    assert bad == []
    return kept


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as error:
        read(root)
    assert "\n" not in str(error.value)
    return str(error.value)


LAYOUTS = {  # folders with the images of a class in each -> train, val, test of three classes; None: a part is cut off
    "classes": ({"": 5}, None),
    "train": ({"train": 5}, None),
    "train+val": ({"train": 4, "val": 2}, (12, None, 6)),
    "train+test": ({"train": 4, "test": 3}, (12, None, 9)),
    "train+val+test": ({"train": 4, "val": 2, "test": 1}, (12, 6, 3)),
    "training_set+test_set": ({"training_set": 4, "test_set": 3}, (12, None, 9)),
    "Training+Validation+Testing": ({"Training": 4, "Validation": 2, "Testing": 1}, (12, 6, 3)),
    "train+dev": ({"train": 4, "dev": 2}, (12, None, 6)),
    "TrainSet+test-images": ({"TrainSet": 4, "test-images": 2}, (12, None, 6)),
    "seg_train/seg_train": ({"seg_train/seg_train": 4, "seg_test/seg_test": 2}, (12, None, 6)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_gives_its_splits(tmp_path: Path, layout: str) -> None:
    folders, sizes = LAYOUTS[layout]
    for folder, count in folders.items():
        draw(tmp_path / folder, count=count)
    splits = read(tmp_path)
    found = (len(splits.train), splits.val and len(splits.val), len(splits.test))
    assert found == sizes if sizes else len(splits.train) + len(splits.test) == 15
    assert splits.notes == ()
    assert splits.class_names == ("ant", "bee", "cat")
    assert splits.origin == str(tmp_path)
    for split in map(pictures, (splits.train, splits.test, splits.val or splits.train)):
        assert (split.images.dtype, split.labels.dtype) == (torch.uint8, torch.int64)
        assert split.images.shape == (len(split), 3, 8, 8)
        assert torch.equal(split.images.float().mean(dim=(2, 3)).argmax(dim=1), split.labels)


def test_a_folder_of_classes_is_always_cut_alike(tmp_path: Path) -> None:
    draw(tmp_path, count=10)
    one = read(tmp_path)
    torch.manual_seed(1)
    again = read(tmp_path)
    assert isinstance(one.test, FileSplit)
    assert isinstance(again.test, FileSplit)
    assert one.test.files.tolist() == again.test.files.tolist()
    assert isinstance(one.train, FileSplit)
    assert not set(one.test.files.tolist()) & set(one.train.files.tolist())


def test_the_share_of_the_test_split_is_near_what_is_asked_for(tmp_path: Path) -> None:
    draw(tmp_path, count=300, size=(1, 1))
    assert len(read(tmp_path).test) == pytest.approx(180, abs=40)  # 3.3 standard deviations
    assert len(read(tmp_path, test_fraction=0.5).test) == pytest.approx(450, abs=50)


def test_folders_with_a_point_and_files_of_other_kinds_are_passed_over(tmp_path: Path) -> None:
    draw(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.txt").write_text("notes")
    (tmp_path / "ant" / "notes.txt").write_text("notes")
    deep = tmp_path / "bee" / "deep"
    deep.mkdir()
    Image.new("RGB", (4, 4), COLOURS["bee"]).save(deep / "UPPER.PNG")
    splits = read(tmp_path)
    assert splits.class_names == ("ant", "bee", "cat")
    assert len(splits.train) + len(splits.test) == 16


@pytest.mark.parametrize("size", [(30, 10), (10, 30), (60, 20)])
def test_the_middle_square_is_kept(tmp_path: Path, size: tuple[int, int]) -> None:
    draw(tmp_path)
    width, height = size
    third = Image.new("RGB", (min(size), min(size)), (0, 255, 0))
    for name in ("ant", "cat"):
        for path in (tmp_path / name).iterdir():
            image = Image.new("RGB", size, (255, 0, 0))
            image.paste(third, ((width - min(size)) // 2, (height - min(size)) // 2))
            image.save(path)
    splits = read(tmp_path, image_size=10)
    train = pictures(splits.train)
    middle = train.images[train.labels == 0]
    assert middle.shape[1:] == (3, 10, 10)
    green = torch.tensor([0, 255, 0], dtype=torch.uint8).reshape(3, 1, 1)
    assert (middle[:, :, 2:8, 2:8] == green).all()


@pytest.mark.parametrize(("options", "shape"), [({"channels": 1}, (1, 8, 8)), ({"image_size": 5}, (3, 5, 5))])
def test_options_set_the_shape(tmp_path: Path, options: dict[str, int], shape: tuple[int, ...]) -> None:
    draw(tmp_path)
    assert pictures(read(tmp_path, **options).train).images.shape[1:] == shape
    data = ImageData("image_folder", root=str(tmp_path), **{"image_size": 8, **options})
    assert data.input_shape == shape
    assert len(data.normalisation["mean"]) == shape[0]


# Mistakes -------------------------------------------------------------------------------------------------------------


def test_no_root_and_a_missing_root_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^root=null: image_folder needs data\.root=FOLDER"):
        read_image_folder((), None)
    assert (
        refusal(tmp_path / "nowhere")
        == f"data.root={tmp_path / 'nowhere'}: there is no such folder; give data.root=FOLDER"
    )


@pytest.mark.parametrize("classes", [[], ["ant"]])
def test_one_class_is_too_few(tmp_path: Path, classes: list[str]) -> None:
    draw(tmp_path, classes)
    folders = f"{len(classes)} class folder{'' if classes else 's'}"
    assert refusal(tmp_path) == f"{tmp_path}: holds {folders}; a classifier needs two or more, as CLASS/*.jpg"


def test_a_class_with_files_but_no_image_is_named(tmp_path: Path) -> None:
    draw(tmp_path / "train")
    for path in (tmp_path / "train" / "bee").iterdir():
        path.rename(path.with_suffix(".heic"))
    message = refusal(tmp_path)
    assert message.startswith(f"{tmp_path / 'train' / 'bee'}: holds no image (.png,")
    assert "but 5 files without the name of an image (5 .heic)" in message


@pytest.mark.parametrize("depth", ["outer", "outer/inner", "a/b/c"])
def test_classes_further_below_are_what_was_meant(tmp_path: Path, depth: str) -> None:
    draw(tmp_path / depth)
    assert refusal(tmp_path).endswith(f"did you mean data.root={tmp_path / depth}?")


def test_images_in_no_class_folder_are_counted(tmp_path: Path) -> None:
    draw(tmp_path / "..", [tmp_path.name])
    assert refusal(tmp_path).endswith("as CLASS/*.jpg; 5 images in it lie in no class folder")


def test_of_a_file_the_folder_is_told(tmp_path: Path) -> None:
    image, other = tmp_path / "ant" / "0.png", tmp_path / "labels.sh"
    image.parent.mkdir()
    for path in (image, other):
        path.touch()
        assert refusal(path).endswith(f"is a file; give the folder of the classes, data.root={tmp_path}")


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_a_split_lacks_is_told(tmp_path: Path, part: str) -> None:
    for name in ("train", "val", "test"):
        draw(tmp_path / name, [c for c in COLOURS if (name, c) != (part, "bee")])
    data = ImageData("image_folder", root=str(tmp_path), image_size=8)
    assert data.class_lines()[1:] == [f"{part} has no image of bee"]
    assert data.class_lines()[0] == "ant: 5, bee: 5, cat: 5 in train"


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_train_lacks_is_named(tmp_path: Path, part: str) -> None:
    draw(tmp_path / "train")
    draw(tmp_path / part, [*COLOURS, "dog"])
    assert refusal(tmp_path) == f"{tmp_path / part}: holds classes that train lacks: dog; it has ant, bee, cat"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("channels", 2),
        ("channels", 0),
        ("image_size", 0),
        ("test_fraction", 0.0),
        ("test_fraction", 1.0),
        ("crop_ratio", 0.0),
        ("crop_ratio", 1.1),
    ],
)
def test_an_option_out_of_range_is_told(tmp_path: Path, option: str, value: float) -> None:
    draw(tmp_path)
    with pytest.raises(ValueError, match=f"^{option}={value}"):
        ImageData("image_folder", root=str(tmp_path), **{option: value}).setup()


def test_max_train_samples_keeps_some_of_every_class(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        draw(tmp_path / part, count=20 if part == "train" else 2)
    data = ImageData("image_folder", root=str(tmp_path), image_size=8, max_train_samples=20)
    assert len(data.splits.train) == 20
    assert sorted(set(data.splits.train.labels.tolist())) == [0, 1, 2]


def test_what_other_programs_leave_behind_is_no_image(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / ".cache").mkdir(parents=True)
        for place in (f"{name}/0.png", f"{name}/._0.png", f"{name}/.cache/1.png"):
            Image.new("RGB", (4, 4)).save(tmp_path / place)
    (tmp_path / "__MACOSX").mkdir()
    splits = read_image_folder((), str(tmp_path), image_size=4, test_fraction=0.5)
    assert splits.class_names == ("a", "b")
    assert len(splits.train) + len(splits.test) == 2


@pytest.mark.parametrize(("ratio", "side"), [(1.0, 16), (0.5, 8), (0.25, 4)])
def test_crop_ratio_is_the_share_of_the_shorter_side_that_is_kept(tmp_path: Path, ratio: float, side: int) -> None:
    """An image that is black but for a white square in its middle: a smaller crop has more of the square in it."""
    pixels = np.zeros((16, 24, 3), np.uint8)
    pixels[4:12, 8:16] = 255  # 8 x 8
    for name in "ab":
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.fromarray(pixels).save(tmp_path / name / f"{i}.png")
    splits = read_image_folder((), str(tmp_path), image_size=16, crop_ratio=ratio)
    image = splits.train.seen(0).float() / 255
    assert image.mean().item() == pytest.approx(min(1.0, (8 / side) ** 2), abs=0.02)
