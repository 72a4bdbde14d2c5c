"""Files of images through the verbs: augmented, streamed, and bad."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from rnnvision import load
from rnnvision.data import ImageData
from tests.cli.running import Verb

COLOURS = {"ant": (255, 0, 0), "bee": (0, 255, 0), "cat": (0, 0, 255)}
OPTIONS = ("data=image_folder", "data.image_size=8", "data.num_workers=0", "data.batch_size=8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, colour in COLOURS.items():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(12):
            Image.new("RGB", (14, 10), colour).save(tmp_path / "pictures" / name / f"{i:02}.jpg")
    return tmp_path / "pictures"


def _metrics(folder: str) -> dict[str, float]:
    return json.loads((Path(folder) / "metrics.json").read_text())


@pytest.mark.parametrize("format", ["resident", "streaming"])
def test_a_bad_file_ends_the_run_without_a_score(train: Verb, root: Path, format: str) -> None:
    bad = [root / name / "bad.jpg" for name in ("ant", "cat")]
    for path in bad:
        path.write_bytes(b"no picture")
    result = train(*OPTIONS, f"data.root={root}", f"data.format={format}", "hydra.run.dir=run")
    assert result.code == 1
    assert "2 files cannot be used" in result.message
    assert all(str(path) in result.message for path in bad)
    assert "\\n" not in result.message
    assert "Traceback" not in result.err
    assert "accuracy" not in result.out
    assert not Path("run/metrics.json").exists()
    assert json.loads(Path("run/status.json").read_text())["status"] == "failed"


def test_what_was_trained_without_the_bad_files_is_evaluated_so(train: Verb, verb: Verb, root: Path) -> None:
    (root / "bee" / "bad.jpg").write_bytes(b"no picture")
    where = f"data.root={root}"
    assert train(*OPTIONS, where, "data.on_bad_file=skip", "hydra.run.dir=run").code == 0
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out")
    assert result.code == 0, result.err
    expected = {k: v for k, v in _metrics("run").items() if k.startswith(("test/", "data/"))}
    assert _metrics("out") == expected
    assert expected["data/skipped_files"] == 1
    assert "bad.jpg" in Path("out/skipped_files.txt").read_text()
    assert "bad.jpg" in result.out
    assert verb("evaluate", "ckpt=run", "device=cpu", "data.on_bad_file=stop").code == 1


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_bad_files_that_are_skipped_move_no_other_and_a_count_that_has_them_says_so(
    train: Verb, verb: Verb, root: Path, part: str
) -> None:
    """In a run, when it is resumed, and in an evaluation: only of what has been read are they left out."""
    found = ImageData("image_folder", root=str(root), cache=False).known.parts()
    sizes = {name: len(samples) for name, samples in found.items()}
    Path(found[part].name(0)).write_bytes(b"no picture")
    words = (f"data.root={root}", "data.on_bad_file=skip", "hydra.run.dir=run")
    begun = train(*OPTIONS, *words)
    answers = Path("run/predictions.csv").read_text()
    resumed = verb("train", "resume=run")
    assert Path("run/predictions.csv").read_text() == answers
    evaluated = verb("evaluate", "ckpt=run", "device=cpu")
    for result, read in ((begun, ("train", "val")), (resumed, ("train", "val")), (evaluated, ("test",))):
        assert result.code == 0, result.err
        counts = " / ".join(str(size - (name == part and name in read)) for name, size in sizes.items())
        unread = " and ".join(name for name in sizes if name not in read)
        told = f"image_folder, {counts} images (train / val / test, bad files of {unread} still counted)"
        assert told in result.out


def test_streamed_and_resident_images_give_the_same_figures(train: Verb, root: Path) -> None:
    augmented = ("augmentation=flip_shift", "model.head_dropout=0.5", "model.num_layers=2", "model.dropout=0.3")
    for format in ("resident", "streaming"):
        words = (*OPTIONS, *augmented, f"data.root={root}", f"data.format={format}", f"hydra.run.dir={format}")
        result = train(*words)
        assert result.code == 0, result.err
        assert f"{format}" in result.out
    one, other = (_metrics(format) for format in ("resident", "streaming"))
    for timed in ("train/seconds", "train/samples_per_second", "predict/milliseconds"):
        assert min(one.pop(timed), other.pop(timed)) > 0
    assert one == other


@pytest.mark.parametrize("option", ["digits", "clothes", "flip_shift", "imagenet"])
def test_every_augmentation_trains(train: Verb, root: Path, option: str) -> None:
    result = train(*OPTIONS, f"data.root={root}", f"augmentation={option}", "trainer.max_epochs=1")
    assert result.code == 0, result.err
    assert ("streaming" in result.out) == (option == "imagenet")


def test_images_that_are_not_square_are_trained_on_evaluated_and_classified(
    train: Verb, verb: Verb, root: Path
) -> None:
    words = ("data.image_size=[8,12]", "data.fit=letterbox", "data.mean=[0.5]", "data.std=[0.2,0.25,0.3]")
    assert train(*OPTIONS, *words, f"data.root={root}", "hydra.run.dir=run").code == 0
    assert verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out").code == 0
    assert _metrics("out") == {k: v for k, v in _metrics("run").items() if k.startswith("test/")}
    classifier = load("run")
    assert classifier.input_shape == (3, 8, 12)
    assert classifier.view.reduced_scale  # new networks are trained so, and keep it
    assert classifier.description["normalisation"] == {"mean": [0.5] * 3, "std": [0.2, 0.25, 0.3]}
    assert len(classifier(torch.zeros(2, 3, 8, 12, dtype=torch.uint8))) == 2


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.imagesize=3", "did you mean data.image_size?"),
        ("data.image_size=8x12", "data.image_size=8x12: must be a whole number, or a list of 2 values"),
        ("data.image_size=[8]", "data.image_size=[8]: must be a whole number, or a list of 2 values"),
        ("data.image_size=[8,0]", "data.image_size=[8, 0]: must be a side, or [height, width]"),
        ("data.fit=lettrbox", "did you mean letterbox? Try: rnnvision train "),
        ("data.first_frame=once", "data.first_frame=once: must be true or false"),
        ("data.mean=[128]", "data.mean=[128]: must be a list of numbers from 0 to 1"),
        ("data.std=[0.1,0.2]", "data.std=[0.1, 0.2]: give 1 value or 3, one for each channel"),
    ],
)
def test_an_option_of_image_files_that_cannot_be_right_is_told(
    train: Verb, root: Path, word: str, message: str
) -> None:
    result = train(*OPTIONS, f"data.root={root}", word)
    assert result.code == 2
    assert message in result.message
    assert len(result.message.splitlines()) == 1
