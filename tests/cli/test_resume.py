"""resume=RUN: go on where a run stopped, exactly."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder
from rnnvision.training import Learner, read_checkpoint
from tests.cli.running import TINY, Copy, Verb
from tests.training.legacy import flat, to_format_1

BY_EPOCHS = "trainer.max_steps=-1"  # trainer=smoke counts steps
RUN = (BY_EPOCHS, "scheduler=constant", "model.num_layers=2", "model.dropout=0.5")


def _state(folder: str) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)
    moments = checkpoint["optimizer_states"][0]["state"]
    return checkpoint["state_dict"] | {f"{i}.{k}": v for i, s in moments.items() for k, v in s.items()}


def _assert_same(a: str, b: str) -> None:
    first, second = _state(a), _state(b)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_stopped_twice_and_resumed_gives_the_very_same_weights(train: Verb, verb: Verb) -> None:
    assert train(*RUN, "hydra.run.dir=whole", "trainer.max_epochs=4").code == 0
    assert train(*RUN, "hydra.run.dir=parts", "trainer.max_epochs=1").code == 0
    for epochs in (3, 4):
        result = verb("train", "resume=parts", f"trainer.max_epochs={epochs}")
        assert result.code == 0, result.err
    _assert_same("whole", "parts")
    rows = list(csv.DictReader(Path("parts/metrics.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]


def test_a_run_that_was_killed_goes_on_with_its_own_configuration(
    verb: Verb, train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnvision.training import Learner

    words = (*RUN, "scheduler=one_cycle", "trainer.max_epochs=3")
    assert train(*words, "hydra.run.dir=whole").code == 0

    start = Learner.on_train_epoch_start

    def die(self: Learner) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        start(self)

    monkeypatch.setattr(Learner, "on_train_epoch_start", die)
    result = train(*words, "hydra.run.dir=parts")
    assert result.code == 130
    assert '"interrupted"' in Path("parts/status.json").read_text()
    monkeypatch.setattr(Learner, "on_train_epoch_start", start)

    assert verb("train", "resume=parts").code == 0
    _assert_same("whole", "parts")
    assert '"completed"' in Path("parts/status.json").read_text()


@pytest.mark.parametrize("word", ["optimizer.lr=0.1", "model=gru", "seed=3", "data.batch_size=2"])
def test_what_would_make_it_another_run_is_refused(trained: Copy, verb: Verb, word: str) -> None:
    trained("run")
    before = _state("run")
    result = verb("train", "resume=run", word)
    assert result.code == 2
    assert word.partition("=")[0] in result.message
    assert "cannot change on resume" in result.message
    after = _state("run")
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("word", ["+trainer.foo=3", "trainer.max_epochs=1"])
def test_a_refused_resume_changes_nothing(train: Verb, verb: Verb, word: str) -> None:
    train("hydra.run.dir=run", BY_EPOCHS, "trainer.max_epochs=4")
    kept = [Path("run") / name for name in (".hydra/config.yaml", "status.json", "metrics.json")]
    before = [path.read_text() for path in kept]
    result = verb("train", "resume=run", word)
    assert result.code == 2, result.err
    assert [path.read_text() for path in kept] == before
    assert verb("train", "resume=run", "trainer.max_epochs=5").code == 0
    assert "max_epochs: 5" in kept[0].read_text()


def test_what_is_refused_only_as_it_begins_changes_nothing_either(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = trained("run") / ".hydra" / "config.yaml"
    before = config.read_text()

    def refuse(*_: object) -> None:
        raise UsageError("it does not fit")

    monkeypatch.setattr(Learner, "on_load_checkpoint", refuse)
    result = verb("train", "resume=run", BY_EPOCHS, "trainer.max_epochs=9")
    assert (result.code, "it does not fit" in result.message) == (2, True)
    assert config.read_text() == before


def test_a_sweep_cannot_resume(trained: Copy, verb: Verb) -> None:
    trained("run")
    result = verb("train", "-m", "resume=run", "seed=0,1")
    assert result.code == 2
    assert result.message == "rnnvision train: resume=run: continues one run; leave out -m"
    assert not Path("logs").exists()


def _cut(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize("gone", [False, True])
def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_or_missing_last(
    train: Verb, verb: Verb, gone: bool
) -> None:
    for folder, epochs in (("whole", 3), ("parts", 2)):
        assert train(*RUN, f"hydra.run.dir={folder}", f"trainer.max_epochs={epochs}").code == 0
    last = Path("parts/checkpoints/last.ckpt")
    last.unlink() if gone else _cut(last)
    result = verb("train", "resume=parts", "trainer.max_epochs=3")
    assert result.code == 0, result.err
    lines = [line for line in result.out.splitlines() if "the run goes on from previous.ckpt, after step" in line]
    assert len(lines) == 1
    _assert_same("whole", "parts")
    rows = csv.DictReader(Path("parts/metrics.csv").read_text().splitlines())
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]


def test_a_run_whose_checkpoints_are_all_damaged_is_told(trained: Copy, verb: Verb) -> None:
    trained("run")
    _cut(*Path("run/checkpoints").glob("*.ckpt"))
    result = verb("train", "resume=run", "trainer.max_epochs=3")
    assert result.code == 2
    assert "last.ckpt: is cut short; nothing in it was run; no other checkpoint" in result.message
    assert len(result.message.splitlines()) == 1


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("verb_name", ["evaluate", "predict"])
def test_no_other_weights_are_measured_than_the_best(trained: Copy, verb: Verb, verb_name: str, gone: bool) -> None:
    trained("run")
    best = Path("run/checkpoints/best.ckpt")
    best.unlink() if gone else _cut(best)
    result = verb(verb_name, "ckpt=run", *(["source=."] if verb_name == "predict" else []))
    assert result.code == 2
    if gone:
        assert "best.ckpt: is missing; to take the last weights in place of the best give run/" in result.message
        assert result.message.endswith("run/checkpoints/last.ckpt")
    else:
        assert "best.ckpt: is cut short" in result.message
        assert "beside it lie others of this run: last.ckpt" in result.message


def test_a_run_without_a_last_checkpoint_is_told(trained: Copy, verb: Verb) -> None:
    trained("run")
    for file in Path("run/checkpoints").iterdir():
        file.unlink()
    result = verb("train", "resume=run")
    assert result.code == 2
    assert "last.ckpt" in result.message
    Path("run/metrics.json").unlink()  # as of a run that was stopped
    RunFolder("run", "logs", "train").write_status("interrupted")
    for word in ("resume=run", "auto_resume=true"):
        result = verb("train", *((word,) if "auto" not in word else (word, "hydra.run.dir=run", *TINY)))
        assert result.code == 2
        assert "2 epochs of it ended, so what was saved is gone; begin a run of its own in another" in result.message
        assert Path("run/metrics.csv").is_file()
    Path("run/checkpoints/best.ckpt").write_bytes(b"cut")
    result = verb("train", "resume=run")
    assert "best.ckpt.damaged: damaged, or without the state of an optimiser; begin a run of its own" in result.message


def test_without_a_last_checkpoint_the_best_is_gone_on_from(trained: Copy, verb: Verb) -> None:
    trained("run")
    for name in ("last.ckpt", "previous.ckpt"):
        Path("run/checkpoints", name).unlink(missing_ok=True)
    Path("run/metrics.csv").unlink()
    result = verb("train", "resume=run", "trainer.max_epochs=3")
    assert result.code == 0, result.err
    assert "resume    last.ckpt is missing: the run goes on from best.ckpt, after step " in result.out
    assert "resume    metrics.csv is missing: epoch 1 is not in it any more" in result.out


def test_the_best_of_another_run_is_not_tested_as_its_own(
    train: Verb, verb: Verb, trained: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("mine")
    assert train(BY_EPOCHS, "hydra.run.dir=other", "seed=7", "trainer.max_epochs=1").code == 0
    shutil.copy("other/checkpoints/best.ckpt", "mine/checkpoints/best.ckpt")
    before = Path("mine/metrics.json").read_bytes()
    monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", lambda *_: pytest.fail("the data was read"))
    result = verb("train", "resume=mine")
    assert result.code == 2
    assert "checkpoints/best.ckpt: was trained with another configuration than" in result.message
    assert "seed 7 -> 0" in result.message
    assert len(result.message.splitlines()) == 1
    assert Path("mine/metrics.json").read_bytes() == before


def test_the_checkpoint_of_another_network_is_refused(train: Verb, verb: Verb, trained: Copy) -> None:
    trained("mine")
    assert train(BY_EPOCHS, "hydra.run.dir=other", "model.num_layers=2", "trainer.max_epochs=1").code == 0
    Path("mine/checkpoints/last.ckpt").write_bytes(Path("other/checkpoints/last.ckpt").read_bytes())
    result = verb("train", "resume=mine", BY_EPOCHS, "trainer.max_epochs=3")
    assert result.code == 2
    assert "trained with another configuration" in result.err
    assert "model.num_layers 2 -> 1" in result.err
    assert len(result.message.splitlines()) == 1


def test_a_run_of_an_earlier_version_goes_on(train: Verb, verb: Verb) -> None:
    """Its checkpoints and its configuration have the options of the layer among those of the network."""
    words = ("model=encoder_decoder", "model.layer.gate_bias=chrono", *RUN)
    assert train(*words, "hydra.run.dir=whole", "trainer.max_epochs=2").code == 0
    assert train(*words, "hydra.run.dir=parts", "trainer.max_epochs=1").code == 0
    for name in ("best", "last"):
        to_format_1(Path(f"parts/checkpoints/{name}.ckpt"))
    kept = Path("parts/.hydra/config.yaml")
    config = OmegaConf.load(kept)
    config.model = flat(OmegaConf.to_container(config.model))
    del config["plugins"]
    OmegaConf.save(config, kept)
    result = verb("evaluate", "ckpt=parts", "device=cpu")
    assert result.code == 0, result.err
    assert json.loads(Path("parts/metrics.json").read_text()).items() >= latest("evaluate").items()
    result = verb("train", "resume=parts", "trainer.max_epochs=2")
    assert result.code == 0, result.err
    _assert_same("whole", "parts")


def latest(verb: str) -> dict[str, float]:
    return json.loads(Path(f"logs/{verb}/latest/metrics.json").read_text())


@pytest.mark.parametrize("gone", [False, True])
def test_a_best_checkpoint_that_is_lost_is_told_and_a_new_one_is_kept(trained: Copy, verb: Verb, gone: bool) -> None:
    trained("run")
    best = Path("run/checkpoints/best.ckpt")
    best.unlink() if gone else _cut(best)
    before = [Path(f"run/{name}.json").read_text() for name in ("status", "metrics")]
    result = verb("train", "resume=run")
    assert result.code == 2, "there is nothing that its scores could be of"
    assert "nothing is left to train, and checkpoints/best.ckpt is damaged or gone" in result.message
    assert [Path(f"run/{name}.json").read_text() for name in ("status", "metrics")] == before
    result = verb("train", "resume=run", BY_EPOCHS, "trainer.max_epochs=9")
    assert result.code == 0, result.err
    assert "best.ckpt is missing: the best of the epochs that follow is kept, if any do" in result.out
    assert read_checkpoint(best)["epoch"] >= 2
    assert "no best checkpoint was saved" not in result.out
