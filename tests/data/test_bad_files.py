"""Files that cannot be read: all of them are named, or left out and listed; none is replaced by another sample."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from rnnvision.data import DataError, ImageData
from rnnvision.data.files import FileSplit, encode, read_all, survey
from rnnvision.data.images import View

COLOURS = {"ant": (255, 0, 0), "bee": (0, 255, 0), "cat": (0, 0, 255)}
FORMATS = ["resident", "streaming"]


def noise(seed: int = 0, side: int = 64) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def jpeg() -> bytes:
    file = io.BytesIO()
    noise().save(file, "JPEG")
    return file.getvalue()


def text(path: Path) -> None:
    path.write_text("this is no picture")


def cut(path: Path) -> None:
    path.write_bytes(jpeg()[: len(jpeg()) // 2])


def damaged(path: Path) -> None:
    content = jpeg()
    path.write_bytes(content[: len(content) // 2] + b"\xff\xda" + content[len(content) // 2 + 2 :])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cmyk(path: Path) -> None:
    noise().convert("CMYK").save(path, "JPEG")


def deep(path: Path) -> None:
    Image.fromarray(np.arange(256, dtype=np.uint16).reshape(16, 16) * 256).save(path, "PNG")


Damage = Callable[[Path], None]
UNREADABLE: list[Damage] = [text, cut, damaged, empty]
CONVERTIBLE: list[Damage] = [cmyk, deep]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """train, val and test with 4, 2 and 2 pictures of each class."""
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        for name, colour in COLOURS.items():
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20, 16), colour).save(tmp_path / part / name / f"{i}.png")
    return tmp_path


def folder(root: Path, **arguments: Any) -> ImageData:
    options = {"image_size": 8, "num_workers": 0, "batch_size": 4, "eval_batch_size": 2}
    return ImageData("image_folder", root=str(root), **{**options, **arguments})


def spoil(root: Path, parts: tuple[str, ...], damage: Damage) -> list[Path]:
    """A bad file beside the good ones of class bee."""
    paths = [root / part / "bee" / f"bad.{'png' if damage is deep else 'jpg'}" for part in parts]
    for path in paths:
        damage(path)
    return paths


def sizes(data: ImageData) -> tuple[int, int, int]:
    return len(data.splits.train), len(data.val_split), len(data.splits.test)


def read(data: ImageData, *parts: str) -> None:
    data.setup()
    for part in parts:
        list(getattr(data, f"{part}_dataloader")())


def epoch_of(data: ImageData) -> list[int]:
    """What is seen in an epoch of training and one of validation, by the colours that only one class has."""
    seen: list[int] = []
    for loader in (data.train_dataloader(), data.val_dataloader()):
        for images, labels in loader:
            assert images.mean(dim=(2, 3)).argmax(dim=1).tolist() == labels.tolist()
            seen += labels.tolist()
    return seen


# stop -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", [*UNREADABLE, *CONVERTIBLE])
def test_every_bad_file_is_named_before_validation(root: Path, damage: Damage, format: str) -> None:
    bad = spoil(root, ("train", "val", "test"), damage)
    data = folder(root, format=format)
    with pytest.raises(DataError) as error:
        read(data, "train")
    first, *files = str(error.value).splitlines()
    assert first.startswith("3 files cannot be used; mend or delete them, or leave them out with data.on_bad_file=skip")
    assert [line.strip().partition(": ")[0] for line in files] == [str(path) for path in bad]
    assert all(("data.on_bad_file=convert" in line) == (damage in CONVERTIBLE) for line in files)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_one_bad_file_is_told_in_one_line(root: Path, part: str, format: str) -> None:
    (bad,) = spoil(root, (part,), cut)
    data = folder(root, format=format)
    with pytest.raises(DataError) as error:
        read(data, part)
    assert str(error.value).startswith(f"{bad}: cannot be read as an image")
    assert str(error.value).endswith("; mend or delete it, or leave it out with data.on_bad_file=skip")
    assert "\n" not in str(error.value)


def test_workers_name_every_bad_file_too(root: Path) -> None:
    bad = spoil(root, ("train", "test"), cut)
    data = folder(root, format="streaming", num_workers=1)
    with pytest.raises(DataError) as error:
        list(data.train_dataloader())
    data.teardown()
    assert all(str(path) in str(error.value) for path in bad)


# skip -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", [*UNREADABLE, *CONVERTIBLE])
def test_bad_files_are_left_out_and_listed(root: Path, damage: Damage, format: str) -> None:
    whole = folder(root, format=format)
    assert sizes(whole) == (12, 6, 6)
    assert whole.bad_files == []
    expected = sorted(epoch_of(whole))
    bad = spoil(root, ("train", "val", "test"), damage)
    data = folder(root, format=format, on_bad_file="skip")
    assert sizes(data) == (12, 6, 6)
    assert [reason.partition(": ")[0] for reason in data.bad_files] == [str(path) for path in bad]
    assert sorted(epoch_of(data)) == expected
    assert len(list(data.test_dataloader())) == 3


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("treatment", ["skip", ["skip", "convert"]])
def test_a_class_that_training_would_lose_is_refused_and_its_files_named(
    root: Path, treatment: Any, format: str
) -> None:
    for path in (root / "train" / "bee").iterdir():
        text(path)
    with pytest.raises(DataError, match=r"^train: bee would have no image: 4 files of it cannot be read") as error:
        folder(root, format=format, on_bad_file=treatment).setup()
    assert sorted(line.split(": ")[0].strip() for line in str(error.value).splitlines()[1:]) == [
        str(root / "train" / "bee" / f"{i}.png") for i in range(4)
    ]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_that_only_the_measuring_loses_is_told(root: Path, part: str, format: str) -> None:
    for path in (root / part / "bee").iterdir():
        text(path)
    data = folder(root, format=format, on_bad_file="skip")
    data.setup()
    assert f"{part} has no image of bee" in data.class_lines()
    assert len(data.bad_files) == 2


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_file_of_a_small_class_is_named(root: Path, format: str) -> None:
    for part in ("train", "test"):
        for path in sorted((root / part / "bee").iterdir())[1:]:
            path.unlink()
    text(root / "test" / "bee" / "0.png")
    data = folder(root, format=format)
    with pytest.raises(DataError, match=rf"^{root}/test/bee/0[.]png: cannot be read as an image"):
        data.setup("fit")


@pytest.mark.parametrize("format", FORMATS)
def test_skip_and_convert_together(root: Path, format: str) -> None:
    spoil(root, ("train",), deep)
    spoil(root, ("val",), cut)
    data = folder(root, format=format, on_bad_file=["skip", "convert"])
    assert sizes(data) == (13, 6, 6)
    assert len(data.bad_files) == 1
    for wrong in (["stop", "skip"], [], ["skip", "skip"]):
        with pytest.raises(ValueError, match=r"^on_bad_file=.*skip,convert"):
            folder(root, on_bad_file=wrong)


def test_what_is_left_out_does_not_move_the_others_between_the_splits(tmp_path: Path) -> None:
    def files(data: ImageData) -> list[set[str]]:
        parts = (data.splits.train, data.val_split, data.splits.test)
        assert all(isinstance(part, FileSplit) for part in parts)
        return [{str(part.path(i)) for i in range(len(part))} for part in parts]  # type: ignore[attr-defined]

    for name, colour in COLOURS.items():
        (tmp_path / name).mkdir()
        for i in range(20):
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{i:02}.png")
    before = files(folder(tmp_path, format="streaming", val_fraction=0.2))
    bad = tmp_path / "cat" / "07.png"
    text(bad)
    after = files(folder(tmp_path, format="streaming", val_fraction=0.2, on_bad_file="skip"))
    assert after == [part - {str(bad)} for part in before]


# convert --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_convert_reads_16_bits_and_cmyk(root: Path, format: str) -> None:
    spoil(root, ("train",), cmyk)
    spoil(root, ("train", "val"), deep)
    data = folder(root, format=format, on_bad_file="convert")
    assert sizes(data) == (14, 7, 6)
    assert data.bad_files == []
    assert sum(len(labels) for _, labels in data.train_dataloader()) == 14


@pytest.mark.parametrize("format", FORMATS)
def test_convert_stops_for_what_cannot_be_read(root: Path, format: str) -> None:
    spoil(root, ("train",), deep)
    (bad,) = spoil(root, ("val",), cut)
    data = folder(root, format=format, on_bad_file="convert")
    with pytest.raises(DataError, match=f"^{bad}: "):
        read(data, "train", "val")


# Folders --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_class_and_a_class_that_train_lacks_are_refused(root: Path, format: str, on_bad_file: str) -> None:
    text(root / "train" / "bee" / "0.png")
    (root / "val" / "dog").mkdir()
    noise().save(root / "val" / "dog" / "0.png")
    with pytest.raises(DataError, match=f"^{root / 'val'}: holds classes that train lacks: dog"):
        folder(root, format=format, on_bad_file=on_bad_file).setup()
    (root / "val" / "dog" / "0.png").unlink()
    for path in (root / "train" / "ant").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(DataError, match=f"^{root / 'train' / 'ant'}: holds no image"):
        folder(root, format=format, on_bad_file=on_bad_file).setup()


@pytest.mark.parametrize("place", ["", "train", "train/bee", "val/cat/deep"])
def test_a_folder_that_cannot_be_listed_is_named(root: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As os.scandir and os.listdir refuse it to who may not read it; root may."""
    locked = root / place
    locked.mkdir(exist_ok=True)
    for name in ("scandir", "listdir"):
        real = getattr(os, name)

        def refuse(path: Any = ".", real: Callable[..., Any] = real) -> Any:
            if Path(path) == locked:
                raise PermissionError(13, "Permission denied", str(path))
            return real(path)

        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(DataError) as error:
        folder(root).setup()
    assert str(error.value) == f"{locked}: cannot be read (Permission denied)"


