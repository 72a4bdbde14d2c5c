"""A sweep that is gone on with: nothing is done twice, nothing is overwritten, jobs can only be added."""

import json
from pathlib import Path

import pytest

from rnnvision.runs import Run
from rnnvision.runs.lock import Lock
from tests.cli.frame.sweep.conftest import FakePlace, Sweep, states
from tests.cli.running import Verb


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("sw").rglob("*") if path.is_file()}


def test_each_job_goes_on_from_where_it_is(sweep: Sweep, place: FakePlace) -> None:
    sweep("-m", "seed=0,1,2,3", "trainer=smoke", ends={"seed=1": "failed", "seed=2": "Ctrl-C"})
    assert states() == {"seed=0": "completed", "seed=1": "failed", "seed=2": "interrupted"}
    result = sweep("resume_sweep=sw")
    assert result.code == 1, "a job has failed, and is not tried again unless asked"
    assert {name: words[0] for name, words in place.commands.items()} == {
        "seed=2": f"resume={Path('sw/seed=2').absolute()}".replace("=", '="', 1) + '"',
        "seed=3": "seed=3",
    }
    result = sweep("-m", "resume_sweep=sw", "retry_failed=true")
    assert result.code == 0, result.err
    assert list(place.commands) == ["seed=1"]
    before = files()
    assert sweep("resume_sweep=sw").code == 0
    assert place.commands == {}
    assert files() == before


def test_a_job_that_was_stopped_before_it_began_begins(sweep: Sweep, place: FakePlace) -> None:
    sweep("-m", "seed=0,1", ends={"seed=0": "Ctrl-C as it begins"})
    assert states() == {"seed=0": "interrupted"}
    assert sweep("resume_sweep=sw").code == 0
    assert {name: words[0] for name, words in place.commands.items()} == {"seed=0": "seed=0", "seed=1": "seed=1"}


def test_more_values_add_jobs(sweep: Sweep, place: FakePlace) -> None:
    sweep("-m", "model=lstm", "seed=0,1")
    before = files()
    assert sweep("resume_sweep=sw", "model=gru,lstm", "seed=2,0,1").code == 0
    assert list(place.commands) == ["model=gru,seed=2", "model=gru,seed=0", "model=gru,seed=1", "model=lstm,seed=2"]
    kept = {path: content for path, content in before.items() if "/seed=" in path}
    assert kept.items() <= files().items()
    place.commands.clear()
    assert sweep("resume_sweep=sw").code == 0
    assert place.commands == {}


@pytest.mark.parametrize("words", [("seed=0",), ("optimizer.lr=0.5",), ("model=gru",)])
def test_another_configuration_is_refused(sweep: Sweep, place: FakePlace, words: tuple[str, ...]) -> None:
    sweep("-m", "seed=0,1", "model=lstm")
    before = files()
    result = sweep("resume_sweep=sw", *words)
    assert result.code == 2
    assert "is a sweep of another configuration: " in result.message
    assert result.message.endswith("Go on with it as it is: rnnvision train -m resume_sweep=sw")
    assert (files(), place.commands) == (before, {})


def test_a_key_that_some_models_lack_is_for_a_new_sweep_whose_command_is_accepted(
    verb: Verb, sweep: Sweep, place: FakePlace
) -> None:
    sweep("-m", "model=lstm,gru,cnn", "seed=0,1")
    before = files()
    message = sweep("resume_sweep=sw", "model.hidden_size=3").message
    told, _, typed = message.partition(": rnnvision train ")
    assert told == (
        "rnnvision train: model.hidden_size: model=cnn has no such key, model=lstm, model=gru have; "
        "a sweep that is resumed cannot take that, a new one can"
    )
    assert (files(), place.commands) == (before, {})
    assert typed == "-m model=lstm,gru seed=0,1 model.hidden_size=3"
    new = verb("train", *typed.split())
    assert new.code == 0, new.err
    assert len(place.commands) == 4


def test_the_same_command_again_is_told_how_to_go_on(sweep: Sweep) -> None:
    sweep("-m", "seed=0,1")
    before = files()
    message = sweep("-m", "seed=0,1").message
    assert message.startswith("rnnvision train: sw: already holds a sweep; choose another folder, or go on: ")
    assert message.endswith("rnnvision train -m resume_sweep=sw")
    assert files() == before


