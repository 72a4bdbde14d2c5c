"""The best checkpoint of a run: what is printed and written of it is what its weights give, whatever chose it."""

import json
from pathlib import Path

import pytest

from rnnvision.runs import Run
from rnnvision.training import VerifiedCheckpointIO, read_checkpoint
from tests.cli.frame.test_messages import _check
from tests.cli.running import Verb

SMALL = ("data=fake", "data.image_shape=[1,8,8]", "data.num_train=72", "data.num_test=24", "data.val_fraction=0.25")
HERE = "dirpath:'${hydra:runtime.output_dir}/checkpoints'"
QUICK = (*SMALL, "data.batch_size=16", "model.hidden_size=4", "device=cpu", "trainer.max_epochs=4", "optimizer.lr=0.3")
NAMES = ("val/accuracy", "val/loss")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("callbacks.best.monitor=val/loss",),
        ("callbacks.best.monitor=train/accuracy",),
        ("trainer.check_val_every_n_epoch=3",),
        ("+trainer.val_check_interval=0.5", "callbacks.best.monitor=val/loss"),
        ("callbacks=ema", "callbacks.ema.decay=0.5"),
        ("callbacks.best.save_top_k=0",),
        ("optimizer.lr=0",),  # every epoch ties
    ],
    ids=lambda words: words[0] if words else "defaults",
)
def test_the_figures_are_those_of_the_weights_that_are_kept(verb: Verb, words: tuple[str, ...]) -> None:
    result = verb("train", *QUICK, "hydra.run.dir=run", *words)
    assert result.code == 0, result.err
    metrics = Run(Path("run")).metrics
    assert verb("evaluate", "ckpt=run", "split=val", "device=cpu").code == 0
    found = json.loads(Path("logs/evaluate/latest/metrics.json").read_text())
    assert metrics["val/accuracy"] == pytest.approx(found["val/accuracy"])
    assert metrics["val/loss"] == pytest.approx(found["val/nll"], rel=1e-4)
    best = Path("run/checkpoints/best.ckpt")
    assert ("of the last weights" in result.out) is not best.is_file()
    if best.is_file():
        assert read_checkpoint(best)["rnnvision"]["validation"] == {name: metrics[name] for name in NAMES}


def test_a_run_of_an_earlier_version_goes_on_and_is_scored_by_its_best_epoch(verb: Verb) -> None:
    """Its callback was Lightning's, and its checkpoints do not say how they were validated."""
    old = ("_target_=lightning.pytorch.callbacks.ModelCheckpoint", "mode=max")
    new = ("filename=best", "save_on_train_epoch_end=true", "enable_version_counter=false")
    words = [*(f"callbacks.best.{word}" for word in old), *(f"+callbacks.best.{word}" for word in new)]
    assert verb("train", *QUICK, "hydra.run.dir=run", *words).code == 0
    for name in ("best", "last"):
        path = Path(f"run/checkpoints/{name}.ckpt")
        checkpoint = read_checkpoint(path)
        del checkpoint["rnnvision"]["validation"]
        VerifiedCheckpointIO().save_checkpoint(checkpoint, path)
    metrics = Run(Path("run")).metrics
    for epochs in (4, 5):  # nothing left to train, and one epoch
        result = verb("train", "resume=run", f"trainer.max_epochs={epochs}")
        assert result.code == 0, result.err
        again = Run(Path("run")).metrics
        assert again["val/accuracy"] >= metrics["val/accuracy"]
        assert verb("evaluate", "ckpt=run", "split=val", "device=cpu").code == 0
        found = json.loads(Path("logs/evaluate/latest/metrics.json").read_text())
        assert again["val/accuracy"] == pytest.approx(found["val/accuracy"])