def test_a_link_to_a_folder_above_gives_no_image_twice(root: Path) -> None:
    (root / "train" / "ant" / "again").symlink_to(root / "train" / "ant")
    assert sizes(folder(root)) == (12, 6, 6)


class Numbered(FileSplit):
    """Samples without files, of which each seventh is bad."""

    def seen(self, index: int) -> Tensor:
        if index % 7 == 0:
            raise DataError(f"sample {index}: is bad")
        return torch.full((1, 1, 1), index % 251, dtype=torch.uint8)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 500])
@pytest.mark.parametrize("threads", [1, 3])
def test_threads_visit_each_image_once_and_list_the_bad_in_order(size: int, threads: int) -> None:
    split = Numbered(encode([Path(str(i)) for i in range(size)]), torch.arange(size), View(channels=1, image_size=1))
    good = [i for i in range(size) if i % 7]
    kept, bad = read_all(split, threads)
    assert kept.labels.tolist() == good
    assert kept.images.flatten().tolist() == [i % 251 for i in good]
    left, found = survey(split, threads)
    assert left.labels.tolist() == good
    assert [file.index for file in bad] == [file.index for file in found] == list(range(0, size, 7))


def test_a_survey_finds_what_a_reading_would(root: Path) -> None:
    bad = spoil(root, ("train", "val"), cut)
    data = folder(root, format="streaming")
    assert isinstance(data.splits.train, FileSplit)
    left, found = survey(data.splits.train, 2)
    assert len(left) == len(data.splits.train) - 1
    assert [str(data.splits.train.path(file.index)) for file in found] == [str(bad[0])]
