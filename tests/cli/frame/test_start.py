"""What refuses a start comes before the run folder; what a run was is said where it is asked for."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest
from omegaconf import OmegaConf

from rnnvision.cli.dispatch import VERBS
from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.words import override
from rnnvision.cli.frame.signals import STOP
from rnnvision.cli.frame.start import take
from rnnvision.errors import FailureError
from rnnvision.runs import Run, RunFolder
from rnnvision.runs.lock import Lock
from rnnvision.training import Learner
from tests.cli.running import TINY, Copy, Verb

UNDER_HYDRA = [name for name in VERBS if (config_dir() / f"{name}.yaml").is_file()]
QUICK = ("data=fake", "data.num_train=40", "data.num_test=10", "model.hidden_size=4", "trainer=smoke", "device=cpu")


def tree(folder: Path = Path()) -> dict[str, bytes]:
    """Every file below a folder, with its content."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refused(verb: Verb, name: str, *words: str) -> str:
    """The one line of a command that is refused, and that leaves everything as it was."""
    before = tree()
    result = verb(name, *words)
    assert result.code == 2, result.err
    assert len(result.message.splitlines()) == 1, result.message
    assert tree() == before
    return result.message.removeprefix(f"rnnvision {name}: ")


def own(name: str, text: str | bytes, group: str = "experiment") -> None:
    """A file of the user's own, for --config-dir mine."""
    file = Path("mine", group, f"{name}.yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())


# Resuming -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("resume=run",), ("auto_resume=true", "hydra.run.dir=run")])
def test_a_run_without_its_configuration_is_refused_and_nothing_of_it_removed(
    verb: Verb, trained: Copy, words: tuple[str, ...]
) -> None:
    file = trained("run") / ".hydra" / "config.yaml"
    file.write_text("")
    assert refused(verb, "train", *words).endswith(
        "config.yaml: is empty; put back the file that belongs there, or begin a run of its own"
    )
    file.write_text("a: [")
    assert verb("train", *words).code == 2
    file.unlink()
    Path("run/metrics.json").unlink()  # as of a run that was killed
    message = refused(verb, "train", *words)
    assert "no .hydra/config.yaml" in message
    assert "hidden folders" in message


@pytest.mark.parametrize("name", ["train", "compare"])
@pytest.mark.parametrize("other", [(), ("hydra.run.dir=X",), ("log_dir=X",), ("hydra.job.chdir=true",)])
def test_a_resume_of_nothing_leaves_nothing_behind(verb: Verb, name: str, other: tuple[str, ...]) -> None:
    message = refused(verb, name, "resume=no-such", *other)
    assert message == "resume=no-such: is no run folder (there is no such folder)"
    assert list(Path().iterdir()) == []


def test_a_resume_goes_on_in_its_own_folder(verb: Verb, trained: Copy) -> None:
    trained("run")
    assert "leave out hydra.run.dir=X" in refused(verb, "train", "resume=run", "hydra.run.dir=X")
    assert "leave out -m" in refused(verb, "train", "-m", "resume=run")
    message = refused(verb, "train", "resume=run/checkpoints/last.ckpt")
    assert message.endswith(f"try: rnnvision train resume={Path('run').resolve()}")


def test_a_used_folder_is_left_as_it_was(verb: Verb, trained: Copy) -> None:
    trained("a run")
    message = refused(verb, "train", "hydra.run.dir=a run", "model=gru", *TINY)
    assert message == "a run: already holds a run; choose another folder, or 'resume=a run'"


@pytest.mark.parametrize("name", ["a/../../../../../b", "/b", "a\\b", "a\nb", "\x1b[31m", "\u202ea"])
def test_a_name_does_not_lead_out_of_the_folder_for_runs(verb: Verb, name: str) -> None:
    word = override("name", name)
    assert "leave out / and what cannot be printed" in refused(verb, "train", word, *TINY)
    assert "leave out / and what cannot be printed" in refused(verb, "train", "-m", "seed=0,1", word, *TINY)


@pytest.mark.parametrize("name", ["a" * 181, "ä" * 91], ids=["letters", "bytes"])
def test_a_name_that_is_too_long_is_refused(verb: Verb, name: str) -> None:
    assert "180 bytes at most" in refused(verb, "train", override("name", name), *TINY)


HOLDS = """
import sys, time
from pathlib import Path
from rnnvision.runs import RunFolder
from rnnvision.runs.lock import Lock
print(Lock(Path(sys.argv[1]) / ".lock").acquire(), flush=True)
time.sleep(60)
"""


def test_one_process_writes_into_a_folder(verb: Verb, trained: Copy) -> None:
    trained("run")
    for folder, word in (("new", "hydra.run.dir=new"), ("run", "resume=run")):
        with subprocess.Popen([sys.executable, "-c", HOLDS, folder], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "True\n"
            message = refused(verb, "train", word, *([] if folder == "run" else TINY))
            other.kill()
        assert message == f"{folder}: process {other.pid} is writing there; wait for it, or choose another folder"
    assert verb("train", "hydra.run.dir=new", *TINY).code == 0
    assert Lock(Path("new", ".lock")).holder() is None


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("trainer=smoke", "an option cannot be chosen anew on resume; single values can: trainer.KEY=VALUE"),
        ("callbacks=ema", "single values can: callbacks.KEY=VALUE"),
        ("logger=none", "single values can: logger.KEY=VALUE"),
        ("device=cpu", "give trainer.accelerator=cpu, gpu or mps"),
        (
            "seed=1",
            "seed: cannot change on resume (seed 0 -> 1), it would be another run; what can: trainer.(max_epochs, ",
        ),
        ("callbacks.early_stopping.patience=9", "train resume=run +callbacks.early_stopping.patience=9"),
    ],
)
def test_what_cannot_change_on_resume_says_what_can(verb: Verb, trained: Copy, word: str, part: str) -> None:
    file = trained("run") / ".hydra" / "config.yaml"
    saved = OmegaConf.load(file)
    saved.callbacks.early_stopping = {"_target_": "lightning.pytorch.callbacks.EarlyStopping", "monitor": "val/loss"}
    OmegaConf.save(saved, file)
    result = verb("train", "resume=run", word)
    assert result.code == 2
    assert part in result.message


