"""rnnvision tune: its space in Hydra's words, what it refuses before anything is made, and a small study to its end."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.line import read_command
from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.cli.tune.axes import axis_of, space_of, words_of
from rnnvision.errors import UsageError
from rnnvision.runs import Axis, read_study
from rnnvision.runs.lock import Lock
from rnnvision.search import Job
from tests.cli.running import Here, Verb, exit_code_of, in_folder, one_line, run_here

pytest.importorskip("optuna")
SPACE = ("model.hidden_size=4,8", "optimizer.lr=tag(log,interval(1e-3,1e-1))")
QUICK = ("trainer=smoke", "device=cpu", "hydra.run.dir=study")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnvision.cli.tune.check.make_place", Here())
    monkeypatch.setattr("rnnvision.cli.tune.results.draw_study", lambda *_: ["history.png"])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a study, and what was printed."""
    folder = tmp_path_factory.mktemp("tuned") / "here"
    with in_folder(folder), pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setattr("rnnvision.cli.tune.check.make_place", Here())
        patch.setattr("rnnvision.cli.tune.results.draw_study", lambda *_: ["history.png"])
        assert exit_code_of("tune", *SPACE, *QUICK, "n_trials=2") == 0
    return folder / "study", out.getvalue()


@pytest.fixture
def study(done: tuple[Path, str]) -> Path:
    return Path(shutil.copytree(done[0], "study"))


@pytest.mark.parametrize(
    ("word", "axis"),
    [
        ("a.b=0,2.5,null,true,x", Axis("choice", choices=(0, 2.5, None, True, "x"))),
        ("a.b=choice([1,2],[3])", Axis("choice", choices=([1, 2], [3]))),
        ("a.b=range(1,4)", Axis("int", 1, 3, step=1)),
        ("a.b=range(9,0,-4)", Axis("int", 1, 9, step=4)),
        ("a.b=range(0,1,0.25)", Axis("float", 0.0, 0.75, step=0.25)),
        ("a.b=interval(0,1)", Axis("float", 0.0, 1.0)),
        ("a.b=int(interval(8,64))", Axis("int", 8, 64)),
        ("a.b=tag(log,int(interval(8,64)))", Axis("int", 8, 64, log=True)),
        ("a.b=tag(log,range(8,64))", Axis("int", 8, 63, log=True)),
    ],
)
def test_a_word_with_several_values_is_an_axis(word: str, axis: Axis) -> None:
    assert axis_of(word) == ("a.b", axis)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ("1", "is no set of values"),
        ("range(4,1)", "is empty"),
        ("range(1,2)", "has one value"),
        ("interval(1,1)", "is empty"),
        ("tag(log,interval(0,1))", "a logarithm begins above 0"),
        ("tag(log,choice(1,2))", "a choice has no logarithm"),
        ("tag(lin,interval(0,1))", "there is no tag lin"),
        ("tag(log,range(1,100,3))", "cannot be even in its logarithm"),
        ("choice(0,2,0)", "has 0 twice"),
        ("choice(1)", "has one value"),
        ("glob(*)", "glob cannot be searched"),
        ("interval(0,inf)", "has no end"),
    ],
)
def test_what_is_no_axis_is_refused(values: str, why: str) -> None:
    with pytest.raises(UsageError, match=rf"a\.b=.*: .*{why}"):
        axis_of(f"a.b={values}")


def test_the_words_of_a_trial_are_read_back_as_its_values() -> None:
    params: dict[str, Any] = {
        "a": 1e-5,
        "b": None,
        "c": True,
        "d": [1, "x", "1", "a,b", "${e}", "\\", ["null", {"k": "true"}]],
        "e": "a b,(c)",
        "f": 3,
        "g": 0.1 + 0.2,
        "h": "${f}",
    }
    read = [parsed(word) for word in words_of(params)]
    assert {found.key_or_group: found.value() for found in read if found is not None} == params


