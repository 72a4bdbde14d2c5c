"""rnnvision train: what it prints, what it leaves behind, and how it ends."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rnnvision import training
from rnnvision.data import CATALOG
from rnnvision.runs import Run
from rnnvision.training import Learner, checkpoint, read_checkpoint
from tests.cli.running import TINY, Copy, Verb

LATEST = Path("logs/train/latest")


def test_a_run_leaves_a_complete_folder(trained: Copy) -> None:
    folder = trained("run")
    names = {str(p.relative_to(folder)) for p in folder.rglob("*")}
    assert names >= {
        ".hydra/config.yaml",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics.csv",
        "metrics.json",
        "status.json",
        "environment.json",
    }
    run = Run(folder)
    assert (run.status, run.error) == ("completed", None)
    assert run.environment["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert run.overrides == list(TINY)
    assert {"threads", "gpus", "git", "cpu", "command"} <= run.environment.keys()


def test_it_says_what_it_does_and_what_to_do_next(said: str) -> None:
    lines = [line for line in said.splitlines() if line]
    assert [line.split()[0] for line in lines[:5]] == ["network", "data", "classes", "device", "folder"]
    assert lines[0] == "network   lstm: sequence_classifier, hidden_size 8, 1 x 8 x 8 -> 10, 666 parameters"
    assert "1,293 / 144 / 360 images (train / val / test) of 1 x 8 x 8, 10 classes" in lines[1]
    assert lines[4].split() == ["folder", "run"]
    assert lines[5].startswith("epoch   1")
    assert lines[-3].startswith("test accuracy 0.")
    assert lines[-2:] == ["results   run: predictions.csv, classes.csv", "next      rnnvision evaluate ckpt=run"]


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], "lstm: sequence_classifier, 1 x 8 x 8"),
        (
            ["model=gru", "model.scan=columns", "model.layer.gate_bias=chrono", "model.num_layers=2"],
            "gru: sequence_classifier, scan columns, recurrence gru, num_layers 2, layer.gate_bias chrono, 1 x 8 x 8",
        ),
        (["model=logistic"], "logistic, 1 x 8 x 8"),
    ],
    ids=["defaults", "several", "the option's own name"],
)
def test_the_first_line_says_what_differs_from_the_defaults(verb: Verb, words: list[str], shown: str) -> None:
    result = verb("train", *words, *TINY[:2], "trainer.max_epochs=1", "trainer.limit_train_batches=1")
    assert result.code == 0, result.err
    assert result.out.startswith(f"network   {shown} -> 10, ")


def test_metrics_are_flat_and_agree_with_what_was_printed(trained: Copy, said: str) -> None:
    run = Run(trained("run"))
    assert {
        "val/accuracy",
        "train/seconds",
        "test/accuracy",
        "test/f1",
        "test/nll",
        "test/ece",
        "test/top5",
        "model/multiply_adds",
    } <= run.metrics.keys()
    assert run.metrics["model/parameters"] == 666
    assert 0 < run.metrics["predict/milliseconds"] < 1000
    assert f"test accuracy {run.metrics['test/accuracy']:.4f}" in said
    assert [row["epoch"] for row in run.epochs] == ["0", "1"]
    assert run.metrics["val/accuracy"] == pytest.approx(max(float(row["val/accuracy"]) for row in run.epochs))


def test_data_and_the_best_checkpoint_are_read_once(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    """The score at the end needs neither the data nor a checkpoint again."""
    read: list[str] = []

    def counted(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            read.append(name if name == "data" else Path(arguments[0]).name)
            return function(*arguments, **options)

        return call

    digits = CATALOG["digits"]
    monkeypatch.setitem(CATALOG, "digits", replace(digits, read=counted("data", digits.read)))
    for module in (training, checkpoint):
        monkeypatch.setattr(module, "read_checkpoint", counted("checkpoint", read_checkpoint))
    assert train().code == 0
    assert read == ["data", "best.ckpt"]


def test_the_wish_for_a_traceback_is_the_users_own_and_reaches_children(
    train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hydra is told to raise what it would print; neither children nor what runs afterwards may see that."""
    seen: list[str | None] = []
    start = Learner.on_train_start

    def note(self: Learner) -> None:
        code = "import os; print(os.environ.get('HYDRA_FULL_ERROR'))"
        seen.append(subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True).stdout.strip())
        start(self)

    monkeypatch.setattr(Learner, "on_train_start", note)
    for words, code in (((), 0), (("model.num_layers=0",), 2), (("model=grru",), 2)):
        result = train(*words)
        assert result.code == code
        assert "HYDRA_FULL_ERROR" not in os.environ
        assert "Traceback" not in result.err
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert train().code == 0
    assert os.environ["HYDRA_FULL_ERROR"] == "1"
    assert seen == ["None", "1"]
    result = train("+trainer.val_check_interval=1000")  # found when the data is there
    assert result.code == 2
    assert "Traceback" in result.err
    assert result.message.splitlines()[-1].startswith("rnnvision train: trainer.val_check_interval=1000: an epoch")