# Files of the user's own ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("multirun", [False, True])
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("defaults:\n  - override /model: gru\n", ["first line has to be: # @package _global_"]),
        ("model:\n  hidden_size: 4\n", ["first line has to be: # @package _global_"]),
        ("model:\n  hidden_size: 4\n# @package _global_\n", ["first line has to be: # @package _global_"]),
        ("# @package model\nhidden_size: 4\n", ["first line has to be: # @package _global_"]),
        ("# @package _global_\nmodel: [1\nseed: 1\n", [", line 3: is no YAML: "]),
        ("# @package _global_\nseed: 1\nseed: 2\n", [", line 3: is no YAML: found duplicate key seed"]),
        ("# @package _global_\nmodel:\n\thidden_size: 4\n", [", line 3: is no YAML: ", "indent with spaces"]),
        (b"# @package _global_\nname: caf\xe9\n", [", line 2: is not UTF-8"]),
        ("- a\n- b\n", ["is no YAML of KEY: VALUE pairs but a list"]),
    ],
)
def test_a_file_that_cannot_be_meant_is_told_with_its_place(
    verb: Verb, text: str | bytes, parts: list[str], multirun: bool
) -> None:
    own("one", text)
    words = ("-m", "experiment=one,digits_lstm") if multirun else ("experiment=one",)
    message = refused(verb, "train", "--config-dir", "mine", *words)
    assert message.startswith(str(Path("mine/experiment/one.yaml").resolve()))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("defaults:\n  - override /model: [lstm, gru]", "model: a file chooses several options; model takes one"),
        ("defaults:\n  - override /data: _common", "data=_common: is a part of other options"),
        ("defaults:\n  - /model: gru", "write 'override /model: gru'"),
        ("defaults:\n  - override /model: lsmt", "did you mean model=lstm?"),
        ("hydra:\n  sweeper:\n    params:\n      seed: 0,1", "is a list of runs; add -m: rnnvision train -m"),
        ("sabotage: 1", "sabotage: there is no such key"),
    ],
)
def test_a_file_is_held_to_the_rules_of_the_command_line(verb: Verb, line: str, part: str) -> None:
    own("one", f"# @package _global_\n{line}\n")
    assert part in refused(verb, "train", "--config-dir", "mine", "experiment=one")


GROUPS = default_options(config_dir(), "train")


