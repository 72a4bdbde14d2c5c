"""How often each image is decoded by a verb: once where it is needed, and not at all where it is not."""

from collections import Counter
from pathlib import Path

import pytest

from rnnvision import load
from rnnvision.cli.compare import costs
from rnnvision.data import ImageData
from tests.cli.running import Verb
from tests.cli.test_folders import draw
from tests.decodes import decoded_images

OPTIONS = ("data=image_folder", "data.root=photos", "data.image_size=8", "data.num_workers=0")


@pytest.fixture(autouse=True)
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each image has been decoded."""
    found = decoded_images(monkeypatch)
    draw("photos", 20)
    return found


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of what takes the data as a checkpoint describes it: nothing is kept from one verb to the next."""
    monkeypatch.setattr("rnnvision.data.reading.settled_cache", lambda *_: False)


def members(part: str) -> set[str]:
    samples = ImageData.of_checkpoint(load("run").description).known.parts()[part]
    return {samples.name(i) for i in range(len(samples))}


def everything() -> set[str]:
    return {str(path.resolve()) for path in Path("photos").rglob("*.png")}


@pytest.mark.parametrize(
    "words",
    [
        ("report=true",),
        ("trainer.max_steps=1",),
        ("pretrain=reconstruct", "pretrain_epochs=1"),
        ("trainer.limit_val_batches=1", "data.on_bad_file=skip"),
    ],
)
def test_a_training_decodes_each_image_once(train: Verb, counts: Counter[str], words: tuple[str, ...]) -> None:
    result = train(*OPTIONS, "hydra.run.dir=run", *words)
    assert result.code == 0, result.err
    assert counts == dict.fromkeys(everything(), 1)


def test_a_training_that_does_not_reach_its_test_never_decodes_it(
    train: Verb, counts: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnvision.cli.train.score", interrupted)
    assert train(*OPTIONS, "hydra.run.dir=run").code == 130
    assert counts == dict.fromkeys(everything() - members("test"), 1)


def test_what_measures_a_training_decodes_its_split_alone(train: Verb, verb: Verb, counts: Counter[str]) -> None:
    assert train(*OPTIONS, "hydra.run.dir=run").code == 0
    for part in ("train", "val", "test"):
        counts.clear()
        assert verb("evaluate", "ckpt=run", f"split={part}", "device=cpu").code == 0
        assert counts == dict.fromkeys(members(part), 1)
    counts.clear()
    assert verb("report", "run=run").code == 0
    assert counts == dict.fromkeys(members("test"), 1)
    counts.clear()
    costs.costs(Path("run"), rounds=1, latency_rounds=1, anytime_samples=2)
    assert counts.total() == 2
    assert set(counts) < members("test")


def test_a_test_split_that_cannot_be_read_costs_no_training(train: Verb, verb: Verb) -> None:
    assert train(*OPTIONS, "hydra.run.dir=run").code == 0
    bad = Path(sorted(members("test"))[0])
    good = bad.read_bytes()
    bad.write_bytes(good[: len(good) - 30])  # a PNG, of which only the pixels show it
    result = train(*OPTIONS, "hydra.run.dir=again")
    assert result.code == 1
    assert f"{bad}: cannot be read as an image" in result.message
    assert result.message.endswith("measure it: rnnvision evaluate ckpt=again")
    bad.write_bytes(good)
    assert verb("evaluate", "ckpt=again", "device=cpu").code == 0
