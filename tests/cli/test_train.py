"""rnnvision train: what it prints, what it leaves behind, and how it ends."""

import csv
import json
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Verb

LATEST = Path("logs/train/latest")


def test_a_run_leaves_a_complete_folder(train: Verb) -> None:
    result = train()
    assert result.code == 0, result.err
    folder = LATEST.resolve()
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
    status = json.loads((LATEST / "status.json").read_text())
    assert status["status"] == "completed"
    assert status["error"] is None
    assert (
        json.loads((LATEST / "environment.json").read_text())["versions"]["torch"]
        == torch.__version__.partition("+")[0]
    )


def test_it_says_what_it_does_and_what_to_do_next(train: Verb) -> None:
    lines = [line for line in train().out.splitlines() if line]
    assert [line.split()[0] for line in lines[:4]] == ["network", "data", "device", "folder"]
    assert lines[4].startswith("epoch   1")
    assert lines[-3].startswith("test accuracy 0.")
    folder = lines[-2].split()[1]
    assert lines[-1].split(maxsplit=1)[1] == f"rnnvision evaluate ckpt={folder}"


def test_metrics_are_flat_and_agree_with_what_was_printed(train: Verb) -> None:
    out = train().out
    metrics = json.loads((LATEST / "metrics.json").read_text())
    assert {
        "val/accuracy",
        "train/seconds",
        "test/accuracy",
        "test/f1",
        "test/nll",
        "test/ece",
        "test/top5",
    } <= metrics.keys()
    assert f"test accuracy {metrics['test/accuracy']:.4f}" in out
    rows = list(csv.DictReader((LATEST / "metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert metrics["val/accuracy"] == pytest.approx(max(float(row["val/accuracy"]) for row in rows))


def test_the_speed_of_the_training_is_that_of_all_its_samples(train: Verb) -> None:
    assert train("trainer.limit_train_batches=1.0", "trainer.max_steps=-1", "trainer.max_epochs=2").code == 0
    metrics = json.loads((LATEST / "metrics.json").read_text())
    assert metrics["train/samples_per_second"] * metrics["train/seconds"] == pytest.approx(2 * 1293, rel=0.01)


def test_the_same_seed_gives_the_same_weights(train: Verb) -> None:
    weights = []
    for name in "ab":
        assert train(f"hydra.run.dir={name}", "model.head_dropout=0.5").code == 0
        weights.append(torch.load(f"{name}/checkpoints/last.ckpt", weights_only=True)["state_dict"])
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_another_seed_gives_other_weights(train: Verb) -> None:
    weights = []
    for seed in (0, 1):
        assert train(f"hydra.run.dir={seed}", f"seed={seed}").code == 0
        weights.append(torch.load(f"{seed}/checkpoints/last.ckpt", weights_only=True)["state_dict"])
    assert any(not torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


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


def test_a_folder_that_holds_a_run_is_not_overwritten(train: Verb) -> None:
    assert train("hydra.run.dir=run").code == 0
    before = Path("run/status.json").read_text()
    result = train("hydra.run.dir=run")
    assert result.code == 2
    assert "run: already holds a run" in result.message
    assert "resume=run" in result.message
    assert Path("run/status.json").read_text() == before


def test_a_training_that_diverges_is_a_failure(train: Verb) -> None:
    result = train("optimizer.lr=1e30", "trainer.gradient_clip_val=null")
    assert result.code == 1
    assert "the training loss became" in result.err
    assert "optimizer.lr" in result.err
    assert "Traceback" not in result.err
    status = json.loads((LATEST / "status.json").read_text())
    assert status["status"] == "failed"
    assert "the training loss became" in status["error"]


def test_a_mistake_leaves_the_link_to_the_newest_run_where_it_was(train: Verb) -> None:
    assert train("model.num_layers=0").code == 2
    assert not LATEST.exists()
    assert not LATEST.is_symlink()
    assert train("hydra.run.dir=good").code == 0
    assert train("model.num_layers=0").code == 2
    assert LATEST.resolve() == Path("good").resolve()
