"""rnnvision shards: image files into shards that train, a check of their digests, and wrong use."""

import json
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from rnnvision.runs import Run
from tests.cli.running import TINY, Verb


@pytest.fixture
def images(tmp_path: Path) -> Path:
    generator = torch.Generator().manual_seed(0)
    for part, count in {"train": 8, "test": 2}.items():
        for name in ("ant", "bee"):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = torch.randint(256, (9, 8, 3), generator=generator, dtype=torch.uint8)
                Image.fromarray(pixels.numpy()).save(tmp_path / "images" / part / name / f"{i}.png")
    return tmp_path / "images"


def test_shards_are_made_checked_and_trained_on(verb: Verb, images: Path) -> None:
    result = verb("shards", f"data.root={images}", "to=shards", "shard_mb=0.001")
    assert result.code == 0, result.err
    train, test, following = result.out.splitlines()
    assert train.startswith("train     16 images, ")
    assert test.startswith("test      4 images, ")
    assert following == "next      python train.py data=image_folder data.format=shards data.root=shards"
    assert Run(Path("logs/shards/latest")).completed
    assert json.loads(Path("shards/meta.json").read_text())["class_names"] == ["ant", "bee"]
    assert len(list(Path("shards/train").glob("*.bin"))) > 1
    result = verb("shards", "check=shards")
    assert result.code == 0, result.err
    files = [path for path in Path("shards").glob("*/*") if path.suffix in (".bin", ".npy")]
    assert result.out == f"{len(files)} files are as they were made\n"
    words = ("data.image_size=8", "data.num_workers=0", "data.batch_size=8", "trainer.max_epochs=1")
    result = verb("train", *following.split()[3:], *words, *TINY)
    assert result.code == 0, result.err
    assert "shards" in result.out.splitlines()[1]


def test_a_changed_byte_is_found(verb: Verb, images: Path) -> None:
    assert verb("shards", f"data.root={images}", "to=shards").code == 0
    path = Path("shards/train/chunk-0-0.bin")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    result = verb("shards", "check=shards")
    assert result.code == 1
    assert "train/chunk-0-0.bin: changed since it was made" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("words", "code", "parts"),
    [
        ([], 2, ["give to=FOLDER to make shards, or check=FOLDER to check some; try: rnnvision shards data="]),
        (["to=a", "check=b"], 2, ["give to=FOLDER to make shards, or check=FOLDER"]),
        (["to=new", "shard_mb=0"], 2, ["shard_mb=0: must be a number above 0"]),
        (["to=new", "data=image_foldr"], 2, ["did you mean data=image_folder?", "Try: rnnvision shards to=new data="]),
        (["to=new", "data.rot=x"], 2, ["did you mean data.root?"]),
        (["to=new", "shard_gb=1"], 2, ["did you mean shard_mb?"]),
        (["to=new", "data.image_size=0"], 2, ["data.image_size=0: must be a whole number of at least 1"]),
        (["to=new", "data=digits"], 1, ["digits: is not kept as image files"]),
        (["to=new", "data.root=nowhere"], 2, ["nowhere"]),
        (["to=new", "data.root="], 2, ["data.root=: names no folder"]),
        (["check=nowhere"], 2, ["nowhere"]),
        (["check=."], 1, ["holds no meta.json, so it is no folder of shards", "rnnvision shards"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and value and "=" in value[0] else "",
)
def test_wrong_use_is_told(verb: Verb, words: list[str], code: int, parts: list[str]) -> None:
    result = verb("shards", *words)
    assert result.code == code, result.message
    assert len(result.message.splitlines()) == 1, result.message
    assert [part for part in parts if part not in result.message] == [], result.message
    assert not Path("new/meta.json").exists()


def test_a_folder_that_is_there_is_not_written_to(verb: Verb, images: Path) -> None:
    Path("new").mkdir()
    Path("new/mine.txt").write_text("mine")
    result = verb("shards", f"data.root={images}", "to=new")
    assert result.code == 1
    assert "new: is there already; delete it or give another folder" in result.message
    assert [path.name for path in Path("new").iterdir()] == ["mine.txt"]


def test_without_litdata_it_is_said_what_to_install(verb: Verb, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litdata.streaming.writer", None)
    result = verb("shards", f"data.root={images}", "to=new")
    assert result.code == 2
    assert result.message == 'rnnvision shards: shards need a package that is not here; pip install "rnnvision[shards]"'
