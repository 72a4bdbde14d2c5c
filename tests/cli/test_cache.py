"""Decoded images that are kept from run to run, through the verbs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.training import read_checkpoint
from tests.cli.running import Verb
from tests.decodes import opened_files

OPTIONS = ("data=image_folder", "data.root=photos", "data.image_size=8", "data.batch_size=8", "trainer.max_epochs=1")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded, as they are."""
    return opened_files(monkeypatch)


def paint() -> None:
    for number, name in enumerate(("ant", "bee", "cat")):
        Path("photos", name).mkdir(parents=True)
        for i in range(12):
            noise = np.random.default_rng(100 * number + i).integers(0, 256, (10, 14, 3), np.uint8)
            Image.fromarray(noise).save(Path("photos", name, f"{i:02}.jpg"))


def figures(folder: str) -> dict[str, float]:
    found = json.loads(Path(folder, "metrics.json").read_text())
    return {name: value for name, value in found.items() if "second" not in name}


def test_a_second_training_and_evaluate_decode_nothing_and_give_the_same(
    train: Verb, verb: Verb, decoded: list[str]
) -> None:
    paint()
    Path("photos/bee/bad.jpg").write_bytes(b"no image")
    words = (*OPTIONS, "data.on_bad_file=skip")
    for run, cache in (("without", "false"), ("first", "kept"), ("second", "kept")):
        decoded.clear()
        result = train(*words, f"data.cache={cache}", f"hydra.run.dir={run}")
        assert result.code == 0, result.err
        assert len(decoded) == (0 if run == "second" else 37)
        assert "bad.jpg: cannot be read" in result.out
        line = next(line for line in result.out.splitlines() if line.startswith("data  "))
        kept = Path("kept").resolve()
        said = {"first": f"images decoded and kept in {kept}; ", "second": f"images from the cache {kept}; "}
        assert said.get(run, "from ") in line
        assert (str(kept) in line) == (run != "without")
    assert figures("without") == figures("first") == figures("second")
    one, other = (read_checkpoint(Path(run, "checkpoints/best.ckpt")) for run in ("without", "second"))
    assert all(torch.equal(one["state_dict"][key], value) for key, value in other["state_dict"].items())
    assert one["rnnvision"]["data"] == other["rnnvision"]["data"]
    assert str(one["rnnvision"]["files"]) == str(other["rnnvision"]["files"])
    measured = {}
    for cache, count in (("false", 13), ("kept", 0)):
        decoded.clear()
        result = verb("evaluate", "ckpt=second", "device=cpu", f"data.cache={cache}", f"hydra.run.dir=e_{cache}")
        assert result.code == 0, result.err
        assert len(decoded) <= count
        measured[cache] = figures(f"e_{cache}")
    assert measured["false"] == measured["kept"]


def test_it_is_on_where_nobody_says_otherwise_and_a_sweep_decodes_once(
    train: Verb, verb: Verb, decoded: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNVISION_CACHE", str(tmp_path / "mine"))
    paint()
    result = train("-m", *OPTIONS, "seed=0,1", "hydra.sweep.dir=sweep")
    assert result.code == 0, result.err
    first, second = (Path("sweep", job, "train.log").read_text() for job in ("seed=0", "seed=1"))
    told = f"from the cache {tmp_path}/mine/images"
    assert (told in first, told in second) == (False, True)
    assert verb("evaluate", "ckpt=logs/train/latest", "device=cpu").code == 0
    assert decoded == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data=digits", "+data.cache=true"], "data.cache=True: digits does not consist of image files"),
        (["data=image_folder", "data.root=.", "data.cache=3"], "data.cache=3: must be"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(verb: Verb, words: list[str], told: str) -> None:
    result = verb("train", "device=cpu", *words)
    assert result.code == 2
    assert result.message.startswith(f"rnnvision train: {told}")
    assert "\n" not in result.message
