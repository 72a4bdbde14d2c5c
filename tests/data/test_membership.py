"""Membership: no edit of a folder brings a training image into the test split, and no edit goes unsaid."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import ImageData
from rnnvision.data.files import FileSplit
from rnnvision.data.membership import PARTS, WHOLE, Record, chosen, fingerprints, path_keys

CLASSES = ("ant", "bee", "cat")


def noise(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8))


def draw(root: Path, count: int = 20, classes: tuple[str, ...] = CLASSES, start: int = 0) -> None:
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            noise(start + 1000 * label + i).save(root / name / f"{i}.png")


def folder(root: Path, **options: Any) -> ImageData:
    return ImageData("image_folder", root=str(root), image_size=6, num_workers=0, **options)


def description_of(data: ImageData) -> dict[str, Any]:
    """What a checkpoint says of this data."""
    data.setup()
    assert data.record is not None
    return {"data": data.describe(), "class_names": list(data.class_names), "files": data.record.plain()}


def listed(data: ImageData) -> dict[str, set[str]]:
    """The paths of each split, below the folder; nothing is decoded."""
    data.parts = ()
    parts = data.known.parts()
    assert all(isinstance(part, FileSplit) for part in parts.values())
    root = str(data.known.root)
    return {name: {part.name(i).removeprefix(f"{root}/") for i in range(len(part))} for name, part in parts.items()}  # type: ignore[attr-defined]


def notes(data: ImageData) -> str:
    return "; ".join(data.known.notes)


# Membership by path ---------------------------------------------------------------------------------------------------


def test_files_that_come_and_go_move_no_other(tmp_path: Path) -> None:
    draw(tmp_path, count=40)
    before = listed(folder(tmp_path))
    for name in CLASSES:
        for i in range(0, 40, 3):
            (tmp_path / name / f"{i}.png").unlink()
        for i in range(30):
            noise(9000 + i).save(tmp_path / name / f"new{i}.png")
    after = listed(folder(tmp_path))
    for part in PARTS:
        stayed = {path for path in before[part] if (tmp_path / path).exists()}
        assert stayed
        assert stayed <= after[part]


def test_the_split_is_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    draw(tmp_path / "here")
    draw(tmp_path / "there" / "deeper")
    assert listed(folder(tmp_path / "here")) == listed(folder(tmp_path / "there" / "deeper"))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_always_in_train(tmp_path: Path, count: int, seed: int) -> None:
    draw(tmp_path, count=30, classes=("common", "usual"))
    draw(tmp_path, count=count, classes=("rare",), start=7000)
    data = folder(tmp_path, split_seed=seed)
    counts = {part: int((samples.labels == 1).sum()) for part, samples in data.known.parts().items()}
    assert data.class_names[1] == "rare"
    assert counts["train"] >= 1
    assert counts["test"] >= (count > 1)
    assert counts["val"] >= (count > 3)  # of three, test may have taken two
    lacking = {part for part in PARTS if not counts[part]}
    assert {line.split()[0] for line in data.class_lines()[1:]} == lacking


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_a_share_of_each_class_is_chosen(fraction: float) -> None:
    keys = path_keys(f"{i}.png" for i in range(20_000))
    labels = torch.arange(20_000) % 4
    rest, part = chosen(keys, labels, fraction, "val", 0)
    assert sorted(torch.cat([rest, part]).tolist()) == list(range(20_000))
    shares = torch.bincount(labels[part], minlength=4) / 5000
    assert (shares - fraction).abs().max() < 0.03  # 4 standard deviations
    assert not torch.equal(chosen(keys, labels, fraction, "val", 1)[1], part)


def test_a_fingerprint_tells_contents_apart(tmp_path: Path) -> None:
    sizes = [0, 1, 5000, WHOLE, WHOLE + 1, 3 * WHOLE]
    paths = []
    for size in sizes:
        for place in sorted({0, size // 2, max(0, size - 1)}):
            content = bytearray(size)
            if size:
                content[place] = 1
            paths.append(tmp_path / f"{size}-{place}")
            paths[-1].write_bytes(content)
    found = fingerprints([str(path) for path in paths])
    ends = [i for i, path in enumerate(paths) if int(path.name.split("-")[0]) <= WHOLE or not path.name.endswith("4")]
    assert len(set(found[ends].tolist())) == len(ends)
    assert torch.equal(found, fingerprints([str(path) for path in paths]))


def test_copies_across_splits_are_told(tmp_path: Path) -> None:
    for part in PARTS:
        draw(tmp_path / part, count=3, start=PARTS.index(part) * 10)
    noise(0).save(tmp_path / "test" / "ant" / "again.png")  # as train/ant/0.png
    assert "1 image of test is also in train, " in notes(folder(tmp_path))


# Edits between training and evaluation --------------------------------------------------------------------------------


def add(root: Path, rng: random.Random) -> None:
    noise(rng.getrandbits(40)).save(root / rng.choice(CLASSES) / f"new{rng.getrandbits(40)}.png")


def _any(root: Path, rng: random.Random) -> Path:
    return rng.choice(sorted(root.rglob("*.png")))


def delete(root: Path, rng: random.Random) -> None:
    _any(root, rng).unlink()


def rename(root: Path, rng: random.Random) -> None:
    path = _any(root, rng)
    path.rename(path.with_name(f"renamed{rng.getrandbits(40)}.png"))


def relabel(root: Path, rng: random.Random) -> None:
    path = _any(root, rng)
    others = [name for name in CLASSES if name != path.parent.name]
    path.rename(root / rng.choice(others) / f"moved{rng.getrandbits(40)}.png")


def replace(root: Path, rng: random.Random) -> None:
    noise(rng.getrandbits(40)).save(_any(root, rng))


def copy(root: Path, rng: random.Random) -> None:
    path = _any(root, rng)
    path.with_name(f"copy{rng.getrandbits(40)}.png").write_bytes(path.read_bytes())


def overwrite(root: Path, rng: random.Random) -> None:
    """By the content of another."""
    content = _any(root, rng).read_bytes()
    path = _any(root, rng)
    while path.read_bytes() == content:
        path = _any(root, rng)
    path.write_bytes(content)


def swap(root: Path, rng: random.Random) -> None:
    one, other = rng.sample(sorted(root.rglob("*.png")), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


EDITS: list[Callable[[Path, random.Random], None]] = [add, delete, rename, relabel, replace, copy, overwrite, swap]


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("at_once", [1, 5])
@pytest.mark.parametrize("layout", ["flat", "train/val/test"])
def test_no_edit_leaks_a_training_image_or_goes_unsaid(tmp_path: Path, layout: str, at_once: int, count: int) -> None:
    edited = tmp_path
    if layout == "flat":
        draw(tmp_path, count=12)
    else:
        for place, part in enumerate(PARTS):
            draw(tmp_path / part, count=4, start=place * 100)
        edited = tmp_path / "test"
    description = description_of(folder(tmp_path))
    trained = listed(ImageData.of_checkpoint(description))["train"]
    learned = {(tmp_path / path).read_bytes() for path in trained}
    if layout != "flat":  # for the edits to play with
        for path in trained:
            (edited / Path(path).parent.name / f"taken-{Path(path).name}").write_bytes((tmp_path / path).read_bytes())
    original = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    rng, leaks, silent = random.Random(0), 0, 0
    for _ in range(count):
        for edit in rng.choices(EDITS, k=at_once):
            edit(edited, rng)
        data = ImageData.of_checkpoint(description)
        found = listed(data)
        measured = found["val"] | found["test"]
        leaks += len(trained & measured) + sum((tmp_path / path).read_bytes() in learned for path in measured)
        silent += "since the training: " not in notes(data)
        for path in set(tmp_path.rglob("*.png")) - set(original):
            path.unlink()
        for path, content in original.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
    assert (leaks, silent) == (0, 0)


def test_a_folder_that_did_not_change_is_measured_as_it_was_without_a_word(tmp_path: Path) -> None:
    draw(tmp_path)
    (tmp_path / "bee" / "copy.png").write_bytes((tmp_path / "ant" / "3.png").read_bytes())
    data = folder(tmp_path)
    description, splits = description_of(data), listed(folder(tmp_path))
    again = ImageData.of_checkpoint(description)
    assert listed(again) == splits
    assert "since the training" not in notes(again)
    tmp_path.rename(tmp_path.with_name("moved"))
    moved = ImageData.of_checkpoint(description, root=str(tmp_path.with_name("moved")))
    assert listed(moved) == splits
    assert "since the training" not in notes(moved)


def test_what_has_changed_is_said(tmp_path: Path) -> None:
    draw(tmp_path)
    description = description_of(folder(tmp_path))
    (tmp_path / "ant" / "0.png").unlink()
    (tmp_path / "bee" / "0.png").rename(tmp_path / "bee" / "renamed.png")
    noise(99).save(tmp_path / "cat" / "0.png")
    noise(98).save(tmp_path / "cat" / "new.png")
    data = ImageData.of_checkpoint(description)
    assert "since the training: 1 added, 1 removed, 1 replaced, 1 renamed" in notes(data)


def test_all_of_another_folder_is_measured(tmp_path: Path) -> None:
    draw(tmp_path / "trained", count=20)
    draw(tmp_path / "other", count=10, start=50_000)
    description = description_of(folder(tmp_path / "trained"))
    other = ImageData.of_checkpoint(description, root=str(tmp_path / "other"), parts=("test",))
    assert len(other.splits.test) == 30
    assert f"no image of this folder, it was trained in {tmp_path / 'trained'}" in notes(other)
    learned = sorted(listed(folder(tmp_path / "trained"))["train"])[0]
    (tmp_path / "other" / learned).with_name("known.png").write_bytes((tmp_path / "trained" / learned).read_bytes())
    other = ImageData.of_checkpoint(description, root=str(tmp_path / "other"), parts=("test",))
    assert not any("known" in path for path in listed(other)["test"])


@pytest.mark.parametrize("edit", ["delete", "replace"])
def test_what_an_earlier_part_of_the_training_saw_is_kept(tmp_path: Path, edit: str) -> None:
    """It goes, the run is resumed without it, and it comes back under another name."""
    draw(tmp_path)
    description = description_of(folder(tmp_path))
    trained = {path: (tmp_path / path).read_bytes() for path in sorted(listed(folder(tmp_path))["train"])[::2]}
    for seed, path in enumerate(trained):
        noise(90_000 + seed).save(tmp_path / path) if edit == "replace" else (tmp_path / path).unlink()
    description = description_of(ImageData.of_checkpoint(description))
    for path, content in trained.items():
        (tmp_path / path).with_suffix(".again.png").write_bytes(content)
    splits = listed(ImageData.of_checkpoint(description))
    assert not [path for part in ("val", "test") for path in splits[part] if "again" in path]


def test_one_image_of_the_training_does_not_make_another_folder_its_own(tmp_path: Path) -> None:
    """Of names that are the same in both, as 0.png, nothing follows then."""
    draw(tmp_path / "trained")
    draw(tmp_path / "other", start=50_000)
    description = description_of(folder(tmp_path / "trained"))
    learned = sorted(listed(folder(tmp_path / "trained"))["train"])[0]
    (tmp_path / "other" / "ant" / "known.png").write_bytes((tmp_path / "trained" / learned).read_bytes())
    other = ImageData.of_checkpoint(description, root=str(tmp_path / "other"), parts=("test",))
    assert len(other.splits.test) == 60
    assert "has seen 1 image of this folder" in notes(other)


def test_a_folder_of_which_the_paths_alone_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be moved; and it may have grown smaller since, so that contents are compared now."""
    draw(tmp_path / "trained")
    monkeypatch.setattr("rnnvision.data.splits.MOST_COMPARED", 10)
    description, splits = description_of(folder(tmp_path / "trained")), listed(folder(tmp_path / "trained"))
    shutil.copytree(tmp_path / "trained", tmp_path / "moved")
    for most in (10, 100):
        monkeypatch.setattr("rnnvision.data.splits.MOST_COMPARED", most)
        for root in ("trained", "moved"):
            again = ImageData.of_checkpoint(description, root=str(tmp_path / root))
            assert listed(again) == splits
            assert notes(again) == ""