@pytest.mark.parametrize(
    ("place", "word", "option"),  # of a file that composes, and of one that does not
    [("file", "seed=1", "smoke"), ("base", "trainer.max_epochs=1", "smoke"), ("base", "seed=1", "[a, b]")],
)
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_chosen_in_the_defaults_of_a_file(
    verb: Verb, group: str, option: str, word: str, place: str
) -> None:
    own("one", f"# @package _global_\n{group}: {option}\n")
    own("two", "# @package _global_\ndefaults:\n  - one\n")
    message = refused(verb, "train", "--config-dir", "mine", f"experiment={'one' if place == 'file' else 'two'}", word)
    file, why = Path("mine/experiment/one.yaml").resolve(), "a group is chosen under defaults: - override"
    assert message == f"{file}: {group}: {option}: {why} /{group}: {option}"


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (
            "loss: balanced",
            "has to be KEY: VALUE pairs, of class_weight, anytime, for example loss.class_weight=balanced",
        ),
        ("model: null", "model cannot be off; leave it out for model=lstm"),
        ("scheduler: null", "defaults: - override /scheduler: constant"),
        ("defaults:\n  - model: gru", "one.yaml: model: gru: write - override /model: gru under its defaults"),
        ("defaults:\n  - override model: gru", "write - override /model: OPTION under its defaults"),
    ],
)
def test_what_a_file_writes_beside_its_group_is_told(verb: Verb, line: str, part: str) -> None:
    own("one", f"# @package _global_\n{line}\n")
    assert refused(verb, "train", "--config-dir", "mine", "experiment=one").endswith(part)


def test_a_section_is_no_single_value(verb: Verb) -> None:
    assert "for example loss.class_weight=balanced" in refused(verb, "train", "loss=balanced")


def test_null_in_a_file_where_it_means_none_trains(verb: Verb) -> None:
    own("one", "# @package _global_\ncallbacks: null\nlogger: null\naugmentation: null\nname: ${hydra:job.name}\n")
    assert verb("train", "--config-dir", "mine", "experiment=one", *QUICK).code == 0


def test_a_folder_of_ones_own_that_was_forgotten_is_named(verb: Verb) -> None:
    own("one", "# @package _global_\nseed: 3\n")
    message = refused(verb, "train", "experiment=one", "seed=1")
    assert message.endswith("Try: rnnvision train --config-dir mine experiment=one seed=1")


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("experiment=../here/mine/experiment/one.yaml", "--config-dir ../here/mine experiment=one"),
        ("experiment=mine/experiment/one", "--config-dir mine experiment=one"),
        ("experiment=other/two.yaml", "--config-dir FOLDER experiment=two"),
        ("data=../here/mine", "data.root=../here/mine data=image_folder"),
    ],
)
def test_a_path_in_place_of_an_option_is_told_as_it_was_typed(verb: Verb, word: str, right: str) -> None:
    own("one", "# @package _global_\nseed: 3\n")
    Path("other").mkdir()
    Path("other/two.yaml").write_text("# @package _global_\nseed: 3\n")
    message = refused(verb, "train", word, "seed=1")
    assert message.startswith(f"{word}: there is no such option; ")
    assert message.endswith(f"Try: rnnvision train {right} seed=1")


def test_a_path_to_nothing_is_told_as_it_was_typed(verb: Verb) -> None:
    assert refused(verb, "train", "data=../no/where").startswith("data=../no/where: there is no such option")


# How a run ended ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["evaluate", "benchmark"])
def test_a_checkpoint_of_a_failed_run_says_why_there_is_none(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*args: object) -> None:
        raise FailureError("the disk is full")

    monkeypatch.setattr(Learner, "on_train_epoch_start", fail)
    assert verb("train", *QUICK, "hydra.run.dir=run").code == 1
    result = verb(name, "ckpt=run", "device=cpu")
    assert result.code == 2
    assert result.message.endswith("holds no checkpoint; the run is failed: the disk is full")


@pytest.mark.parametrize(("status", "shown"), [("running", "killed"), ("interrupted", "interrupted")])
@pytest.mark.parametrize("ckpt", ["run", "run/checkpoints/best.ckpt"])
def test_a_checkpoint_of_a_training_that_did_not_end_is_said_to_be_one(
    trained: Copy, verb: Verb, ckpt: str, status: str, shown: str
) -> None:
    (trained("run") / "status.json").write_text(json.dumps({"status": status}))
    Path("pixels.npy").write_bytes(b"")
    told = f"{ckpt}: the run is {shown}, so its training may not be at its end"
    result = verb("evaluate", f"ckpt={ckpt}", "device=cpu")
    assert result.code == 0, result.err
    assert f"note        {told}" in result.out.splitlines()
    result = verb("predict", f"ckpt={ckpt}", "source=pixels.npy", "device=cpu")
    assert f"note      {told}" in result.err.splitlines()  # where its answers are not
    assert "note" not in result.out
    shutil.rmtree("run/checkpoints")
    result = verb("evaluate", "ckpt=run", "device=cpu")
    assert (result.code, result.message.endswith(f"holds no checkpoint; the run is {shown}")) == (2, True)


