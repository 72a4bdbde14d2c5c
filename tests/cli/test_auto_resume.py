"""auto_resume=true: the same command again and again; and what may change of a run that goes on."""

from pathlib import Path

import pytest

from rnnvision.cli.frame.early.again import _clear
from rnnvision.training import facts_of
from tests.cli.running import Copy, Verb

AGAIN = ("auto_resume=true", "hydra.run.dir=run")


def test_the_same_command_begins_a_run_and_then_lets_it_be(train: Verb) -> None:
    assert train(*AGAIN).code == 0
    files = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    result = train(*AGAIN)
    assert result.code == 0
    assert "run is completed" in result.out
    assert all(path.read_bytes() == before for path, before in files.items() if path.name != ".lock")


def test_what_is_typed_anew_is_heeded(train: Verb) -> None:
    assert train(*AGAIN, "trainer.max_epochs=1").code == 0
    result = train(*AGAIN, "trainer.max_epochs=2", "save_every=1")
    assert result.code == 0
    assert "max_epochs 1 -> 2" in result.out
    assert "save_every null -> 1" in result.out


def test_a_file_cannot_ask_for_it(train: Verb) -> None:
    file = Path("mine/experiment/again.yaml")
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nauto_resume: true\n")
    result = train("--config-dir", "mine", "experiment=again", "hydra.run.dir=run")
    assert result.code == 2
    assert result.message.endswith("cannot stand in a file; take it out")


def test_a_start_that_came_to_nothing_is_begun_anew(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    from rnnvision.training import Learner

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "on_train_epoch_end", lambda *_: 1 / 0)
        assert train(*AGAIN).code == 1
    assert Path("run/checkpoints").is_dir()
    assert not Path("run/checkpoints/last.ckpt").exists()
    assert train("hydra.run.dir=run").code == 2
    assert train(*AGAIN).code == 0


def test_a_run_that_writes_no_last_checkpoint_goes_on_from_its_best(
    train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnvision.training import Learner

    words = (*AGAIN, "callbacks.last=null", "trainer.max_epochs=4", "trainer.max_steps=-1")
    step, best, ends_in = Learner.training_step, Path("run/checkpoints/best.ckpt"), 0
    monkeypatch.setattr(Learner, "training_step", lambda s, *b: 1 / (s.current_epoch != ends_in) and step(s, *b))
    for ends_in in (1, 3):
        assert train(*words).code == 1
        saved = facts_of(best)["global_step"]
        assert saved == 10 * ends_in  # each epoch is better than the one before
    monkeypatch.undo()
    result = train(*words)
    assert result.code == 0
    assert "goes on from best.ckpt, after step 30" in result.out


def test_what_was_saved_is_never_removed() -> None:
    run = Path("run")
    (run / "checkpoints").mkdir(parents=True)
    (run / ".lock").touch()
    kept, others = run / "checkpoints" / "last.ckpt.damaged", [run / "metrics.csv", run / "checkpoints" / ".a.1.ff.tmp"]
    for file in (kept, *others):
        file.touch()
    assert _clear(run)
    assert kept.exists()
    assert not others[0].exists()


def test_a_fit_in_one_go_is_begun_anew(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*AGAIN, "model=linear_svm", "device=cpu")
    with monkeypatch.context() as patch:
        patch.setattr("rnnvision.cli.train.score", lambda *_: 1 / 0)
        assert verb("train", *words).code == 1
    assert Path("run/checkpoints/best.ckpt").is_file()
    result = verb("train", *words)
    assert result.code == 0, result.err


def test_a_pre_training_goes_on_within_an_epoch(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    from rnnvision.training import Learner

    words = (*AGAIN, "save_every=2", "pretrain=reconstruct", "pretrain_epochs=1", "data.batch_size=64")
    step = Learner.training_step
    with monkeypatch.context() as patch:
        patch.setattr(Learner, "training_step", lambda s, *batch: 1 / (s.trainer.global_step != 3) and step(s, *batch))
        assert train(*words).code == 1
    result = train(*words)
    assert result.code == 0, result.out
    assert "resume    in epoch 1 of the pre-training, after 2 of " in result.out


def test_a_folder_that_is_no_run_is_left_alone(train: Verb) -> None:
    mine = Path("run/checkpoints/mine.ckpt")
    mine.parent.mkdir(parents=True)
    mine.touch()
    result = train(*AGAIN)
    assert result.code == 2
    assert "holds a run, but no .hydra/config.yaml" in result.message
    assert mine.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("auto_resume=true",), "add hydra.run.dir=FOLDER"),
        ((*AGAIN, "resume=run"), "leave out resume="),
        (("-m", "auto_resume=true", "seed=0,1"), "a sweep goes on with resume_sweep=FOLDER"),
        (("auto_resume=3", "hydra.run.dir=run"), "must be true or false"),
        ((*AGAIN, "save_every=0"), "save_every=0: must be"),
        ((*AGAIN, "save_every=5", "callbacks=none"), "no last checkpoint to write"),
    ],
)
def test_where_it_makes_no_sense_it_is_refused(train: Verb, words: tuple[str, ...], said: str) -> None:
    result = train(*words)
    assert result.code == 2
    assert said in result.message
    assert len(result.message.splitlines()) == 1


CHANGES = ("seed=3", "trainer.precision=64-true", "trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=1")
CHANGES += ("trainer.limit_train_batches=4", "trainer.limit_val_batches=1", "+trainer.val_check_interval=2")
CHANGES += ("trainer.check_val_every_n_epoch=2", "trainer.devices=2", "label_smoothing=0.1", "loss.anytime=0.1")
CHANGES += (
    "freeze=[head]",
    "pretrain=reconstruct",
    "data.split_seed=1",
    "augmentation.flip=0.5",
    "data.sampler=balanced",
)
EMA = "+callbacks.ema={_target_:lightning.pytorch.callbacks.EMAWeightAveraging,decay:0.9}"


@pytest.mark.parametrize("word", [*CHANGES, EMA])
def test_what_would_train_another_network_is_refused(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", lambda *_: pytest.fail("the data was read"))
    trained("run")
    result = verb("train", "resume=run", word)
    assert result.code == 2, result.out
    assert "cannot change on resume" in result.message
    assert len(result.message.splitlines()) == 1


def test_a_configuration_that_was_edited_is_refused_and_listed(trained: Copy, verb: Verb) -> None:
    trained("run")
    config = Path("run/.hydra/config.yaml")
    config.write_text(config.read_text().replace("val_fraction: 0.1", "val_fraction: 0.3").replace("lr: ", "lr: 2"))
    result = verb("train", "resume=run", "trainer.max_steps=40")
    assert result.code == 2
    assert "data.val_fraction 0.1 -> 0.3" in result.message
    assert "optimizer.lr" in result.message
    assert len(result.message.splitlines()) == 1