@pytest.mark.parametrize("file", sorted((config_dir() / "search").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_space_of_conf_search_is_one(file: Path, verb: Verb) -> None:
    words = [f"{key}={values}" for key, values in OmegaConf.load(file).items()]
    assert len(space_of(words)) == len(words)
    assert "cannot be used" in one_line(verb, "tune", f"search={file.stem}", "storage=sqlite:////no/such/x.db")


def test_several_values_are_the_space_of_tune_and_of_no_other_verb() -> None:
    words = ["model=gru,lstm", "seed=3", "optimizer.lr=interval(0,1)"]
    line = read_command(words, "tune", config_dir())
    assert line.overrides == ("seed=3", "model=gru", 'space=["model=gru,lstm","optimizer.lr=interval(0,1)"]')
    assert read_command(words, "train", config_dir()).overrides == tuple(words)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "there is nothing to search"),
        (("model.hiden_size=4,8",), "model.hiden_size: there is no such key; did you mean model.hidden_size"),
        (("+foo.x=1,2",), "foo: there is no such key"),
        (("model=lstm,cnn", "model.hidden_size=4,8"), "model.hidden_size: model=cnn has no such key"),
        (("model=lstm,lsmt",), "model=lsmt: there is no such option"),
        (("model.hidden_size=interval(4,8)",), "takes whole numbers; write model.hidden_size=int(interval(4,8))"),
        (("model.scan=rows,sideways",), "model.scan=sideways: choose one of rows"),
        (("search=lstm", "sampler=grid"), "model.dropout: a grid needs single values"),
        (("search=lstm", "metric=val/acuracy"), "did you mean val/accuracy"),
        (("search=lstm", "metric=test/accuracy"), "can no longer be measured with them"),
        (("search=lstm", "metric=train/seconds", "pruner=median"), "is known at the end of a training only"),
        (
            ("search=lstm", "objectives=[val/accuracy,model/multiply_adds]", "pruner=median"),
            'constraints=["model/multiply_adds<=1e6"]',
        ),
        (("search=lstm", "objectives=[val/accuracy]"), "name two or more"),
        (("search=lstm", "direction=up"), "choose one of maximize, minimize"),
        (("search=lstm", 'constraints=["val/loss=3"]'), "write NAME<=NUMBER"),
        (("search=lstm", 'constraints=["val/loss<=3"]', "sampler=random"), "knows no constraints"),
        (("search=lstm", "sampler=random", "startup_trials=3"), "has none; leave it out"),
        (("search=lstm", "pruner=none", "min_epochs=3"), "nothing is pruned here"),
        (("n_trials=3,4", "search=lstm"), "n_trials: cannot be searched"),
        (("hydra.verbose=true,false", "search=lstm"), "hydra.verbose: cannot be searched"),
        (("search=lstm", "n_trials=0"), "must be a whole number of at least 1"),
        (("search=lstm", "storage=sqlite:////no/such/folder/x.db"), "unable to open database file"),
        (("sweep=scans",), "sweep=scans: cannot be set in tune; give search=NAME"),
        (("-m", "model=lstm,gru"), "leave out -m: rnnvision tune model=lstm,gru"),
        (("resume=nowhere",), "resume=nowhere: is no run folder"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_made(verb: Verb, words: tuple[str, ...], why: str) -> None:
    assert why in one_line(verb, "tune", *words)


def test_a_study_ends_with_its_best_trial_as_a_command_and_as_an_experiment(done: tuple[Path, str]) -> None:
    folder, said = done
    record = read_study(folder)
    best = record.best()[0]
    assert [trial.state for trial in record.trials] == ["completed", "completed"]
    assert record.words == ("trainer=smoke", "device=cpu")
    assert [f"trials/{trial.number:04d}" for trial in record.trials] == [trial.folder for trial in record.trials]
    for trial in record.trials:
        metrics = json.loads((folder / trial.folder / "metrics.json").read_text())
        assert trial.values == (metrics["val/accuracy"],)
        config = OmegaConf.load(folder / trial.folder / ".hydra" / "config.yaml")
        assert {key: OmegaConf.select(config, key) for key in record.space} == trial.params
    assert (folder.parent / "logs" / "tune" / "latest").resolve() == folder.resolve()
    assert not (folder.parent / "logs" / "train").exists()  # trials are parts of the study
    *_, command, same = said.splitlines()
    assert command == f"best      rnnvision train trainer=smoke device=cpu {' '.join(best.overrides)}"
    assert same == "same as   rnnvision train experiment=study"
    assert json.loads((folder / "metrics.json").read_text()) == {"val/accuracy": best.values[0]}
    written = OmegaConf.load(folder / "best.yaml")
    assert written.defaults[:2] == [{"override /trainer": "smoke"}, {"override /device": "cpu"}]
    assert written.model.hidden_size == best.params["model.hidden_size"]


def test_a_study_goes_on_with_more_trials_and_stays_what_it_is(verb: Verb, study: Path) -> None:
    before = read_study(study).trials
    assert verb("tune", "resume=study", "n_trials=3").code == 0
    after = read_study(study).trials
    assert len(after) == 3
    assert after[:2] == before
    for word in ("optimizer.lr=1,2", "optimizer.lr=1", "seed=1", "sampler=random", "search_seed=1"):
        result = verb("tune", "resume=study", word)
        assert (result.code, "it would be another study" in result.message) == (2, True), result.message
    assert len(verb("tune", "hydra.run.dir=study", *SPACE).message.splitlines()) == 1  # it holds one already


def test_a_study_that_has_tried_every_setting_ends_and_says_so(verb: Verb) -> None:
    result = verb("tune", "model.hidden_size=4,8", *QUICK, "n_trials=5")
    assert (result.code, len(read_study(Path("study")).trials)) == (0, 2), result.err
    assert "trials    2 by tpe" in result.out
    again = verb("tune", "resume=study", "n_trials=9")
    for said in (result.out, again.out):
        assert "ended     all 2 settings of the space have been tried\n" in said
        assert "more      " not in said


HOLDS = """
import sys, time
from pathlib import Path
from rnnvision.runs.lock import Lock
print(Lock(Path("study/.lock")).acquire(), flush=True)
time.sleep(60)
"""


def test_the_folder_of_a_shared_study_is_locked_as_long_as_any_process_works_on_it(
    verb: Verb, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLDS], stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "True\n"
    first.stdout.close()
    found: list[str | None] = []

    def trains(job: Job) -> int:
        first.kill()
        first.wait()
        found.append(Lock(study / ".lock").holder())
        return run_here(job)

    monkeypatch.setattr("rnnvision.cli.tune.check.make_place", Here(trains))
    assert verb("tune", "resume=study", "n_trials=4").code == 0
    assert found == [None, f"process {os.getpid()}"]


def test_what_stands_in_an_interpolation_is_read_by_each_trial_and_may_be_secret(
    verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDY_URL", f"sqlite:///{Path.cwd()}/secret.db")
    limits = 'constraints="model/parameters<=1e9"'  # one needs no list
    start = (*SPACE, *QUICK, "n_trials=1", "storage=${oc.env:STUDY_URL}", limits, "seed=${model.hidden_size}")
    assert verb("tune", *start).code == 0
    trial = OmegaConf.load("study/trials/0000/.hydra/config.yaml")
    assert trial.seed == trial.model.hidden_size == read_study(Path("study")).trials[0].params["model.hidden_size"]
    assert not [path for path in Path("study").glob("**/*.*") if path.is_file() and b"secret" in path.read_bytes()]
    again = [word for word in start if not word.startswith("hydra.")]
    assert verb("tune", "resume=study", *again).code == 0  # the same command goes on
    assert verb("tune", "resume=study", "constraints=null").code == 2


def test_train_takes_a_study_for_its_best_trial_and_what_is_typed_wins(study: Path) -> None:
    best = read_study(study).best()[0]
    line = read_command(["experiment=study", "trainer=default", "seed=5"], "train", config_dir())
    assert line.overrides == ("device=cpu", *best.overrides, "trainer=default", "seed=5")
    assert line.note is not None
    assert line.note.startswith(f"study     trial {best.number} of study: val/accuracy")


def test_trials_that_only_fail_end_the_study_with_the_reason(verb: Verb) -> None:
    result = verb("tune", "data=image_folder", "data.root=nowhere", *SPACE, *QUICK)
    assert result.code == 1
    assert "every trial so far has failed, 3 here, the last one because: " in result.message
    assert "nowhere" in result.message