def test_a_lone_test_folder_and_one_that_lacks_a_class_are_measured(tmp_path: Path) -> None:
    draw(tmp_path / "trained")
    draw(tmp_path / "other" / "test", count=3, classes=("bee", "cat"), start=50_000)
    description = description_of(folder(tmp_path / "trained"))
    data = ImageData.of_checkpoint(description, root=str(tmp_path / "other"), parts=("test",))
    assert data.class_lines() == ["ant: 0, bee: 3, cat: 3 in test", "test has no image of ant"]
    assert data.class_names == CLASSES
    assert set(data.splits.test.labels.tolist()) == {1, 2}


def test_a_checkpoint_without_a_record_gets_the_split_of_its_time(tmp_path: Path) -> None:
    """Version 0.1 chose by position: its test split was another one, and the network has seen what is ours now."""
    draw(tmp_path)
    description = description_of(folder(tmp_path))
    del description["files"]
    old = ImageData.of_checkpoint(description)
    files = sorted((str(path) for path in tmp_path.rglob("*.png")), key=lambda path: path.split("/"))
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    assert listed(old)["test"] == {files[i].removeprefix(f"{tmp_path}/") for i in order[:12].tolist()}
    assert "no record of its files" in notes(old)


def test_a_record_goes_through_plain_values(tmp_path: Path) -> None:
    draw(tmp_path)
    data = folder(tmp_path)
    description_of(data)
    assert data.record is not None
    again = Record.of(data.record.plain())
    assert again.changes(data.record) == ""
    assert all(torch.equal(again.files[part], data.record.files[part]) for part in PARTS)
    assert len({*data.record.plain()["digests"].values()}) == 3


def test_another_number_of_images_in_a_set_without_a_record_is_told() -> None:
    data = ImageData("fake", num_train=100, num_test=20)
    description = {"data": data.describe(), "images": {part: len(s) for part, s in data.known.parts().items()}}
    assert notes(ImageData.of_checkpoint(description)) == ""
    other = ImageData.of_checkpoint(description, parts=("test",), num_test=30)
    assert notes(other) == "test has 30 images, and had 20 when the network was trained"
