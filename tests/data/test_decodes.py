"""Which files are decoded, and how often: what nobody looks at is not, and what is resident once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import CATALOG, DataError, ImageData
from rnnvision.data.shard_writer import make_shards
from tests.data.layouts import write_flowers102
from tests.decodes import decoded_images

CLASSES = ("ant", "bee", "cat")
PARTS = ("train", "val", "test")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the pixels of each image have been decoded, by its name."""
    return decoded_images(monkeypatch)


def draw(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(path)


def class_folders(root: Path) -> dict[str, Any]:
    for place, name in enumerate(CLASSES):
        for i in range(12):
            draw(root / name / f"{i:02}.{('png', 'jpg')[i % 2]}", 12 * place + i)
    return {"name": "image_folder", "root": str(root)}


def split_folders(root: Path) -> dict[str, Any]:
    for p, part in enumerate(PARTS):
        for place, name in enumerate(CLASSES):
            for i in range(4):
                draw(root / part / name / f"{i}.jpg", 100 * p + 12 * place + i)
    return {"name": "image_folder", "root": str(root)}


def labels_in_a_table(root: Path) -> dict[str, Any]:
    for i in range(36):
        draw(root / f"{i}.jpg", i)
    rows = "".join(f"{i}.jpg,{CLASSES[i % 3]},{PARTS[i % 4 % 3]}\n" for i in range(36))
    (root / "labels.csv").write_text(f"image,label,split\n{rows}")
    return {"name": "csv", "root": str(root)}


def shards(root: Path) -> dict[str, Any]:
    class_folders(root / "files")
    make_shards("image_folder", CATALOG["image_folder"].read((), str(root / "files")), root / "files", root / "s", 1.0)
    return {"name": "image_folder", "root": str(root / "s"), "format": "shards"}


Kind = Callable[[Path], dict[str, Any]]
FILES: list[Kind] = [class_folders, split_folders, labels_in_a_table]
FORMATS = ("resident", "streaming")
WAYS = [*((kind, format) for kind in FILES for format in FORMATS), (shards, "shards")]


def module(arguments: dict[str, Any], **more: Any) -> ImageData:
    options = {"cache": False, "image_size": 8, "num_workers": 0, "batch_size": 4, "val_fraction": 0.3}
    return ImageData(**(options | arguments | more))


def names(data: ImageData, part: str) -> set[str]:
    samples = data.known.parts()[part]
    return {samples.name(i) for i in range(len(samples))}


def described(data: ImageData) -> dict[str, Any]:
    plain: dict[str, Any] = {"data": data.describe(), "class_names": list(data.class_names)}
    return plain if data.record is None else plain | {"files": data.record.plain()}


def of(counts: Counter[str], names: set[str]) -> list[int]:
    """The counts of these images; those of shards are named by the file that they were."""
    return sorted({counts[name] for name in names})


@pytest.mark.parametrize(("kind", "format"), WAYS)
def test_a_training_decodes_what_it_trains_on_and_the_test_split_once_it_is_tested(
    tmp_path: Path, decoded: Counter[str], kind: Kind, format: str
) -> None:
    streams = format != "resident"
    data = module(kind(tmp_path), format=format)
    sizes = {part: len(samples) for part, samples in data.known.parts().items()}
    assert (data.input_shape, len(data.class_names), data.num_train_batches()) == (
        (3, 8, 8),
        3,
        -(-sizes["train"] // 4),
    )
    assert data.summary()
    assert data.describe()
    data.setup("fit")
    data.setup("fit")
    assert decoded.total() == sizes["train"] + sizes["val"]
    for _ in range(3):
        list(data.train_dataloader())
        list(data.val_dataloader())
    epochs = 3 if streams else 0
    assert decoded.total() == (1 + epochs) * (sizes["train"] + sizes["val"])
    if kind is not shards:
        assert of(decoded, names(data, "test")) == [0]
        assert of(decoded, names(data, "train") | names(data, "val")) == [1 + epochs]
    before = decoded.total()
    data.setup("test")
    for _ in range(2):
        list(data.test_dataloader())
    assert decoded.total() - before == sizes["test"] * (2 if streams else 1)


@pytest.mark.parametrize(("kind", "format"), WAYS)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("on_bad_file", ["stop", "skip"])
def test_measuring_a_split_decodes_that_split_alone(
    tmp_path: Path,
    decoded: Counter[str],
    kind: Kind,
    format: str,
    part: str,
    on_bad_file: str,
) -> None:
    trained = described(module(kind(tmp_path)))
    data = ImageData.of_checkpoint(
        trained, parts=(part,), cache=False, on_bad_file=on_bad_file, num_workers=0, format=format
    )
    data.tested_split = part
    data.setup()
    assert data.class_lines()
    assert data.summary()
    list(data.test_dataloader())
    looked_at = data.serving.streams and on_bad_file == "skip"
    assert set(decoded.values()) == {2 if looked_at else 1}
    assert len(decoded) == len(data.splits[part]) > 0
    if kind is not shards:
        assert set(decoded) == names(data, part)


@pytest.mark.parametrize("part", PARTS)
def test_a_published_set_of_files_is_read_so_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: Counter[str], part: str
) -> None:
    write_flowers102(tmp_path, monkeypatch)
    data = ImageData("flowers102", root=str(tmp_path), image_size=8, num_workers=0, cache=False)
    list(getattr(data, f"{part}_dataloader")())
    assert set(decoded) == names(data, part)
    assert set(decoded.values()) == {1}


def test_some_of_a_split_are_picked_before_any_is_decoded(tmp_path: Path, decoded: Counter[str]) -> None:
    data = module(split_folders(tmp_path))
    picked = [data.known.test.name(i) for i in (0, 5, 10)]
    data.splits.keep("test", torch.tensor([0, 5, 10]))
    assert [len(labels) for _, labels in data.test_dataloader()] == [3]
    assert sorted(decoded) == sorted(picked)


# Bad files of the test split ------------------------------------------------------------------------------------------


def text(content: bytes) -> bytes:
    return b"this is no picture"


def cut_short(content: bytes) -> bytes:
    return content[: 2 * len(content) // 3]


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("damage", [text, cut_short, empty])
def test_what_the_begin_of_a_file_shows_is_told_before_the_training(
    tmp_path: Path,
    decoded: Counter[str],
    kind: Kind,
    format: str,
    damage: Callable[[bytes], bytes],
) -> None:
    data = module(kind(tmp_path), format=format)
    bad = next(Path(name) for name in sorted(names(data, "test")) if name.endswith(".jpg"))
    good = bad.read_bytes()
    bad.write_bytes(damage(good))
    with pytest.raises(DataError, match=rf"^{bad}: .*; mend or delete it, or leave it out"):
        module(data.describe(), format=format).setup("fit")
    assert decoded[str(bad)] <= 1  # by the survey that would name others
    skipping = module(data.describe(), format=format, on_bad_file="skip")
    skipping.setup("fit")
    assert skipping.bad_files == []  # of those that are trained on
    list(skipping.test_dataloader())
    assert [reason.partition(": ")[0] for reason in skipping.bad_files] == [str(bad)]
    bad.write_bytes(good)


def test_pixels_of_the_test_split_are_looked_at_in_the_test(tmp_path: Path) -> None:
    data = module(split_folders(tmp_path))
    bad = Path(data.known.test.name(0))
    content = bytearray(bad.read_bytes())
    content[-60:-20] = b"\xff\xc4" * 20  # tables amid the pixels
    bad.write_bytes(content)
    data.setup("fit")
    list(data.train_dataloader())
    with pytest.raises(DataError, match=rf"^{bad}: cannot be read as an image"):
        list(data.test_dataloader())