def test_the_speed_of_the_training_is_that_of_all_its_samples(train: Verb) -> None:
    assert train("trainer.limit_train_batches=1.0", "trainer.max_steps=-1", "trainer.max_epochs=2").code == 0
    metrics = json.loads((LATEST / "metrics.json").read_text())
    assert metrics["train/samples_per_second"] * metrics["train/seconds"] == pytest.approx(2 * 1293, rel=0.01)


def test_the_same_seed_gives_the_same_weights_and_another_one_others(train: Verb) -> None:
    weights = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        assert train(f"hydra.run.dir={name}", "model.head_dropout=0.5", f"seed={seed}").code == 0
        weights.append(torch.load(f"{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert any(not torch.equal(weights[0][key], weights[2][key]) for key in weights[0])


@pytest.mark.parametrize(
    "words",
    [
        ["callbacks=[early_stopping,ema]"],
        ["debug=one_batch"],
        ["debug=profiler"],
        ["debug=overfit", "trainer.max_epochs=2"],
        ["logger=tensorboard"],
        ["optimizer=sgd", "scheduler=plateau"],
        ["data=fake", "data.image_shape=[3,8,8]", "data.num_train=64", "data.num_test=32", "model=gru"],
    ],
    ids=lambda words: words[0],
)
def test_every_kind_of_run_ends_well(train: Verb, words: list[str]) -> None:
    result = train(*words)
    assert result.code == 0, result.err
    assert "test accuracy" in result.out
    assert json.loads((LATEST / "status.json").read_text())["status"] == "completed"


def test_overfitting_one_batch_reaches_it(verb: Verb) -> None:
    result = verb("train", "debug=overfit", "device=cpu", "model.hidden_size=32", "data.max_train_samples=16")
    assert result.code == 0, result.err
    assert json.loads((LATEST / "metrics.json").read_text())["train/accuracy"] == 1.0


def test_a_folder_that_holds_a_run_is_not_overwritten(train: Verb, trained: Copy) -> None:
    trained("run")
    before = Path("run/status.json").read_text()
    result = train("hydra.run.dir=run")
    assert result.code == 2
    assert "run: already holds a run" in result.message
    assert "resume=run" in result.message
    assert Path("run/status.json").read_text() == before


def test_a_training_that_diverges_is_a_failure(train: Verb) -> None:
    result = train("optimizer.lr=1000", "optimizer.weight_decay=1000", "hydra.run.dir=run")
    assert result.code == 1
    assert "the training loss became" in result.err
    assert "optimizer.lr" in result.err
    assert "Traceback" not in result.err
    run = Run(Path("run"))
    assert run.status == "failed"
    assert "the training loss became" in str(run.error)


def test_a_score_that_is_no_number_is_a_failure(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are finite and give no finite answer, where nothing before the test has looked."""
    unseen = ("trainer.limit_train_batches=1", "trainer.max_epochs=1", "trainer.limit_val_batches=0", "callbacks=none")

    def spoil(self: Learner) -> None:
        with torch.no_grad():
            self.network.head.weight.fill_(3e38)

    monkeypatch.setattr(Learner, "on_train_end", spoil)
    result = train(*unseen)
    assert result.code == 1
    assert len(result.message.splitlines()) == 1
    assert re.search(r"test/\w+ is (nan|inf): the network gives no finite numbers", result.message)
    run = Run(LATEST)
    assert run.status == "failed"
    assert {"train/loss"} <= run.metrics.keys()
    assert not any(name.startswith("test/") for name in run.metrics)


def test_a_mistake_leaves_the_link_to_the_newest_run_where_it_was(train: Verb) -> None:
    assert train("model.num_layers=0").code == 2
    assert not LATEST.exists()
    assert not LATEST.is_symlink()
    assert train("hydra.run.dir=good").code == 0
    assert train("model.num_layers=0").code == 2
    assert LATEST.resolve() == Path("good").resolve()
