"""Jobs on this machine: in slots, each in a process of its own, which ends with the one that started it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rnnvision.search import Job
from rnnvision.search.places.local import Local, environments

ROOT = Path(__file__).parents[2]
SAYS = """
import os, sys, time
code, seconds = sys.argv[1:3]
print("threads", os.environ.get("OMP_NUM_THREADS"), flush=True)
time.sleep(float(seconds))
sys.exit(int(code))
"""
DRIVES = """
import sys, time
from pathlib import Path
from rnnvision.search import Job
from rnnvision.search.places import Local
place = Local(1, prepare="shared:prepare")
place.start(Job("a", Path("a").absolute(), "says", ("0", "60")))
time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shared.py").write_text("def prepare(*words):\n    pass\n")
    (tmp_path / "says.py").write_text(SAYS)
    (tmp_path / "drives.py").write_text(DRIVES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    return tmp_path


@pytest.fixture
def place(folder: Path) -> Iterator[Local]:
    made = Local(2, prepare="shared:prepare")
    yield made
    made.close(0)


def job(folder: Path, name: str, *words: str) -> Job:
    return Job(name, folder / name, "says", words)


def wait_for(done: Callable[[], object], seconds: float = 10.0) -> None:
    begin = time.monotonic()
    while not done():
        assert time.monotonic() - begin < seconds
        time.sleep(0.02)


def test_jobs_come_out_once_with_their_codes(place: Local, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long, short = job(folder, "long", "0", "60"), job(folder, "short", "3", "0")
    place.start(long)
    place.start(short)
    assert place.ended(10) == [(short, 3)]
    assert place.ended(0) == []
    again = job(folder, "again", "0", "0")
    place.start(again)
    assert place.ended(10) == [(again, 0)]
    wait_for((folder / "long" / "output.log").read_text)  # its server may import longer than that of the others
    place.stop(long)
    assert place.ended(10) == [(long, -signal.SIGTERM)]
    assert (folder / "short" / "output.log").read_text().startswith("threads ")


def test_what_is_stopped_before_it_has_begun_never_does(place: Local, folder: Path) -> None:
    (folder / "shared.py").write_text("import time\ndef prepare(*words):\n    time.sleep(60)\n")
    early = job(folder, "early", "0", "0")
    place.start(early)
    place.stop(early)
    assert place.ended(10) == [(early, 1)]
    assert (folder / "early" / "output.log").read_text() == ""


def test_what_still_runs_ends_when_the_place_closes(place: Local, folder: Path) -> None:
    place.start(job(folder, "long", "0", "60"))
    begin = time.monotonic()
    place.close(5)
    assert time.monotonic() - begin < 4
    assert place.ended(0) == []


def test_jobs_do_not_outlive_a_process_that_is_killed(folder: Path) -> None:
    with subprocess.Popen([sys.executable, "drives.py"]) as driver:
        output = folder / "a" / "output.log"
        wait_for(lambda: output.is_file() and output.read_text())
        (child,) = (path.name for path in Path("/proc").iterdir() if path.name.isdigit() and _runs(path.name, folder))
        driver.kill()
    wait_for(lambda: not _runs(child, folder))


def _runs(pid: str, folder: Path) -> bool:
    """Whether this process prints to the log of the job."""
    try:
        return Path(f"/proc/{pid}/fd/1").readlink() == folder / "a" / "output.log"
    except OSError:
        return False


def test_threads_and_gpus_are_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert environments(1, of=8) == [{}]
    assert environments(1, ["0", "1"], of=8) == [{"CUDA_VISIBLE_DEVICES": "0,1"}]
    assert [one["OMP_NUM_THREADS"] for one in environments(3, of=8)] == ["2", "2", "2"]
    assert environments(4, of=2)[0]["OMP_NUM_THREADS"] == "1"
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments(2, ["0", "1", "2"])] == ["0,2", "1"]
    assert [one["CUDA_VISIBLE_DEVICES"] for one in environments(3, ["0", "1"])] == ["0", "1", "0"]
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert environments(2, of=8) == [{}, {}]
