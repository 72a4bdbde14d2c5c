"""resume=RUN after each way in which a training can end, and what may not change then."""

import csv
import json
from pathlib import Path

import pytest

from tests.cli.frame.test_messages import _check
from tests.cli.running import Copy, Verb
from tests.cli.test_resume import BY_EPOCHS, RUN, _assert_same

MINE = (
    "+callbacks.mine={_target_:lightning.pytorch.callbacks.ModelCheckpoint,filename:mine,monitor:val/loss,"
    "dirpath:'${hydra:runtime.output_dir}/checkpoints'}"
)
STOP = "callbacks.early_stopping"
# Nothing improves by 9: the first validation is the best, and each other one is waited for.
STOPPING = (*RUN, "callbacks=early_stopping", f"+{STOP}.min_delta=9")


def epochs_of(folder: str) -> list[int]:
    return [int(row["epoch"]) for row in csv.DictReader(Path(folder, "metrics.csv").read_text().splitlines())]


def figures_of(folder: str) -> dict[str, float]:
    """Those that a repetition repeats."""
    found: dict[str, float] = json.loads(Path(folder, "metrics.json").read_text())
    return {name: value for name, value in found.items() if name != "predict/milliseconds"}


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("callbacks.best.monitor=val/loss", "callbacks.best.monitor"),
        ("callbacks.best.monitor=train/accuracy", "callbacks.best.monitor"),
        ("callbacks.best.save_top_k=0", "callbacks.best.save_top_k"),
        ("+callbacks.best.every_n_epochs=2", "callbacks.best.every_n_epochs"),
        ("callbacks.best=null", "callbacks.best"),
        ("~callbacks.best", "callbacks.best"),
        ("callbacks.mine.monitor=val/accuracy", "callbacks.mine.monitor"),
    ],
)
def test_what_a_checkpoint_is_chosen_by_cannot_change(train: Verb, verb: Verb, word: str, key: str) -> None:
    assert train(BY_EPOCHS, "trainer.max_epochs=1", "hydra.run.dir=run", MINE).code == 0
    best = Path("run/checkpoints/best.ckpt")
    before = best.read_bytes()
    result = verb("train", "resume=run", "trainer.max_epochs=2", f"+{word}" if "mine" in word else word)
    _check(result, 2, f"{key}: cannot change on resume", "+callbacks.NAME={...}")
    assert best.read_bytes() == before


@pytest.mark.parametrize(
    "words", [("callbacks.best.monitor=val/accuracy", "callbacks.best.mode=max"), (MINE,)], ids=["same", "another"]
)
def test_the_same_choice_and_another_checkpoint_are_no_change(
    trained: Copy, verb: Verb, words: tuple[str, ...]
) -> None:
    trained("run")
    result = verb("train", "resume=run", BY_EPOCHS, "trainer.max_epochs=3", *words)
    assert result.code == 0, result.err
    assert Path("run/checkpoints/mine.ckpt").is_file() is (MINE in words)


