"""A sweep whose jobs end as a test says, without a process of any."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rnnvision.launch import BEFORE_MODULE
from rnnvision.runs import read_json
from rnnvision.search import Job
from rnnvision.search.places import Ended
from tests.cli.running import Result, Verb

CODES = {
    "completed": 0,
    "failed": 1,
    "wrong use": 2,
    "quits": 0,
    "leaves": 3,
    "memory": -9,
    "interrupted": 143,
    "scancel": -9,
    "hangup": 129,
    "unbegun": -9,
}


class FakePlace:
    """Runs jobs one after the other; `ends` says by their names how, completed by default."""

    slots = 1

    def __init__(self) -> None:
        self.ends: dict[str, str] = {}
        self.commands: dict[str, list[str]] = {}  # of this sweep, by the name of the job
        self.jobs: list[Job] = []
        self.stopped: list[str] = []

    def start(self, job: Job) -> None:
        self.commands[job.name] = job.command()[BEFORE_MODULE + 1 :]
        job.folder.mkdir(parents=True, exist_ok=True)
        self.jobs.append(job)

    def runs(self, job: Job) -> bool:
        return job in self.jobs

    def ended(self, wait: float) -> list[Ended]:
        if not self.jobs:
            return []
        how = self.ends.get(self.jobs[0].name, "completed")
        if how in ("Ctrl-C", "SIGTERM", "Ctrl-C as it begins"):
            raise SystemExit(143) if how == "SIGTERM" else KeyboardInterrupt
        job = self.jobs.pop(0)
        if how == "Ctrl-C as it ends":
            _leave(job, "interrupted")
            raise KeyboardInterrupt
        _leave(job, how)
        return [Ended(job, CODES[how])]

    def stop(self, job: Job) -> None:
        self.stopped.append(job.name)
        self.ends[job.name] = "unbegun" if self.ends.get(job.name) == "Ctrl-C as it begins" else "interrupted"

    def close(self, patience: float = 0.0) -> None:
        pass


def _leave(job: Job, how: str) -> None:
    """What a run leaves in its folder that ends like this."""
    (job.folder / "output.log").write_text(
        "rnnvision train: seed=x: is wrong\n" if how == "wrong use" else "folder    x\n"
    )
    if how in ("wrong use", "unbegun"):
        return
    interrupted = dict.fromkeys(("leaves", "quits", "scancel", "hangup"), "interrupted")
    status = {**interrupted, "memory": "running"}.get(how, how)
    error = "it diverged\nin two lines" if how == "failed" else None
    (job.folder / "status.json").write_text(json.dumps({"status": status, "error": error, "seconds": 1.0}))
    (job.folder / "checkpoints").mkdir(exist_ok=True)
    (job.folder / "checkpoints" / "last.ckpt").write_text("weights")
    if how == "completed":
        figures = {"val/accuracy": 0.5 + len(job.name) / 1000, "test/accuracy": 0.5, "train/seconds": 2.0}
        (job.folder / "metrics.json").write_text(json.dumps(figures))


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> FakePlace:
    made = FakePlace()
    monkeypatch.setattr("rnnvision.cli.frame.sweep.run.make_place", lambda *_, **__: made)
    return made


Sweep = Callable[..., Result]


@pytest.fixture
def sweep(verb: Verb, place: FakePlace) -> Sweep:
    """Sweep in the folder sw, with jobs that end as `ends` says, in order of `place`'s own rules."""

    def run(*words: str, ends: Mapping[str, str] | None = None) -> Result:
        place.ends, place.commands = dict(ends or {}), {}
        where = [] if any(word.startswith("resume_sweep=") for word in words) else ["hydra.sweep.dir=sw"]
        return verb("train", *words, *where)

    return run


def states() -> dict[str, str]:
    """The status of each job in sw that has one."""
    return {path.parent.name: read_json(path)["status"] for path in sorted(Path("sw").glob("*/status.json"))}