@pytest.mark.parametrize("begun", [0, 1])
@pytest.mark.parametrize("error", [KeyboardInterrupt, FailureError])
def test_a_run_without_a_result_is_not_the_latest_one(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], begun: int
) -> None:
    start = Learner.on_train_epoch_start

    def stop(self: Learner) -> None:
        if self.current_epoch == begun:
            raise error("stopped")
        start(self)

    assert verb("train", *QUICK, "hydra.run.dir=first").code == 0
    monkeypatch.setattr(Learner, "on_train_epoch_start", stop)
    assert verb("train", *QUICK, "hydra.run.dir=second").code in (1, 130)
    assert Path("logs/train/latest").resolve().name == ("second" if begun else "first")


def test_data_that_is_not_there_is_not_the_latest_run(verb: Verb) -> None:
    assert verb("train", *QUICK, "hydra.run.dir=first").code == 0
    Path("empty").mkdir()
    assert verb("train", "data=image_folder", "data.root=empty", "device=cpu").code == 1
    assert Path("logs/train/latest").resolve().name == "first"


@pytest.mark.parametrize("there", [(), ("notes.txt",)])
def test_a_run_that_is_refused_leaves_no_folder(verb: Verb, there: tuple[str, ...]) -> None:
    """Refused by what is known only within the run; what else lies in the folder stays."""
    for name in there:
        Path("mine").mkdir()
        Path("mine", name).write_text("")
    for words in (("hydra.run.dir=mine",), ()):
        assert verb("train", *QUICK, "plugins=[no_such_plugin]", *words).code == 2
    assert Path("mine").is_dir() == bool(there)
    assert list(Path("logs/train/runs").iterdir()) == []
    assert not Path("logs/train/latest").is_symlink()


def test_a_folder_that_cannot_be_locked_is_a_failure_and_no_wrong_use(verb: Verb) -> None:
    Path("mine").write_text("")
    Path("run").mkdir()
    Path("run/.lock").symlink_to("../mine")
    result = verb("train", "hydra.run.dir=run", *TINY)
    assert result.code == 1
    assert "run/.lock: is a link" in result.message


def test_a_start_does_not_run_over_what_ended_while_it_began(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    take = RunFolder.take

    def taken(self: RunFolder) -> bool:  # as another process lets the lock go
        self.path.mkdir()
        (self.path / "metrics.csv").write_text("epoch\n0\n")
        return take(self)

    monkeypatch.setattr(RunFolder, "take", taken)
    result = verb("train", *QUICK, "hydra.run.dir=run")
    assert (result.code, result.message.partition(";")[0]) == (2, "rnnvision train: run: already holds a run")
    assert not Path("run/.hydra").exists()


@pytest.mark.parametrize(
    ("stage", "done"),
    [
        ("rnnvision.data.ImageData.setup", ""),
        (
            "rnnvision.training.Learner.training_step",
            "; what is done lies in a run; go on: rnnvision train 'resume=a run'",
        ),
    ],
)
def test_an_interrupted_run_says_how_to_go_on_if_it_can(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, stage: str, done: str
) -> None:
    found = resolve_name(stage)

    def stop(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return found(*arguments)

    monkeypatch.setattr(stage, stop)
    result = verb("train", *QUICK, "hydra.run.dir=a run")
    assert result.code == 143
    assert result.message == f"rnnvision train: interrupted{done}"


def test_a_run_that_is_stopped_before_its_work_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(STOP, "write_down", None)
    run = RunFolder(tmp_path / "run", tmp_path / "logs", "train")
    take(run)
    with run.lock:
        assert STOP.write_down is not None
        STOP.write_down()
        assert Run(run.path).status == "interrupted"
        run.write_status("completed")
        STOP.write_down()
        assert Run(run.path).status == "completed"


def test_a_run_within_another_is_not_the_latest_one(verb: Verb) -> None:
    Path("logs/compare/runs/x").mkdir(parents=True)
    Path("logs/compare/runs/x/status.json").write_text(json.dumps({"status": "running"}))
    assert verb("train", *QUICK, "hydra.run.dir=logs/train/runs/mine").code == 0
    assert verb("train", *QUICK, "hydra.run.dir=logs/compare/runs/x/lstm_0").code == 0
    assert Path("logs/train/latest").resolve().name == "mine"
