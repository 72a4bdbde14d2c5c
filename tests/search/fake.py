"""A place without processes: a trial's epochs are a function of its values, written as a training writes them."""

import contextlib
import csv
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rnnvision.runs.study import Axis, StudyRecord
from rnnvision.search import Job
from rnnvision.search.claims import Claim
from rnnvision.search.places import Ended
from rnnvision.search.record import record_of
from rnnvision.search.settings import Settings, checked
from rnnvision.search.storage import open_study
from rnnvision.search.study import Driver

EPOCHS = 6
SPACE = {
    "lr": Axis("float", 1e-4, 1e-1, log=True),
    "size": Axis("int", 1, 64),
    "model": Axis("choice", choices=("lstm", "gru", [1, 2])),
}
Score = Callable[[Mapping[str, Any], int], float]


def score_of(params: Mapping[str, Any], epoch: int) -> float:
    """The best at lr = 0.01; later epochs are better."""
    return 1 / (1 + abs(math.log10(params["lr"]) + 2)) * (1 - 0.5**epoch) + params["size"] / 1000


class Killed(BaseException):
    """The driver has died."""


class FakePlace:
    """Trains `speed` epochs of every job at each look; dies at the look `dies_at`, or has a job end otherwise."""

    def __init__(
        self,
        slots: int = 1,
        speed: int = 1,
        dies_at: int | None = None,
        score: Score = score_of,
        ends: Mapping[str, int] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        self.slots, self.speed, self.dies_at, self.score = slots, speed, dies_at, score
        self.ends, self.more = dict(ends or {}), dict(more or {})
        self.looks, self.epochs = 0, 0
        self._running: dict[str, Job] = {}
        self.starts: list[str] = []
        self._stopped: set[str] = set()

    def start(self, job: Job) -> None:
        assert len(self._running) < self.slots
        job.folder.mkdir(parents=True, exist_ok=True)
        self.starts.append(job.name)
        self._running[job.name] = job

    def ended(self, wait: float) -> list[Ended]:
        self.looks += 1
        if self.dies_at is not None and self.looks > self.dies_at:
            raise Killed
        found = []
        for name, job in list(self._running.items()):
            if name in self._stopped:
                found.append(Ended(job, 143))
            elif name in self.ends:
                found.append(Ended(job, self.ends.pop(name)))
            elif any(self._train(job) for _ in range(self.speed)):
                found.append(Ended(job, 0))
        for end in found:
            del self._running[end.job.name]
        return found

    def _train(self, job: Job) -> bool:
        """An epoch, after those that are in the folder; whether it was there already, and the training has ended."""
        file, params = job.folder / "metrics.csv", json.loads(job.fresh[0])
        done = len(file.read_text().splitlines()) - 1 if file.exists() else 0
        if done == EPOCHS:
            figures = {"val/accuracy": max(self.score(params, e + 1) for e in range(EPOCHS)), **self.more}
            (job.folder / "metrics.json").write_text(json.dumps(figures))
            (job.folder / "status.json").write_text('{"status": "completed"}')
            return True
        with file.open("a", newline="") as rows:
            writer = csv.writer(rows)
            if not done:
                writer.writerow(["epoch", "val/accuracy", "seconds"])
            writer.writerow([done, self.score(params, done + 1), 0.5])
        self.epochs += 1
        return False

    def stop(self, job: Job) -> None:
        self._stopped.add(job.name)

    def close(self, patience: float = 0.0) -> None:
        self._running.clear()


class Quiet:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.ends: dict[int, str] = {}
        self.errors: dict[int, str | None] = {}

    def began(self, claim: Claim) -> None: ...

    def scored(self, claim: Claim, epoch: int, score: float) -> None: ...

    def ended(self, claim: Claim, state: str, values: tuple[float, ...], error: str | None, epochs: int) -> None:
        self.ends[claim.number], self.errors[claim.number] = state, error

    def look(self) -> None: ...

    def waits(self, running: int) -> None: ...


def settings(**changed: Any) -> Settings:
    """A journal is quicker than a database, which waits for the disk."""
    usual = {"name": "study", "space": SPACE, "metrics": ["val/accuracy"], "max_epochs": EPOCHS, "storage": "journal"}
    return checked(**{**usual, **changed})


def jobs_in(folder: Path) -> Callable[[int, Mapping[str, Any]], Job]:
    def job(number: int, params: Mapping[str, Any]) -> Job:
        return Job(f"{number:04d}", folder / "trials" / f"{number:04d}", "train", (json.dumps(dict(params)),))

    return job


def run(folder: Path, study: Settings, total: int, place: FakePlace, **told: Any) -> StudyRecord:
    """The study as it stands when the driver has ended, or died."""
    optuna_study = open_study(folder, study)
    watcher = told.pop("watcher", None) or Quiet()
    with contextlib.suppress(Killed):
        Driver(optuna_study, folder, study, total, place, jobs_in(folder), watcher, **told).run()
    return record_of(optuna_study, study, total, lambda params: ())
