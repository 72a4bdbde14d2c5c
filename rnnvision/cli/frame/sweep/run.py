"""A sweep while it runs: its jobs in the slots of a place, until all have ended or somebody stops them."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hydra._internal.hydra import Hydra

from rnnvision.checks import counted
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_INTERRUPT, leave
from rnnvision.cli.frame.places import make_place
from rnnvision.cli.frame.signals import STOP
from rnnvision.cli.frame.sweep.command import SweepCommand
from rnnvision.cli.frame.sweep.ending import print_end
from rnnvision.cli.frame.sweep.outcome import outcome_of
from rnnvision.cli.frame.sweep.plan import Plan, plan_of
from rnnvision.cli.frame.sweep.show import Lines, shown
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder
from rnnvision.runs.lock import Lock
from rnnvision.search import Job
from rnnvision.search.places import Place

LOOK = 0.5  # seconds between two looks at how far the jobs have got
PATIENCE = 90.0  # seconds for jobs that were told to save and end; then the place ends them
LOCKED_LOOK = 0.1  # seconds between two looks at a job whose process outlives the sweep that started it


@dataclass
class Queue:
    """The jobs of a sweep that are to run, and those that do.

    Args:
        place: where.
        jobs: all of the sweep, in their order.
        todo: those that are to run.
        fail_fast: whether the first failure stops the others.
    """

    place: Place
    jobs: Sequence[Job]
    todo: deque[Job]
    show: Lines
    verb: str
    fail_fast: bool = False
    running: dict[str, Job] = field(default_factory=dict)
    _numbers: dict[str, int] = field(init=False)
    _stopped: bool = False
    _waits: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers = {job.name: number for number, job in enumerate(self.jobs, start=1)}

    def run(self) -> None:
        """Run them all; whatever ends this before tells those that run to save and end."""
        try:
            self._run()
        except BaseException:
            self.stop()
            raise

    def _run(self) -> None:
        while self.todo or self.running:
            while self.todo and len(self.running) < self.place.slots and (job := self._next()) is not None:
                self._start(job)
            if not self.running:
                time.sleep(LOCKED_LOOK)
            self._look(LOCKED_LOOK if self.todo and len(self.running) < self.place.slots else LOOK)

    def stop(self) -> None:
        """Tell those that run to save and end, and wait until they have."""
        self.todo.clear()
        self._stopped = True
        for job in list(self.running.values()):
            self.place.stop(job)
        begin = time.monotonic()
        while self.running and time.monotonic() - begin < PATIENCE:
            self._look(LOOK)
            for job in list(self.running.values()):
                if not self.place.runs(job):  # it came out in the very moment of the interruption
                    self._end(job, EXIT_INTERRUPT)

    def _next(self) -> Job | None:
        """The next job that no other process works on: one may outlive the sweep that started it by a moment."""
        for _ in range(len(self.todo)):
            job = self.todo.popleft()
            status = job.status
            if status == "completed":  # by now
                self.show.found(job)
                continue
            if status != "running":
                return job
            if job.name not in self._waits:
                self._waits.add(job.name)
                self.show.note(f"{job.name} still runs, started by an earlier command; it is waited for")
            self.todo.append(job)
        return None

    def _start(self, job: Job) -> None:
        goes_on = job.goes_on  # before it changes its folder
        self.place.start(job)
        self.running[job.name] = job
        self.show.started(job, self._numbers[job.name], goes_on=goes_on)

    def _look(self, wait: float) -> None:
        for job, code in self.place.ended(wait):
            self._end(job, code)
        self.show.refresh()

    def _end(self, job: Job, code: int) -> None:
        self.running.pop(job.name, None)
        outcome = outcome_of(job, code, self.verb, stopped=self._stopped)
        self.show.ended(job, self._numbers[job.name], outcome)
        if outcome.status == "failed" and self.fail_fast and not self._stopped:
            self.show.note(f"fail_fast=true: {counted(len(self.running), 'other job')} told to stop")
            self.stop()


def run_sweep(sweep: SweepCommand, hydra: Hydra, config_name: str | None, libraries: Iterable[str]) -> None:
    """Begin a sweep, or go on with one; exits unless all its jobs are completed.

    Raises:
        UsageError: for what refuses a start; nothing is written then.
    """
    plan = plan_of(sweep, hydra, config_name)
    place = _place(plan, libraries)
    try:
        with held(plan), STOP.at_work():
            if plan.is_changed:
                plan.record.write(plan.folder)
            RunFolder(plan.folder, Path(str(plan.config.log_dir)) / plan.verb, "multiruns").point_latest()
            _run(plan, place)
    finally:
        place.close()


def held(plan: Plan) -> Lock:
    """The lock of a sweep.

    Raises:
        UsageError: if another process holds it.
    """
    lock = Lock(plan.folder / ".lock")
    if not lock.acquire():
        raise UsageError(f"{plan.shown}: {lock.holder() or 'another process'} runs this sweep")
    return lock


def _run(plan: Plan, place: Place) -> None:
    states = {job.name: job.status for job in plan.jobs}
    done = sum(state == "completed" for state in states.values())
    skipped = ("completed",) if plan.config.retry_failed else ("completed", "failed")
    todo = deque(job for job in plan.jobs if states[job.name] not in skipped)
    failed = len(plan.jobs) - done - len(todo)
    print(_first_lines(plan, done, failed), flush=True)
    jobs = counted(len(plan.jobs), "job")
    try:
        with shown(len(plan.jobs), done, failed) as show:
            Queue(place, plan.jobs, todo, show, plan.verb, bool(plan.config.fail_fast)).run()
    except (KeyboardInterrupt, SystemExit) as error:
        completed = print_end(plan)["completed"]
        leave(plan.verb, f"interrupted; {completed} of {jobs} completed", STOP.code_of(error))
    except (FailureError, OSError):  # of the place, which begins no more jobs
        print_end(plan)
        raise
    counts = print_end(plan)
    if rest := ", ".join(f"{count} {status}" for status, count in counts.items() if count and status != "completed"):
        leave(plan.verb, f"of {jobs} {rest}", EXIT_FAILURE)


def _first_lines(plan: Plan, done: int, failed: int) -> str:
    at_once = f", {plan.slots} at once" if plan.slots > 1 else ""
    before = [f"{done} completed before" if done else "", f"{failed} failed before" if failed else ""]
    lines = [
        f"sweep     {'; '.join(filter(None, (counted(len(plan.jobs), 'job') + at_once, *before)))}",
        f"folder    {plan.shown}",
    ]
    if failed:
        lines.append("note      what failed is tried again with retry_failed=true")
    return "\n".join(lines)


def _place(plan: Plan, libraries: Iterable[str]) -> Place:
    modules = [] if plan.verb == "train" else [*libraries, f"rnnvision.cli.{plan.verb}"]
    whole = ["whole"] if plan.config.get("plugins") else []
    return make_place(plan.config.where, jobs=plan.slots, words=[*modules, *whole])
