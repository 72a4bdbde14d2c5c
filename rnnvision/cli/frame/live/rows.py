"""Live rows: the last lines of a terminal, drawn again and again; whatever is printed meanwhile goes above them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rnnvision.cli.frame.live.line import ERASE, LiveLine, is_live, opened

if TYPE_CHECKING:
    from rich.text import Text


class LiveRows(LiveLine):
    """As the live line, of a terminal that has escape codes."""

    _rows = 0  # that are drawn; the cursor stands in the last one

    def draw_rows(self, rows: Sequence["Text"]) -> None:
        """Show `rows`, none wider than the terminal, in place of what is there."""
        with self._lock:
            if self._begun or not rows:
                return
            up = f"\x1b[{self._rows - 1}A" if self._rows > 1 else ""
            drawn = "\x1b[K\n".join(f"\r{self._rendered(row)}" for row in rows)
            self._shown, self._rows = 1, len(rows)  # before they are: Ctrl-C may come in the midst of it
            self._write(f"{up}{drawn}\x1b[J")

    def clear(self) -> None:
        """Erase the rows; the cursor is at the beginning of an empty line then."""
        with self._lock:
            if self._shown:
                self._write(ERASE + "\x1b[1A\x1b[2K" * (self._rows - 1))
                self._shown = self._rows = 0


@contextmanager
def live_rows() -> Iterator[LiveRows | None]:
    """Live rows on the terminal that standard output is; None where it is none, or one without escape codes."""
    if not is_live(sys.__stdout__):
        yield None
        return
    from rich.console import Console

    console = Console(file=sys.__stdout__, highlight=False)
    if console.legacy_windows:
        yield None
        return
    with opened(LiveRows(console)) as rows:
        yield rows
