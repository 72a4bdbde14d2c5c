"""A sweep from its command to its table: plain runs, each in a folder of its own, whatever becomes of the others."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.errors import FailureError
from rnnvision.runs import read_json
from rnnvision.search import Job
from tests.cli.frame.sweep.conftest import FakePlace, Sweep, states
from tests.cli.running import TINY, Copy, Verb


def test_each_job_is_a_plain_run_in_a_folder_named_by_what_was_swept(sweep: Sweep, place: FakePlace) -> None:
    result = sweep("model=lstm,gru", "-m", "seed=0,1", "trainer=smoke", "jobs=2")
    assert result.code == 0, result.err
    assert list(place.commands) == ["model=lstm,seed=0", "model=lstm,seed=1", "model=gru,seed=0", "model=gru,seed=1"]
    folder = Path("sw").absolute() / "model=gru,seed=1"
    assert place.commands[folder.name] == ["model=gru", "seed=1", "trainer=smoke", f'hydra.run.dir="{folder}"']
    with Path("sw/sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["seed"], row["status"]) for row in rows] == [
        (model, seed, "completed") for model in ("lstm", "gru") for seed in "01"
    ]
    assert "| lstm | 2 | 0.5170 ± 0.0000 |" in Path("sw/sweep.md").read_text(), "the mean over two seeds"
    assert "next      rnnvision evaluate" in result.out


def test_a_file_of_several_runs_is_a_sweep(sweep: Sweep, place: FakePlace) -> None:
    assert sweep("-m", "sweep=recurrences", "seed=7").code == 0
    assert list(place.commands) == [f"model={model}" for model in ("rnn", "lstm", "gru")]
    words = place.commands["model=gru"]
    assert set(words) >= {"model=gru", "seed=7", "sweep=recurrences", "hydra.sweeper.params=null"}


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("failed", "it diverged"),
        ("wrong use", "seed=x: is wrong"),
        ("quits", "ended with exit code 0, and without a result"),
        ("leaves", "ended with exit code 3, and without a result"),
        ("memory", "ended by signal 9 (SIGKILL); was the memory of this machine used up?"),
    ],
)
def test_the_others_go_on_whatever_a_failure_was(sweep: Sweep, how: str, error: str) -> None:
    result = sweep("-m", "seed=0,1,2", ends={"seed=1": how})
    assert result.code == 1
    assert states() == {"seed=0": "completed", "seed=1": "failed", "seed=2": "completed"}
    assert f"seed=1 failed: {error} (see seed=1/output.log)" in result.err
    assert json.loads(Path("sw/seed=1/status.json").read_text())["error"].startswith(error)
    assert "retry_failed=true" in result.out
    assert result.message.splitlines()[-1] == "rnnvision train: of 3 jobs 1 failed"


def test_fail_fast_stops_the_others(sweep: Sweep, place: FakePlace) -> None:
    place.slots = 2
    result = sweep("-m", "seed=0,1,2,3", "fail_fast=true", ends={"seed=0": "failed"})
    assert result.code == 1
    assert list(place.commands) == ["seed=0", "seed=1"], "what has not begun does not begin"
    assert place.stopped == ["seed=1"]
    assert states() == {"seed=0": "failed", "seed=1": "interrupted"}


@pytest.mark.parametrize("how", ["scancel", "hangup"])
def test_a_job_that_saved_before_it_ended_goes_on_with_the_next_resume(
    sweep: Sweep, place: FakePlace, how: str
) -> None:
    assert sweep("-m", "seed=0,1", ends={"seed=0": how}).code == 1
    assert states() == {"seed=0": "interrupted", "seed=1": "completed"}
    place.ends.clear()
    assert sweep("resume_sweep=sw").code == 0
    assert states() == {"seed=0": "completed", "seed=1": "completed"}


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("signal", "code"), [("Ctrl-C", 130), ("SIGTERM", 143), ("Ctrl-C as it ends", 130), ("Ctrl-C as it begins", 130)]
)
def test_what_ends_the_sweep_ends_its_jobs_and_says_how_to_go_on(
    sweep: Sweep, place: FakePlace, signal: str, code: int
) -> None:
    result = sweep("-m", "seed=0,1,2", ends={"seed=1": signal})
    assert result.code == code
    assert place.stopped == ["seed=1"]  # a job that has just ended hears nothing of it
    assert states() == {"seed=0": "completed", "seed=1": "interrupted"}
    with Path("sw/sweep.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["completed", "interrupted", "not begun"]
    assert "next      rnnvision train -m resume_sweep=sw\n" in result.out
    assert result.message == "rnnvision train: interrupted; 1 of 3 jobs completed"


def test_what_is_of_the_sweep_is_not_kept_in_a_run(verb: Verb, trained: Copy) -> None:
    assert "jobs:" not in (trained("run") / ".hydra" / "config.yaml").read_text()


SWEEPS = """
import sys
from rnnvision.cli.train import main
code = 0
try:
    main()
except SystemExit as error:
    code = error.code
print("code", code, "torch" in sys.modules)
"""


def test_a_real_sweep_gives_what_plain_runs_give_and_needs_no_torch_itself(trained: Copy) -> None:
    words = ["-m", "seed=0,1", "jobs=2", "hydra.sweep.dir=sw", *TINY]
    done = subprocess.run([sys.executable, "-c", SWEEPS, *words], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("code 0 False\n"), done.stdout + done.stderr
    assert states() == {"seed=0": "completed", "seed=1": "completed"}
    plain, swept = (
        {name: value for name, value in read_json(folder / "metrics.json").items() if "second" not in name}
        for folder in (trained("run"), Path("sw/seed=0"))
    )
    assert plain == swept


def test_a_place_that_takes_no_more_jobs_ends_the_sweep_as_a_stop_does(
    sweep: Sweep, place: FakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = place.start

    def refuse(job: Job) -> None:
        if job.name == "seed=1":
            raise FailureError("where=slurm: sbatch takes no job: QOSMaxSubmitJobPerUserLimit")
        start(job)

    monkeypatch.setattr(place, "slots", 2, raising=False)
    monkeypatch.setattr(place, "start", refuse)
    result = sweep("-m", "seed=0,1,2", "jobs=2")
    assert result.code == 1
    assert result.message.splitlines()[-1].startswith("rnnvision train: where=slurm: sbatch takes no job: QOSMax")
    assert place.stopped == ["seed=0"]
    assert states() == {"seed=0": "interrupted"}
    assert "next      rnnvision train -m resume_sweep=sw" in result.out
