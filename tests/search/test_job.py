"""A job: its command follows from its folder, and its status from its record and its lock."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.errors import FailureError
from rnnvision.launch import BEFORE_MODULE, module_command
from rnnvision.runs import RunFolder
from rnnvision.runs.lock import Lock
from rnnvision.search import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job("seed=0", tmp_path / "seed=0", "says", ("seed=0",), ("resume=here",))


def leave(job: Job, *files: str) -> None:
    for file in files:
        (job.folder / file).parent.mkdir(parents=True, exist_ok=True)
        (job.folder / file).write_text("x")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ([], ("seed=0",)),
        (["checkpoints/last.ckpt"], ("resume=here",)),
        (["pretrain/last.ckpt"], ("resume=here",)),
        (["checkpoints/best.ckpt", ".hydra/config.yaml", "metrics.csv"], ("seed=0",)),
        (["checkpoints/best.ckpt", "tracking.json"], ("seed=0",)),
    ],
    ids=["new", "training", "pre-training", "nothing to go on with", "its run at a tracker"],
)
def test_a_job_goes_on_from_its_last_checkpoint_else_anew(job: Job, left: list[str], words: tuple[str, ...]) -> None:
    leave(job, *left)
    assert job.command() == module_command("says", *words)
    kept = sorted(str(path.relative_to(job.folder)) for path in job.folder.rglob("*.*") if path.is_file())
    anew = [".lock", *(file for file in left if file == "tracking.json")]
    assert kept == (left if words == job.resume else anew if left else [])


def test_a_job_goes_on_from_its_best_checkpoint_once_an_epoch_has_ended(job: Job) -> None:
    leave(job, "checkpoints/best.ckpt")
    (job.folder / "metrics.csv").write_text("epoch,step,seconds\n0,9,1.0\n")
    assert job.command()[BEFORE_MODULE + 1 :] == ["resume=here"]
    assert (job.folder / "checkpoints" / "best.ckpt").is_file()


def test_a_verb_without_checkpoints_begins_anew(job: Job) -> None:
    leave(job, "checkpoints/last.ckpt")
    assert Job(job.name, job.folder, "says", ("seed=0",)).command()[BEFORE_MODULE + 1 :] == ["seed=0"]


def test_a_run_without_its_process_was_killed(job: Job) -> None:
    assert job.status == ""
    job.folder.mkdir()
    run = RunFolder(job.folder, job.folder, "train")
    run.write_status("running")
    assert job.status == "killed"
    with Lock(job.folder / ".lock") as lock:
        assert lock.acquire()
        assert job.status == "running"
    run.write_status("completed")
    assert job.status == "completed"


def test_a_run_that_ends_while_it_is_looked_at_was_not_killed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job.folder.mkdir()
    run = RunFolder(job.folder, job.folder, "train")
    run.write_status("running")
    monkeypatch.setattr(Lock, "holder", lambda self: run.write_status("completed"))
    assert job.status == "completed"


HOLDS = """
import os, sys, time
from pathlib import Path
from rnnvision.runs.lock import Lock
print(Lock(Path(sys.argv[1])).acquire(), flush=True)
if os.fork() == 0:
    time.sleep(30)  # holds nothing, and outlives the holder
time.sleep(60)
"""


def test_a_lock_is_of_one_process_and_dies_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        lock = Lock(path)
        assert not lock.acquire()
        assert lock.holder() == f"process {holder.pid}"
        holder.kill()
        holder.stdout.close()
    assert lock.holder() is None
    assert lock.acquire()
    assert lock.holder() == f"process {os.getpid()}"
    lock.release()
    assert lock.holder() is None


@pytest.mark.parametrize("leads_to", ["file", "nowhere/file"])
def test_what_a_link_in_the_place_of_a_lock_leads_to_is_left_alone(tmp_path: Path, leads_to: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / ".lock").symlink_to(leads_to)
    with pytest.raises(FailureError, match="is a link, and what it leads to would be written; remove it"):
        Lock(tmp_path / ".lock").acquire()
    assert (tmp_path / "file").read_text() == "mine"


def test_to_look_at_a_lock_through_a_link_does_not_free_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "latest").symlink_to("run")
    lock, linked = (Lock(tmp_path / name / ".lock") for name in ("run", "latest"))
    asks = [sys.executable, "-c", HOLDS.partition("if os.fork")[0], str(lock.path)]
    with lock:
        assert lock.acquire()
        assert linked.holder() == f"process {os.getpid()}"
        assert linked.acquire()
        assert subprocess.run(asks, capture_output=True, text=True, check=True).stdout == "False\n"
    assert subprocess.run(asks, capture_output=True, text=True, check=True).stdout == "True\n"


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As by a run that was refused, which leaves nothing: of a file without a name nobody would find the lock."""
    path, lockf = tmp_path / ".lock", fcntl.lockf

    def removed(file: int, how: int) -> None:
        lockf(file, how)
        path.unlink()
        monkeypatch.setattr(fcntl, "lockf", lockf)

    monkeypatch.setattr(fcntl, "lockf", removed)
    with Lock(path) as lock:
        assert lock.acquire()
        asks = [sys.executable, "-c", HOLDS.partition("if os.fork")[0], str(path)]
        assert subprocess.run(asks, capture_output=True, text=True, check=True).stdout == "False\n"


def test_only_the_first_process_of_a_job_waits_for_its_folder(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others would wait for the first one, which waits for them."""
    leave(job, "metrics.csv")
    monkeypatch.setattr(Lock, "holder", lambda self: "process 7")
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("waits"))
    monkeypatch.setenv("SLURM_PROCID", "1")
    assert job.command()[BEFORE_MODULE + 1 :] == ["seed=0"]
    assert (job.folder / "metrics.csv").is_file()
