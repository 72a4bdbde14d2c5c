"""What refuses a sweep: one line, before anything is written."""

from pathlib import Path

import pytest

from tests.cli.frame.sweep.conftest import FakePlace
from tests.cli.running import Verb, one_line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("model=lstm,cnn,gru", "model.hidden_size=8"),
            "model.hidden_size: model=cnn has no such key, model=lstm, model=gru have; sweep them apart: "
            "rnnvision train -m model=lstm,gru model.hidden_size=8",
        ),
        (
            ("model=cnn,lstm", "model.hidden_size=8,16"),
            "model.hidden_size: model=cnn has no such key, model=lstm has; sweep them apart: "
            "rnnvision train -m model=lstm model.hidden_size=8,16",
        ),
        (
            ("model=lstm,gru", "model.hiden_size=8"),
            "model.hiden_size: there is no such key; did you mean model.hidden_size?",
        ),
        (("model=lstm,grru",), "model=grru: there is no such option; did you mean model=gru? Try: "),
        (("model=glob(x*)",), "model=glob(x*): no option of model is like that; choose from cnn, "),
        (("model.num_layers=1,2,0",), "model.num_layers=0: must be a whole number of at least 1"),
        (("model=lstm,gru", "optimizer.lr=0.1,abc"), "optimizer.lr=abc: must be a number"),
        (("seed=0,1", "jobs=0"), "jobs=0: must be a whole number of at least 1"),
        (("seed=0,1", "jobs=1,2"), "jobs=1,2: takes one value for all jobs"),
        (("seed=0,1", "fail_fast=7"), "fail_fast=7: must be true or false"),
        (("seed=0,1", "resume=run"), "resume=run: continues one run; leave out -m"),
        (("seed=0,1", "hydra.sweep.subdir=x"), "hydra.sweep.subdir=x: cannot be set; "),
        (("seed=0,1", "hydra.run.dir=x"), "hydra.run.dir=x: is the folder of one run; hydra.sweep.dir=FOLDER is that"),
        (
            ("seed=0,1", "hydra.sweeper.max_batch_size=2"),
            "hydra.sweeper.max_batch_size=2: there are no batches; jobs=N",
        ),
        (("sweep=recurrences,scans",), "sweep=recurrences,scans: each is several runs by itself; give one of them"),
        (("seed=interval(0,1)",), "seed=interval(0,1): has no end of values; give some: seed=A,B or seed=range(0,3)"),
        (("seed=range(0,1000000)",), "-m: more than 100,000 jobs: seed has more than 100,000 values"),
        (("seed=0,1", "hydra/launcher=joblib", "jobs=2"), "jobs=2: is not for Hydra's own multirun; leave out hydra/"),
        (("resume_sweep=nix",), "resume_sweep=nix: is no folder of a sweep (there is no such folder)"),
    ],
)
def test_what_cannot_be_a_sweep(verb: Verb, place: FakePlace, words: tuple[str, ...], message: str) -> None:
    assert one_line(verb, "train", "-m", *words).startswith(message)
    assert place.commands == {}


@pytest.mark.parametrize("word", ["jobs=2", "where=slurm", "where.minutes=5", "fail_fast=true", "retry_failed=true"])
def test_what_is_of_a_sweep_needs_several_runs(verb: Verb, word: str) -> None:
    expected = f"{word}: is of a sweep, which is several runs; add -m: rnnvision train -m {word} seed=1"
    assert one_line(verb, "train", word, "seed=1") == expected


@pytest.mark.parametrize("name", ["compare", "tune", "demo", "watch"])
def test_verbs_for_which_several_runs_make_no_sense(verb: Verb, name: str) -> None:
    message = one_line(verb, name, "-m", "log_dir=logs")
    assert message.endswith(f"leave out -m: rnnvision {name} log_dir=logs")


@pytest.mark.parametrize(
    "content", ["defaults:\n  - override /hydra/launcher: joblib\n", "hydra: {sweep: {subdir: x}}\n"]
)
def test_what_a_file_chooses_of_hydras_multirun_is_refused(
    verb: Verb, place: FakePlace, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNVISION_TRUST_CONFIG", "1")  # else it is refused as Hydra's own
    file = Path("own/experiment/mine.yaml")
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package _global_\n{content}")
    message = one_line(verb, "train", "--config-dir", "own", "-m", "experiment=mine", "seed=0,1")
    assert message.startswith(
        ("hydra/launcher=joblib: a file chooses it, and only a command can: ", "hydra.sweep.subdir")
    )


def test_a_word_for_each_value_is_composed_and_not_one_for_each_job(
    verb: Verb, place: FakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra._internal.hydra import Hydra

    composed = []
    compose = Hydra.compose_config
    monkeypatch.setattr(Hydra, "compose_config", lambda *a, **k: composed.append(a) or compose(*a, **k))
    assert verb("train", "-m", "model=lstm,gru,rnn", "optimizer=adam,sgd", "seed=range(0,20)").code == 0
    assert len(place.commands) == 120
    assert len(composed) == 1 + 1 + 2 + 1 + 1, "the file of the sweep, the first job, the other options, the places"
