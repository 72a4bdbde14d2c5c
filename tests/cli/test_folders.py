"""A folder that changes after a training: a score is of the same images, and what has changed is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rnnvision.data import ImageData
from rnnvision.runs import Run
from rnnvision.training import VerifiedCheckpointIO, read_checkpoint
from tests.cli.running import Verb

OPTIONS = ("data=image_folder", "data.root=photos", "data.image_size=8", "data.num_workers=0", "data.batch_size=16")


def noise(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)


def draw(root: str, count: int = 20, classes: str = "abc", start: int = 0) -> None:
    for label, name in enumerate(classes):
        for i in range(count):
            noise(Path(root, name, f"{i}.png"), start + 1000 * label + i)


def _metrics(folder: str) -> dict[str, float]:
    return json.loads((Path(folder) / "metrics.json").read_text())


def _lines(out: str, head: str) -> list[str]:
    return [line.removeprefix(head).strip() for line in out.splitlines() if line.startswith(head)]


@pytest.fixture
def run(train: Verb) -> str:
    draw("photos")
    assert train(*OPTIONS, "hydra.run.dir=run", "trainer.limit_val_batches=1.0").code == 0
    return "run"


@pytest.mark.parametrize("edit", ["add", "delete", "rename", "replace", "copy"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_the_score_stays_that_of_the_same_images(verb: Verb, run: str, edit: str, split: str) -> None:
    """Edits of what was trained on; the network is random, so another image would give another loss."""
    found = verb("evaluate", f"ckpt={run}", f"split={split}", "device=cpu", "hydra.run.dir=before")
    assert "note" not in found.out
    path = Path("photos/a/0.png")
    trained = verb("evaluate", f"ckpt={run}", "split=train", "device=cpu", "hydra.run.dir=train")
    assert trained.code == 0
    if edit == "add":
        noise(Path("photos/a/new.png"), 99)
    elif edit == "delete":
        path.unlink()
    elif edit == "rename":
        path.rename("photos/a/renamed.png")
    elif edit == "replace":
        noise(path, 99)
    else:
        Path("photos/a/copy.png").write_bytes(path.read_bytes())
    after = verb("evaluate", f"ckpt={run}", f"split={split}", "device=cpu", "hydra.run.dir=after")
    kind = {"delete": "removed", "add": "added", "copy": "copied"}.get(edit, f"{edit}d")
    assert any(note.startswith(f"since the training: 1 {kind}") for note in _lines(after.out, "note"))
    assert _metrics("after")[f"{split}/images"] - _metrics("before")[f"{split}/images"] in (-1, 0, 1)
    assert f"on {_metrics('after')[f'{split}/images']:.0f} images" in after.out


def test_a_resumed_run_says_what_came(verb: Verb, run: str) -> None:
    before = _metrics(run)
    for i in range(30):
        noise(Path("photos/a", f"new{i}.png"), 5000 + i)
    result = verb("train", f"resume={run}", "trainer.max_epochs=8", "trainer.max_steps=-1")
    assert result.code == 0, result.err
    assert _lines(result.out, "note")[0].startswith("since the training: 30 added")
    assert _metrics("run")["test/images"] >= before["test/images"]


@pytest.mark.parametrize("before", ["completed", "interrupted", "running"])
@pytest.mark.parametrize(("edit", "code"), [("gone", 2), ("damaged", 1), ("interrupted", 130)])
def test_a_resume_that_does_not_get_to_its_first_step_changes_nothing(
    verb: Verb, run: str, monkeypatch: pytest.MonkeyPatch, before: str, edit: str, code: int
) -> None:
    """Its figures and its checkpoints are those of the run as it was, and so is its status."""
    files = [Path(run) / name for name in ("status.json", "environment.json", "train.log", ".hydra/config.yaml")]
    files[0].write_text(files[0].read_text().replace("completed", before))
    kept = [path.read_text() for path in files]
    if edit == "gone":
        Path("photos").rename("elsewhere")
    elif edit == "damaged":
        Path("photos/a/0.png").write_bytes(b"no image")
    else:
        monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", interrupt)
    result = verb("train", f"resume={run}", "trainer.max_epochs=8", "trainer.max_steps=-1")
    assert result.code == code, result.err
    assert len(result.message.splitlines()) == 1
    assert [path.read_text() for path in files[: 3 if code != 130 else 2]] == kept[: 3 if code != 130 else 2]
    assert files[3].read_text() == kept[3]
    assert Run(Path(run)).state == {"running": "killed"}.get(before, before)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_folder_that_is_not_there_is_wrong_use(verb: Verb, train: Verb, run: str, name: str) -> None:
    Path("photos").rename("elsewhere")
    result = train(*OPTIONS) if name == "train" else verb("evaluate", f"ckpt={run}", "device=cpu")
    assert result.code == 2
    assert result.message.endswith("photos: there is no such folder; give data.root=FOLDER")
    if name == "train":
        assert len(list(Path("logs").rglob("status.json"))) == 0


def test_the_first_lines_count_the_images_of_each_class(train: Verb) -> None:
    draw("photos", 40, "ab")
    draw("photos", 1, "c", 500)
    result = train(*OPTIONS)
    assert result.code == 0, result.err
    classes = _lines(result.out, "classes")
    assert "c: 1 in train" in classes[0]
    assert classes[1:] == ["val has no image of c", "test has no image of c"]


def test_another_folder_is_measured_whole_and_what_it_lacks_is_said(verb: Verb, run: str) -> None:
    draw("other", 10, "ab", 7000)
    result = verb("evaluate", f"ckpt={run}", "data.root=other", "device=cpu", "hydra.run.dir=out")
    assert result.code == 0, result.err
    assert _metrics("out")["test/images"] == 20
    assert "on 20 images" in result.out
    assert "test has no image of c" in _lines(result.out, "classes")
    assert any("no image of this folder" in note for note in _lines(result.out, "note"))
    draw("lone/test", 4, "abc", 8000)
    result = verb("evaluate", f"ckpt={run}", "data.root=lone", "device=cpu", "hydra.run.dir=lone_out")
    assert _metrics("lone_out")["test/images"] == 12


def test_a_split_that_the_folder_does_not_have_is_told(verb: Verb, run: str) -> None:
    draw("lone/test", 4, "abc", 8000)
    result = verb("evaluate", f"ckpt={run}", "data.root=lone", "split=val", "device=cpu")
    assert result.code == 1
    assert "lone: holds no image for val (the network has seen no image of this folder" in result.message
    assert result.message.endswith("choose another split or data.root")


def test_a_test_folder_of_nothing_but_training_images_is_told(verb: Verb, run: str) -> None:
    trained = ImageData("image_folder", root="photos", image_size=8, num_workers=0)
    for index in range(len(trained.known.train)):
        path = Path(trained.known.train.name(index))  # type: ignore[attr-defined]
        copy = Path("seen/test", path.parent.name, path.name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    result = verb("evaluate", f"ckpt={run}", "data.root=seen", "device=cpu")
    assert result.code == 1
    assert "holds no image for test (since the training: " in result.message
    assert "put back into the split of then" in result.message


def test_what_only_other_splits_need_is_not_decoded(verb: Verb, run: str) -> None:
    """A damaged training image does not stop the measuring of the test split."""
    for path in Path("photos/a").iterdir():
        content = path.read_bytes()
        path.write_bytes(b"no image")
        result = verb("evaluate", f"ckpt={run}", "device=cpu", "split=train", f"hydra.run.dir=out/{path.stem}")
        path.write_bytes(content)
        if result.code == 1:
            break
    path.write_bytes(b"no image")
    assert verb("evaluate", f"ckpt={run}", "device=cpu", "split=test").code == 0


def test_how_many_were_trained_on_is_kept(train: Verb, verb: Verb) -> None:
    draw("photos")
    assert train(*OPTIONS, "data.max_train_samples=10", "hydra.run.dir=run").code == 0
    assert verb("evaluate", "ckpt=run", "split=train", "device=cpu", "hydra.run.dir=out").code == 0
    assert _metrics("out")["train/images"] == 10


def test_a_run_of_version_0_1_goes_on_with_the_split_of_that_time(verb: Verb, train: Verb) -> None:
    """It kept no record, and its configuration does not say how the split was cut: by position."""
    draw("photos", 40)
    assert train(*OPTIONS, "+data.by_path=false", "hydra.run.dir=run", "trainer.limit_val_batches=1.0").code == 0
    config = Path("run/.hydra/config.yaml")
    config.write_text(config.read_text().replace("  by_path: false\n", ""))
    for name in ("best", "last"):
        path = Path(f"run/checkpoints/{name}.ckpt")
        checkpoint = read_checkpoint(path)
        del checkpoint["rnnvision"]["data"]["by_path"]
        VerifiedCheckpointIO().save_checkpoint(checkpoint, path)
    before = _metrics("run")
    result = verb("train", "resume=run")  # nothing is left to train
    assert result.code == 0, result.err
    again = _metrics("run")
    assert [again[f"test/{name}"] for name in ("images", "nll")] == [
        before[f"test/{name}"] for name in ("images", "nll")
    ]


def test_a_bad_file_that_is_not_trained_on_ends_nothing(train: Verb, verb: Verb) -> None:
    """Beyond data.max_train_samples: it is neither decoded for the training nor for the test after it."""
    draw("photos")
    assert train(*OPTIONS, "data.max_train_samples=10", "hydra.run.dir=before").code == 0
    kept = ImageData("image_folder", root="photos", image_size=8, num_workers=0, max_train_samples=10)
    everything = ImageData("image_folder", root="photos", image_size=8, num_workers=0)
    train_files, first = (
        [data.known.train.name(i) for i in range(len(data.known.train))]  # type: ignore[attr-defined]
        for data in (everything, kept)
    )
    beyond = next(name for name in train_files if name not in first)
    Path(beyond).write_bytes(b"no image")
    for folder in ("run", "streamed"):
        words = ("data.format=streaming",) if folder == "streamed" else ()
        result = train(*OPTIONS, *words, "data.max_train_samples=10", f"hydra.run.dir={folder}")
        assert result.code == 0, result.err
        assert _metrics(folder)["test/images"] == _metrics("before")["test/images"]
    assert verb("evaluate", "ckpt=run", "split=train", "device=cpu").code == 0