@pytest.mark.parametrize("patience", [1, 2])
def test_early_stopping_says_why_and_a_resume_goes_on_with_more_patience_only(
    train: Verb, verb: Verb, patience: int
) -> None:
    words = (*STOPPING, "trainer.max_epochs=9")
    result = train(*words, f"{STOP}.patience={patience}", "hydra.run.dir=run")
    assert result.code == 0, result.err
    first = float(next(csv.DictReader(Path("run/metrics.csv").read_text().splitlines()))["val/loss"])
    times = "1 validation" if patience == 1 else "2 validations"
    why = f"early: val/loss has not improved for {times} (best {first:.4f} in epoch 1)"
    assert f"stopped   {why}" in result.out
    assert why in Path("run/train.log").read_text()
    assert epochs_of("run") == list(range(patience + 1))
    metrics = figures_of("run")

    result = verb("train", "resume=run")
    assert result.code == 0, result.err
    assert f"nothing is left to train: it stopped {why}" in result.out
    assert f"to go on anyway: +{STOP}=null, or a larger +{STOP}.patience" in result.out
    assert epochs_of("run") == list(range(patience + 1))
    assert figures_of("run") == metrics

    assert verb("train", "resume=run", f"+{STOP}.patience={patience + 2}").code == 0
    assert epochs_of("run") == list(range(patience + 3))
    assert train(*words, f"{STOP}.patience={patience + 2}", "hydra.run.dir=whole").code == 0
    _assert_same("whole", "run")

    result = verb("train", "resume=run", f"+{STOP}=null", "trainer.max_epochs=7")
    assert result.code == 0, result.err
    assert result.err == ""  # of a callback that has gone Lightning warns
    assert epochs_of("run") == list(range(7))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((f"+{STOP}.stopping_threshold=9",), "has passed stopping_threshold=9"),
        ((f"+{STOP}.divergence_threshold=1",), "has passed divergence_threshold=1"),
        ((f"{STOP}.monitor=train/loss", f"{STOP}.patience=1"), "train/loss has not improved for 1 epoch (best"),
    ],
    ids=["threshold", "divergence", "train"],
)
def test_every_reason_to_stop_early_is_told_and_holds_on_resume(
    train: Verb, verb: Verb, words: tuple[str, ...], reason: str
) -> None:
    result = train(*STOPPING, *words, "trainer.max_epochs=4", "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert reason in result.out
    before = epochs_of("run")
    assert len(before) < 4
    assert reason in verb("train", "resume=run").out
    assert epochs_of("run") == before


def test_a_training_that_reached_its_last_epoch_did_not_stop_early(train: Verb) -> None:
    result = train(*STOPPING, f"{STOP}.patience=1", "trainer.max_epochs=2")
    assert result.code == 0, result.err
    assert "stopped" not in result.out


def test_a_resume_stops_early_where_the_whole_run_does(train: Verb, verb: Verb) -> None:
    words = (*STOPPING, f"{STOP}.patience=2")
    assert train(*words, "trainer.max_epochs=2", "hydra.run.dir=parts").code == 0
    assert "stopped   early" in verb("train", "resume=parts", "trainer.max_epochs=9").out
    assert train(*words, "trainer.max_epochs=9", "hydra.run.dir=whole").code == 0
    _assert_same("whole", "parts")


def test_a_run_that_saved_nothing_is_not_called_interrupted(train: Verb, verb: Verb) -> None:
    assert train("callbacks=none", "hydra.run.dir=run").code == 0
    _check(verb("train", "resume=run"), 2, "holds no checkpoints/last.ckpt", "has ended, and none was saved")
    for name in ("metrics.json", "metrics.csv"):
        Path("run", name).unlink()
    _check(verb("train", "resume=run"), 2, "it saves none (callbacks=none)")


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("trainer.max_epochs=1", ["trainer.max_epochs=1: 2 epochs of this run", "choose more than 2"]),
        ("trainer.max_steps=10", ["trainer.max_steps=10: 20 steps of this run", "choose more than 20"]),
    ],
)
def test_a_limit_below_what_is_trained_is_refused_before_the_data_is_read(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch, word: str, parts: list[str]
) -> None:
    trained("run")
    monkeypatch.setattr("rnnvision.cli.frame.setup.make_data", lambda *_: pytest.fail("the data was read"))
    _check(verb("train", "resume=run", word), 2, *parts)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("trainer.max_epochs=1", "trainer.max_epochs=3"),  # the limit of steps is not reached
        ("trainer.max_steps=10", "trainer.max_steps=24"),  # it is, at the end of an epoch
        ("trainer.max_steps=20", "trainer.max_steps=-1"),
    ],
)
def test_a_run_with_a_limit_of_steps_resumes_exactly(train: Verb, verb: Verb, first: str, then: str) -> None:
    words = ("scheduler=constant", "model.num_layers=2", "model.dropout=0.5", "hydra.run.dir=parts")
    both = (then, "trainer.max_epochs=3")
    assert train(*words, *(("trainer.max_steps=24",) if "epochs" in first else ()), first).code == 0
    result = verb("train", "resume=parts", *both)
    assert result.code == 0, result.err
    assert "batches" not in result.out
    assert train(*words[:-1], "trainer.max_steps=24", *both, "hydra.run.dir=whole").code == 0
    _assert_same("whole", "parts")
    assert epochs_of("parts") == epochs_of("whole") == [0, 1, 2]


@pytest.mark.parametrize(("then", "last"), [("trainer.max_steps=35", 35), ("trainer.max_steps=-1", 40)])
def test_the_rest_of_an_epoch_that_was_left_is_trained(train: Verb, verb: Verb, then: str, last: int) -> None:
    words = ("scheduler=constant", "model.num_layers=2", "model.dropout=0.5")
    assert train(*words, "trainer.max_steps=15", "hydra.run.dir=parts").code == 0
    result = verb("train", "resume=parts", then, "trainer.max_epochs=4")
    assert result.code == 0, result.err
    assert "resume    in epoch 2, after 5 of 10 batches" in result.out
    assert train(*words, then, "trainer.max_epochs=4", "hydra.run.dir=whole").code == 0
    _assert_same("whole", "parts")
    rows = list(csv.DictReader(Path("parts/metrics.csv").read_text().splitlines()))
    assert [int(row["step"]) + 1 for row in rows] == [10, 20, 30, last]


@pytest.mark.parametrize(
    "words",
    [("trainer.max_steps=15",), (*STOPPING, f"{STOP}.patience=1", "+trainer.val_check_interval=4")],
    ids=["limit", "early stop"],
)
def test_the_figures_of_an_epoch_that_was_left_stay_where_nothing_is_trained(
    train: Verb, verb: Verb, words: tuple[str, ...]
) -> None:
    def rows() -> list[dict[str, str]]:
        found = csv.DictReader(Path("run/metrics.csv").read_text().splitlines())
        return [{**row, "seconds": ""} for row in found]

    assert train(*words, "hydra.run.dir=run").code == 0
    before = rows(), figures_of("run")
    result = verb("train", "resume=run")
    assert result.code == 0, result.err
    assert "nothing is left to train" in result.out
    assert (rows(), figures_of("run")) == before
