"""rnnvision train with a network that is fitted in one go: the same run folder, and what it cannot do."""

import json
import os
import re
import signal
import threading
from pathlib import Path

import pytest

from rnnvision.nn.controls.svm import SVMS, LinearSVM
from rnnvision.runs import find_runs
from rnnvision.training import TrainingError
from rnnvision.training.svm_fit import FITS
from tests.cli.running import Verb

LATEST = Path("logs/train/latest")


@pytest.mark.parametrize("model", SVMS)
def test_a_fit_leaves_the_folder_of_a_training_that_evaluate_can_measure(verb: Verb, model: str) -> None:
    result = verb("train", f"model={model}", "device=cpu")
    assert result.code == 0, result.err
    assert f"network   {model}, 1 x 8 x 8 -> 10" in result.out
    metrics = json.loads((LATEST / "metrics.json").read_text())
    keys = {"val/accuracy", "train/seconds", *(f"test/{name}" for name in ("accuracy", "f1", "nll", "ece", "top5"))}
    assert keys <= metrics.keys()
    assert f"test accuracy {metrics['test/accuracy']:.4f}" in result.out
    assert json.loads((LATEST / "status.json").read_text())["status"] == "completed"
    assert (LATEST / "environment.json").is_file()
    assert metrics["test/accuracy"] > {"linear_svm": 0.9, "rbf_svm": 0.96}[model]
    assert metrics["test/nll"] < 0.6

    measured = verb("evaluate", f"ckpt={LATEST}", "trainer.accelerator=cpu")
    assert measured.code == 0, measured.err
    found = json.loads(Path("logs/evaluate/latest/metrics.json").read_text())
    assert found == {key: value for key, value in metrics.items() if key.startswith("test/")}
    validated = verb("evaluate", f"ckpt={LATEST}", "split=val", "trainer.accelerator=cpu")
    assert f"val accuracy {metrics['val/accuracy']:.4f}" in validated.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["augmentation=digits"], "augmentation: model=rbf_svm is fitted in one go, .*augmentation=none"),
        (["data.max_train_samples=5"], "class . has no training image"),
        (["model.cost=0"], "model.cost=0: must be a number above 0"),
    ],
)
def test_what_a_fit_cannot_do_is_told(verb: Verb, words: list[str], message: str) -> None:
    result = verb("train", "model=rbf_svm", "device=cpu", *words)
    assert result.code in (1, 2)
    assert "\n" not in result.message
    assert re.search(message, result.message), result.message


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_fit_at_once(verb: Verb, monkeypatch: pytest.MonkeyPatch, signum: int, code: int) -> None:
    ended = threading.Event()

    def endless(*_: object) -> dict[str, object]:
        os.kill(os.getpid(), signum)
        assert ended.wait(60)
        raise TrainingError("it was waited for")

    monkeypatch.setitem(FITS, LinearSVM, endless)
    try:
        assert verb("train", "model=linear_svm", "device=cpu").code == code
    finally:
        ended.set()
    (run,) = find_runs(Path("logs"))
    assert run.status == "interrupted"
    assert not (run.path / "checkpoints" / "best.ckpt").exists()
    assert not LATEST.is_symlink()  # there is no result to point to


def test_a_fit_is_not_resumed(verb: Verb) -> None:
    assert verb("train", "model=linear_svm", "device=cpu").code == 0
    folder = LATEST.resolve()
    before = (folder / "metrics.json").read_text()
    result = verb("train", f"resume={folder}")
    assert result.code == 2
    assert "model=linear_svm is fitted in one go" in result.message
    assert (folder / "metrics.json").read_text() == before
