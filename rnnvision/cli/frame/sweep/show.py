"""What a sweep shows while it runs: live rows on a terminal, elsewhere a line at each start and each end of a job."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rnnvision.checks import counted
from rnnvision.cli.frame.live.rows import LiveRows, live_rows
from rnnvision.cli.frame.live.words import Part, duration, line_of
from rnnvision.cli.frame.sweep.outcome import Outcome
from rnnvision.runs import read_epochs
from rnnvision.runs.read import CONFIG
from rnnvision.search import Job
from rnnvision.search.job import OUTPUT

if TYPE_CHECKING:
    from rich.text import Text

WIDEST = 48  # columns of a name
EPOCHS = re.compile(r"^trainer:\n(?:[ ].*\n)*?  max_epochs: (\d+)$", re.MULTILINE)


@dataclass
class Running:
    """A job that runs, and what its folder says of it."""

    job: Job
    began: float = field(default_factory=time.monotonic)
    epoch: int = 0
    epochs: int | None = None  # null, as far as is known
    score: str = ""
    _changed: float = 0.0

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def share(self) -> float | None:
        return min(1.0, self.epoch / self.epochs) if self.epochs else None

    def look(self) -> None:
        """Read how far it has got, if it has got any further."""
        table = self.job.folder / "metrics.csv"
        try:
            changed = table.stat().st_mtime
        except OSError:
            return
        if changed == self._changed:
            return
        self._changed = changed
        if self.epochs is None:
            config = self.job.folder / CONFIG
            found = EPOCHS.search(config.read_text(errors="replace")) if config.is_file() else None
            self.epochs = int(found[1]) if found else 0
        rows = read_epochs(table)
        self.epoch = len(rows)
        self.score = next((row["val/accuracy"] for row in reversed(rows) if row.get("val/accuracy")), "")


class Lines:
    """Lines, as of a log.

    Args:
        total: jobs of the sweep.
        done, failed: of them, before this command.
    """

    def __init__(self, total: int, done: int, failed: int) -> None:
        self.total, self.done, self.failed = total, done, failed
        self.interrupted = 0
        self.running: dict[str, Running] = {}
        self._done_before, self._began = done, time.monotonic()

    @property
    def waiting(self) -> int:
        return self.total - self.done - self.failed - self.interrupted - len(self.running)

    def started(self, job: Job, number: int, *, goes_on: bool) -> None:
        self.running[job.name] = Running(job)
        self._say_start(f"{number:>4} of {self.total}: {job.name}{', which goes on' if goes_on else ''}")

    def ended(self, job: Job, number: int, outcome: Outcome) -> None:
        took = duration(self.running.pop(job.name).seconds)
        self.done += outcome.status == "completed"
        self.failed += outcome.status == "failed"
        self.interrupted += outcome.status == "interrupted"
        figures = "".join(f"   {name} {_shown(value)}" for name, value in outcome.figures.items())
        error = f": {outcome.error} (see {job.folder.name}/{OUTPUT})" if outcome.error else ""
        line = f"{number:>4} of {self.total}: {job.name} {outcome.status}{error}{figures}   {took}"
        print(line, file=sys.stderr if outcome.status == "failed" else sys.stdout, flush=True)

    def found(self, job: Job) -> None:
        """A job that another process has completed by now."""
        self.done += 1

    def note(self, text: str) -> None:
        print(f"          {text}", flush=True)

    def refresh(self) -> None:
        """Called now and then while jobs run."""

    def left(self) -> float | None:
        """Seconds until the end, as the jobs and epochs of this command have gone; None while that is not known."""
        begun = sum(one.share or 0.0 for one in self.running.values())
        gone = self.done - self._done_before + begun
        todo = self.waiting + len(self.running) - begun
        return (time.monotonic() - self._began) * todo / gone if gone > 0 else None

    def _say_start(self, line: str) -> None:
        print(line, flush=True)


class Table(Lines):
    """Live rows: one for each job that runs, and the counts below them."""

    def __init__(self, total: int, done: int, failed: int, rows: LiveRows) -> None:
        super().__init__(total, done, failed)
        self._live = rows

    def _say_start(self, line: str) -> None:
        self.refresh()

    def refresh(self) -> None:
        for one in self.running.values():
            one.look()
        console = self._live.console
        most = max(1, console.height - 3)
        shown = list(self.running.values())[:most]
        width = min(max((len(one.job.name) for one in shown), default=0), WIDEST, console.width // 2)
        rows = [self._row(one, width) for one in shown]
        if len(self.running) > most:
            rows.append(line_of(console, f"and {len(self.running) - most} more", None, []))
        self._live.draw_rows([*rows, self._counts()])

    def _row(self, one: Running, width: int) -> "Text":
        epochs = f"/{one.epochs}" if one.epochs else ""
        parts = [
            Part(f"epoch {one.epoch}{epochs}" if one.epoch else "starting" if one.epochs is None else ""),
            Part(f"val {float(one.score):.4f}" if one.score else "", 1),
            Part(duration(one.seconds), 2),
        ]
        name = one.job.name if len(one.job.name) <= width else f"{one.job.name[: width - 1]}~"
        return line_of(self._live.console, name.ljust(width), one.share, parts)

    def _counts(self) -> "Text":
        left = self.left()
        parts = [
            Part(f"{self.done}/{self.total} completed"),
            Part(f"{self.failed} failed" if self.failed else ""),
            Part(f"{counted(self.waiting, 'job')} waiting" if self.waiting else "", 2),
            Part("" if left is None else f"{duration(left)} left", 1),
        ]
        return line_of(self._live.console, "sweep", self.done / self.total, parts)


@contextmanager
def shown(total: int, done: int, failed: int) -> Iterator[Lines]:
    """What is shown within."""
    with live_rows() as rows:
        yield Lines(total, done, failed) if rows is None else Table(total, done, failed, rows)


def _shown(value: float) -> str:
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}"