def test_a_sweep_that_runs_is_left_alone(sweep: Sweep, place: FakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep("-m", "seed=0,1", ends={"seed=1": "Ctrl-C"})
    monkeypatch.setattr(Lock, "acquire", lambda self: False)
    monkeypatch.setattr(Lock, "holder", lambda self: "process 7 on there")
    assert sweep("resume_sweep=sw").message == "rnnvision train: sw: process 7 on there runs this sweep"
    assert place.commands == {}


def test_a_job_whose_process_outlives_its_sweep_is_waited_for(
    sweep: Sweep, place: FakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep("-m", "seed=0,1", ends={"seed=0": "Ctrl-C"})
    looks = iter(["running"] * 5)
    state = Run.state.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(
        Run, "state", property(lambda run: next(looks, state(run)) if run.path.name == "seed=0" else state(run))
    )
    result = sweep("resume_sweep=sw")
    assert result.code == 0, result.err
    assert list(place.commands) == ["seed=1", "seed=0"], "the other one need not wait"
    assert result.out.count("seed=0 still runs") == 1


def test_latest_is_what_it_was_at_the_start(sweep: Sweep, place: FakePlace) -> None:
    for name in ("one", "two"):
        Path("runs", name).mkdir(parents=True)
    Path("latest").symlink_to("runs/one")
    sweep("-m", "weights=latest,other", "seed=0,1", ends={"weights=other,seed=0": "Ctrl-C"})
    Path("latest").unlink()
    Path("latest").symlink_to("runs/two")
    assert sweep("resume_sweep=sw").code == 0
    first = [words for name, words in place.commands.items() if "one" in name]
    assert first == []
    assert sweep("resume_sweep=sw", "weights=runs/one,other", "seed=0,1,2").code == 0
    assert place.commands["weights=runs-one,seed=2"][0] == "weights=runs/one"


def test_what_failed_is_tried_again_when_it_is_said_and_not_because_it_was(sweep: Sweep, place: FakePlace) -> None:
    sweep("-m", "seed=0,1", "retry_failed=true", ends={"seed=1": "failed"})
    assert sweep("resume_sweep=sw").code == 1
    assert place.commands == {}
    sweep("resume_sweep=sw", "seed=0,1,2", "retry_failed=true", ends={"seed=1": "failed"})
    assert list(place.commands) == ["seed=1", "seed=2"]
    assert sweep("resume_sweep=sw").code == 1
    assert place.commands == {}


def test_paths_are_shown_from_where_the_command_was_typed(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep("-m", "seed=0,1", ends={"seed=1": "failed"})
    there = Path.cwd()
    monkeypatch.chdir(there.parent)
    typed = f"{there.name}/sw"
    lines = [line.split() for line in sweep(f"resume_sweep={typed}").out.splitlines()]
    assert ["folder", typed] in lines
    assert ["next", "rnnvision", "train", "-m", f"resume_sweep={typed}", "retry_failed=true"] in lines
    monkeypatch.chdir(there.parent)
    assert sweep(f"resume_sweep={typed}", "seed=7").message.endswith(f"rnnvision train -m resume_sweep={typed}")


def test_another_place_takes_nothing_from_the_one_before(sweep: Sweep, place: FakePlace) -> None:
    sweep("-m", "seed=0,1", "where=slurm", "where.cluster=local", "where.cpus=2", ends={"seed=1": "Ctrl-C"})
    result = sweep("resume_sweep=sw", "where=local", "where.gpus=[0]")
    assert result.code == 0, result.err
    assert list(place.commands) == ["seed=1"]
    assert sweep("resume_sweep=sw", "seed=0,1,2", "where.cpus=3").code == 0


def test_another_folder_is_refused(sweep: Sweep) -> None:
    sweep("-m", "seed=0,1")
    message = sweep("resume_sweep=sw", "hydra.sweep.dir=other").message
    assert message.endswith("resume_sweep=sw: goes on in that folder; leave out hydra.sweep.dir=other")
    assert sweep("resume_sweep=sw", "hydra.sweep.dir=./sw").code == 0


def test_a_command_that_is_corrected_goes_on_too(sweep: Sweep) -> None:
    sweep("-m", "seed=0,1")
    assert sweep("resume_sweep=sw", "+seed=0,1,2").message.endswith("rnnvision train -m seed=0,1,2 resume_sweep=sw")


def test_the_latest_sweep_has_a_name(sweep: Sweep, place: FakePlace) -> None:
    assert sweep("-m", "seed=0,1", ends={"seed=1": "failed"}).code == 1
    assert Path("logs/train/multiruns/latest").resolve() == Path("sw").resolve()
    place.ends.clear()
    result = sweep("resume_sweep=logs/train/multiruns/latest", "retry_failed=true")
    assert result.code == 0
    assert "folder    sw\n" in result.out


def test_no_module_of_another_folder_is_imported_because_a_record_says_so(sweep: Sweep, tmp_path: Path) -> None:
    sweep("-m", "seed=0,1")
    there = tmp_path / "there"
    there.mkdir()
    (there / "theirs.py").write_text("from pathlib import Path\nPath('run').touch()\n")
    record = json.loads(Path("sw/sweep.json").read_text())
    record["cwd"] = str(there)
    record["commands"] = [[*words, "plugins=[theirs]"] for words in record["commands"]]
    Path("sw/sweep.json").write_text(json.dumps(record))
    result = sweep("resume_sweep=sw")
    assert result.code == 2
    assert f": resume_sweep=sw: takes modules or configurations from {there}; " in result.message
    assert f"cd {there} && rnnvision train resume_sweep=" in result.message
    assert not list(tmp_path.rglob("run"))
