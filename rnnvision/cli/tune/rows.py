"""Live rows of a study on a terminal: one for each trial that runs, and the counts below; lines stay above them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rnnvision.checks import counted
from rnnvision.cli.frame.live.rows import LiveRows, live_rows
from rnnvision.cli.frame.live.words import Part, duration, line_of
from rnnvision.cli.tune.lines import Lines
from rnnvision.report.study.scores import shown
from rnnvision.runs.study import StudyRecord
from rnnvision.search.claims import Claim
from rnnvision.search.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

REDRAW = 0.25  # seconds between two drawings


class Rows(Lines):
    """As lines, but that a trial that runs is a row.

    Args:
        settings: of the study.
        best: the best score of one metric so far, None where there is none.
        total: trials of the study.
        ended: of them, before this process.
        live: where the rows are drawn.
    """

    def __init__(
        self, settings: Settings, best: tuple[int, float] | None, total: int, ended: int, live: LiveRows
    ) -> None:
        super().__init__(settings, best)
        self._total, self._ended, self._live = total, ended, live
        self._words: dict[int, str] = {}  # of the trials that run
        self._epochs: dict[int, int] = {}
        self._drawn = 0.0

    def scored(self, claim: Claim, epoch: int, score: float) -> None:
        super().scored(claim, epoch, score)
        self._epochs[claim.number] = epoch

    def ended(self, claim: Claim, state: str, values: tuple[float, ...], error: str | None, epochs: int) -> None:
        self._words.pop(claim.number, None)
        self._ended += 1
        super().ended(claim, state, values, error, epochs)

    def look(self) -> None:
        if time.monotonic() - self._drawn >= REDRAW:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        console = self._live.console
        running = list(self._words)[: max(1, console.height - 2)]
        self._live.draw_rows([*(self._row(console, number) for number in running), self._counts(console)])

    def _say_start(self, number: int, text: str) -> None:
        self._words[number] = text
        self._draw()

    def _row(self, console: "Console", number: int) -> "Text":
        epoch, most = self._epochs.get(number, 0), self._settings.max_epochs
        score = self._last.get(number)
        parts = [
            Part(f"epoch {epoch}{f'/{most}' if most else ''}" if epoch else "starting"),
            Part("" if score is None else shown(self._settings.metrics[0], score), 1),
            Part(duration(time.monotonic() - self._began[number]), 2),
            Part(self._words[number], 4),
        ]
        return line_of(console, f"trial {number:>3}", epoch / most if most else None, parts)

    def _counts(self, console: "Console") -> "Text":
        waiting = max(0, self._total - self._ended - len(self._words))
        parts = [
            Part(f"{self._ended}/{self._total} ended"),
            Part(
                f"best {shown(self._settings.metrics[0], self._best[1])} (trial {self._best[0]})" if self._best else "",
                1,
            ),
            Part(f"{counted(waiting, 'trial')} waiting" if waiting else "", 2),
        ]
        return line_of(console, "search   ", min(1.0, self._ended / self._total), parts)


@contextmanager
def watched(settings: Settings, record: StudyRecord, total: int) -> Iterator[Lines]:
    """What is shown within: live rows on a terminal, lines elsewhere."""
    ranked = record.best() if len(record.metrics) == 1 else []
    best = (ranked[0].number, ranked[0].values[0]) if ranked else None
    ended = sum(trial.state != "running" for trial in record.trials)
    with live_rows() as live:
        yield Lines(settings, best) if live is None else Rows(settings, best, total, ended, live)
