"""Distributed runs: by torchrun, in a place of jobs, stopped and killed; and what is refused of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnvision.cli.frame.places import PREPARE
from rnnvision.cli.frame.trainer.stop import Stop
from rnnvision.search import Job
from rnnvision.search.places import Local
from tests.cli.running import Verb

WORDS = ("data=digits", "device=cpu_ddp", "model.hidden_size=8", "trainer.max_epochs=2")


def wait_for(done: Callable[[], object], seconds: float = 60.0) -> None:
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < seconds
        time.sleep(0.1)


def processes(folder: Path) -> list[str]:
    shown = subprocess.check_output(["ps", "-ewwo", "args"], text=True)
    return [line for line in shown.splitlines() if str(folder) in line]


@pytest.mark.parametrize(
    ("words", "name", "said"),
    [
        (["trainer.num_nodes=2"], None, "trainer.num_nodes=2: the processes of several machines are started by"),
        (["trainer.num_nodes=0"], None, "trainer.num_nodes=0: must be a whole number of at least 1"),
        ([], "none", "torchrun has given its processes no name to call their folder by; add --standalone"),
    ],
    ids=str,
)
def test_processes_that_nobody_starts_or_names_are_refused(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, words: list[str], name: str | None, said: str
) -> None:
    if name:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", name)
    result = verb("train", *WORDS, *words)
    assert result.code == 2
    assert said in result.message
    assert len(result.message.splitlines()) == 1


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"LOCAL_RANK": "abc"}, "LOCAL_RANK=abc: is no whole number; unset this variable"),
        ({"RANK": "0", "WORLD_SIZE": "q"}, "WORLD_SIZE=q: is no whole number"),
        ({"SLURM_NTASKS": "-1"}, "SLURM_NTASKS=-1: is no whole number"),
        ({"LOCAL_RANK": "3"}, "LOCAL_RANK=3: the environment says that another process writes the results"),
        ({"WORLD_SIZE": "4", "RANK": "1"}, "RANK=1: the environment says that another process writes the results"),
    ],
    ids=str,
)
def test_what_an_environment_says_of_processes_that_are_not_there_is_refused(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    result = verb("train", "data=digits", "device=cpu", "model.hidden_size=8", "trainer=smoke")
    assert result.code == 2
    assert said in result.message
    assert len(result.message.splitlines()) == 1


def test_sigterm_ends_a_training_as_other_signals_do() -> None:
    """Lightning's handler would end it unsaved, and of several processes broadcast in the midst of another exchange."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        stop = Stop()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Lightning does when a training begins
        stop.on_train_start(None, None)  # type: ignore[arg-type]
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_torchrun_and_lightning_train_the_same() -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*command, "-m", "rnnvision.cli.train", *WORDS], check=True, capture_output=True)
    (run,) = Path("logs/train/runs").iterdir()
    assert run.name.startswith("torchrun-")
    assert (run / "train.log").read_text().count("epoch   2") == 1
    command = [sys.executable, "-m", "rnnvision.cli.train", *WORDS, "hydra.run.dir=own"]
    subprocess.run(command, check=True, capture_output=True)
    found = [json.loads((folder / "metrics.json").read_text()) for folder in (run, Path("own"))]
    assert found[0]["test/nll"] == found[1]["test/nll"]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_no_process_of_a_distributed_job_is_left(tmp_path: Path, end: str) -> None:
    folder = tmp_path / "here" / "run"
    place = Local(1, prepare=PREPARE)
    words = (*WORDS, "trainer.max_epochs=100000", f"hydra.run.dir={folder}")
    job = Job("run", folder, "rnnvision.cli.train", words, (f"resume={folder}",))
    place.start(job)
    wait_for(lambda: (folder / "metrics.csv").is_file())
    assert processes(folder)
    if end == "stop":
        place.stop(job)
        assert place.ended(60) == [(job, 143)]
        assert job.status == "interrupted"
    else:
        holder = json.loads((folder / ".lock").read_text())["pid"]
        os.kill(holder, signal.SIGKILL)
        assert place.ended(60) == [(job, -9)]
        assert job.status == "killed"
    wait_for(lambda: not processes(folder), 5)
    place.close()
