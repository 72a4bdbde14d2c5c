"""Progress of long work, shown on standard error: on a terminal a live line, in a log now and then a line.

Standard error, since what a verb prints on standard output may be read by another program.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from rnnvision.cli.frame.live.line import SECONDS_BETWEEN, LiveLine, is_live, live_line
from rnnvision.cli.frame.live.words import Part, Rate, duration, left, line_of, of_total, rate_words
from rnnvision.progress import Count

QUICK = 0.5  # seconds: what is done by then is not shown
LOGGED_EVERY = 10.0  # seconds between two lines of a log


@contextmanager
def shown_counts(what: str, total: int | None) -> Iterator[Count]:
    """Show how far work has got, as `rnnvision.progress.Show`."""
    with ExitStack() as stack:
        yield (_Live if is_live(sys.__stderr__) else _Logged)(what, total, stack).count


class _Logged:
    """A line every few seconds."""

    first, every = LOGGED_EVERY, LOGGED_EVERY

    def __init__(self, what: str, total: int | None, stack: ExitStack) -> None:
        self.what, self.total, self.done = what, total, 0
        self._stack = stack
        self._began = time.monotonic()
        self._next = self._began + self.first

    def count(self, more: int) -> None:
        self.done += more
        now = time.monotonic()
        if now >= self._next:
            self._show()
            self._next = now + self.every

    def _show(self) -> None:
        rate = self.done / (time.monotonic() - self._began)
        total = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.done:,}{total}", rate_words(rate)]
        if self.total is not None and (seconds := left(self.total - self.done, rate)) is not None:
            parts.append(f"{duration(seconds)} left")
        print(f"{self.what}: {', '.join(part for part in parts if part)}", file=sys.stderr, flush=True)


class _Live(_Logged):
    """The live line, which is opened when it is first drawn."""

    first, every = QUICK, SECONDS_BETWEEN

    def __init__(self, what: str, total: int | None, stack: ExitStack) -> None:
        super().__init__(what, total, stack)
        self._line: LiveLine | None = None
        self._rate = Rate()

    def _show(self) -> None:
        if self._line is None:
            from rich.console import Console

            self._line = self._stack.enter_context(live_line(Console(file=sys.__stderr__, highlight=False)))
        rate = self._rate.at(self.done) or self.done / (time.monotonic() - self._began)
        share, seconds = None, None
        if self.total is not None:
            share, seconds = self.done / max(self.total, 1), left(self.total - self.done, rate)
        parts = [
            Part(of_total(self.done, self.total)),
            Part(rate_words(rate), 2),
            Part("" if seconds is None else f"{duration(seconds)} left", 1),
        ]
        self._line.draw(line_of(self._line.console, self.what.capitalize(), share, parts))
