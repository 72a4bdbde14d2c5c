"""How a job of a sweep ended: read from its folder, where an end that it could not write down is written down."""

import math
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rnnvision.cli.frame.exits import EXIT_USAGE
from rnnvision.cli.frame.signals import CODES
from rnnvision.runs import Run, RunFolder, last_line, read_json
from rnnvision.search import Job
from rnnvision.search.job import OUTPUT

SCORES = {"val/accuracy": "val", "test/accuracy": "test"}  # with their names in a line
TOLD_TO_END = {*CODES.values(), *(-signum for signum in CODES), -signal.SIGKILL}  # the last one soon after
MOST_FIGURES = 3  # of a verb that has neither


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    Attributes:
        status: completed, failed or interrupted.
        error: of a failed one, on one line.
        figures: what a line shows, by short name.
    """

    status: str
    error: str | None
    figures: dict[str, float]


def outcome_of(job: Job, code: int, verb: str, *, stopped: bool = False) -> Outcome:
    """The outcome of a job whose process has ended with this exit code.

    Where the sweep itself has `stopped` it, it has not failed, however it ended.
    """
    run = Run(job.folder)
    if run.completed:
        return Outcome("completed", None, figures_of(run.metrics))
    if stopped or (run.status == "interrupted" and code in TOLD_TO_END):
        if not run.status:  # stopped while it imported, or before its place had begun it
            job.folder.mkdir(parents=True, exist_ok=True)
            RunFolder(job.folder, job.folder, verb).write("status.json", {"status": "interrupted"})
        return Outcome("interrupted", None, {})
    error = run.error if run.status == "failed" else None
    if error is None:
        error = _error(job, code)
        kept = read_json(job.folder / "status.json")
        RunFolder(job.folder, job.folder, verb).write("status.json", {**kept, "status": "failed", "error": error})
    return Outcome("failed", error.splitlines()[0], {})


def figures_of(metrics: dict[str, Any]) -> dict[str, float]:
    """The figures of a run that a line has room for: accuracies, else the first ones."""
    found = {name: metrics[key] for key, name in SCORES.items() if _is_number(metrics.get(key))}
    if not found:
        found = {key: value for key, value in metrics.items() if _is_number(value)}
    return dict(list(found.items())[:MOST_FIGURES])


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _error(job: Job, code: int) -> str:
    """Of a process that has not said why it ends, in its folder."""
    if code < 0:
        return _signal(-code)
    output = job.folder / OUTPUT
    said = last_line(output) if code == EXIT_USAGE and output.is_file() else ""
    return said or f"ended with exit code {code}, and without a result"


def _signal(number: int) -> str:
    name = str(number)
    with suppress(ValueError):
        name = f"{number} ({signal.Signals(number).name})"
    hint = "; was the memory of this machine used up?" if number == signal.SIGKILL else ""
    return f"ended by signal {name}{hint}"
