"""data=csv on the command line: a competition's folder, its evaluation after changes, its shards, its mistakes."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.running import Verb

WORDS = ("data=csv", "data.root=birds", "data.image_size=6", "data.batch_size=8", "data.val_fraction=0.2")


@pytest.fixture(autouse=True)
def _birds() -> None:
    """A folder as a competition hands it out."""
    Path("birds/train").mkdir(parents=True)
    lines = ["id;breed"]
    for i in range(40):
        Image.new("RGB", (8, 6), (6 * i, 0, 0)).save(f"birds/train/b{i:02d}.jpg")
        lines.append(f"b{i:02d};{'hawk' if i % 4 == 0 else 'wren'}")
    Path("birds/train.csv").write_text("\n".join(lines))
    Path("birds/sample_submission.csv").write_text("id;breed\n")


def metrics(folder: str) -> dict[str, float]:
    return json.loads((Path(folder) / "metrics.json").read_text())


def test_a_training_is_measured_again_on_the_same_images(train: Verb, verb: Verb) -> None:
    assert train(*WORDS, "hydra.run.dir=run").code == 0
    Path("birds/train.csv").rename("birds/labels.csv")  # so that nothing is where it was noted
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=gone")
    assert (result.code, "train.csv" in result.message) == (2, True)
    Path("birds/labels.csv").rename("birds/train.csv")
    Path("birds/labels.csv").write_text("id,label\n")  # a second table: the noted one is read
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out")
    assert result.code == 0
    for name in ("accuracy", "nll"):
        assert metrics("out")[f"test/{name}"] == pytest.approx(metrics("run")[f"test/{name}"])


def test_another_table_can_be_measured(train: Verb, verb: Verb) -> None:
    assert train(*WORDS, "hydra.run.dir=run").code == 0
    Path("more/images").mkdir(parents=True)
    for i in range(10):
        Image.new("RGB", (8, 6), (0, 9 * i + 9, 0)).save(f"more/images/m{i}.jpg")
    Path("more/test.csv").write_text(
        "file,kind\n" + "".join(f"m{i},{'hawk' if i % 2 else 'wren'}\n" for i in range(10))
    )
    words = ("+data.labels=test.csv", "+data.image_column=file", "+data.label_column=kind")
    result = verb("evaluate", "ckpt=run", "device=cpu", "data.root=more", *words, "hydra.run.dir=out")
    assert result.code == 0, result.message
    assert metrics("out")["test/images"] == 10


def test_shards_are_made_of_it(train: Verb, verb: Verb) -> None:
    pytest.importorskip("litdata")
    assert verb("shards", "data=csv", "data.root=birds", "to=shards").code == 0
    words = ("data=csv", "data.format=shards", "data.root=shards", "data.image_size=6", "data.num_workers=0")
    result = train(*words, "data.batch_size=8", "data.val_fraction=0.2", "data.sampler=balanced")
    assert result.code == 0, result.message


@pytest.mark.parametrize(
    ("word", "code", "said"),
    [
        ("data.label_column=bred", 2, "data.label_column=bred: is not in train.csv; choose one of id, breed; did you"),
        ("data.labels=trian.csv", 2, "data.labels=trian.csv: is not in "),
        ("data.images=trian", 2, "did you mean train?"),
        ("data.image_colum=id", 2, "did you mean data.image_column?"),
        ("data.labels=sample_submission.csv", 1, "holds no row but its first line"),
        ("data.root=birds/train.csv", 2, "data.labels=train.csv"),
        ("data.root=null", 2, "data.root=null: csv needs data.root=FOLDER"),
    ],
)
def test_a_mistake_is_one_line(train: Verb, word: str, code: int, said: str) -> None:
    result = train(*WORDS, word)
    assert (result.code, len(result.message.splitlines())) == (code, 1)
    assert said in result.message