MINE = "_target_:lightning.pytorch.callbacks.ModelCheckpoint"
STOP = "callbacks.early_stopping"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["callbacks.best.monitor=val_acc"], ["callbacks.best.monitor=val_acc", "did you mean", "=val/accuracy?"]),
        (["callbacks.best.monitor=test/loss"], ["callbacks.best.monitor=test/loss: choose one of val/accuracy"]),
        (["callbacks.best.monitor=null"], ["callbacks.best.monitor=null: choose one of val/accuracy"]),
        (["callbacks.best.mode=min"], ["a higher val/accuracy is better; choose callbacks.best.mode=max"]),
        (["callbacks.best.monitor=lr"], ["callbacks.best.mode=null", "choose min or max"]),
        (["callbacks.best.mode=best"], ["callbacks.best.mode=best"]),
        (["callbacks.best.save_top_k=3"], ["callbacks.best.save_top_k=3: ", "0 or 1"]),
        (["+callbacks.best.filename=mine"], ["callbacks.best.filename=mine: must stay best", "+callbacks.NAME="]),
        (["callbacks.best.dirpath=elsewhere"], ["callbacks.best.dirpath=elsewhere: must stay checkpoints/"]),
        (["trainer.limit_val_batches=0"], ["trainer.limit_val_batches=0 leaves no validation", "callbacks.best=null"]),
        (
            ["trainer.check_val_every_n_epoch=5", "trainer.max_epochs=3"],
            ["callbacks.best.monitor=val/accuracy: ", "leaves no validation in trainer.max_epochs=3", "=3 or less"],
        ),
        (
            ["callbacks=early_stopping", "callbacks.best.monitor=train/loss", "trainer.check_val_every_n_epoch=21"],
            [f"{STOP}.monitor=val/loss: ", "leaves no validation in trainer.max_epochs=20"],
        ),
        (["trainer.limit_val_batches=0", "scheduler=plateau", "callbacks.best=null"], ["scheduler.name=plateau"]),
        (["+callbacks.best.every_n_train_steps=3"], ["callbacks.best.every_n_train_steps: there is no such key"]),
        (["callbacks.last.filename=mine"], ["callbacks.last.filename=mine: must stay last"]),
        (["+callbacks.last.every_n_train_steps=3"], ["a run is resumed from this file"]),
        (["+callbacks.last.save_weights_only=true"], ["a run is resumed from this file"]),
        (["callbacks.last.save_on_train_epoch_end=false"], ["a run is resumed from the end of an epoch"]),
        (
            [f"+callbacks.mine={{{MINE},{HERE},filename:best,monitor:val/loss}}"],
            ["callbacks.best writes that file"],
        ),
        (
            [f"+callbacks.mine={{{MINE},{HERE},filename:last,monitor:val/loss}}"],
            ["callbacks.last writes that file"],
        ),
        (
            [f"+callbacks.mine={{{MINE},filename:mine,monitor:val/loss,save_top_k:2,enable_version_counter:false}}"],
            ["callbacks.mine.save_top_k=2: each would overwrite the one before"],
        ),
        ([f"+callbacks.mine={{{MINE},monitor:train/loss,every_n_train_steps:3}}"], ["train/loss is known at the end"]),
        ([f"+callbacks.mine={{{MINE},monitor:train/loss,save_on_train_epoch_end:false}}"], ["choose null"]),
        ([f"+callbacks.mine={{{MINE},filename:'{{val_loss}}',every_n_epochs:2}}"], ["did you mean val/loss?"]),
        ([f"+callbacks.mine={{{MINE},filename:'{{val/loss:d}}',every_n_epochs:2}}"], ["callbacks.mine.filename="]),
        (["callbacks=early_stopping", f"{STOP}.monitor=val_acc"], [f"{STOP}.monitor=val_acc", "val/accuracy?"]),
        (["callbacks=early_stopping", f"{STOP}.mode=max"], [f"choose {STOP}.mode=min"]),
        (["callbacks=early_stopping", f"{STOP}.patience=-1"], [f"{STOP}.patience=-1: must be"]),
        (
            ["callbacks=early_stopping", "callbacks.best=null", "trainer.limit_val_batches=0"],
            [f"{STOP}.monitor=val/loss"],
        ),
        (
            ["callbacks=early_stopping", f"+{STOP}.check_on_train_epoch_end=true", "trainer.check_val_every_n_epoch=2"],
            [f"choose {STOP}.check_on_train_epoch_end=null"],
        ),
        (["callbacks.best=3"], ["callbacks.best=3: must be null, or KEY: VALUE pairs"]),
        (["callbacks.best.monitor=[1]"], ["callbacks.best.monitor=[1]: must be text"]),
        (["callbacks.best.dirpath=3"], ["callbacks.best.dirpath=3: must be"]),
        (["callbacks=ema", "callbacks.ema.decay=2"], ["callbacks.ema", "decay"]),
        (["callbacks=ema", "+callbacks.ema.device=cuda"], ["callbacks.ema.device=cuda"]),
        (["callbacks=ema", "+callbacks.ema.kwargs={a:1}"], ["callbacks.ema.kwargs: there is no such key"]),
        (["logger.csv.save_dir=/dev/null/logs"], ["logger.csv.save_dir=/dev/null/logs"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) and "=" in value[0] else "",
)
def test_what_a_callback_cannot_do_is_refused_before_anything_is_read(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, words: list[str], parts: list[str]
) -> None:
    monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", lambda _: pytest.fail("the data was read"))
    _check(verb("train", *words), 2, *parts)
