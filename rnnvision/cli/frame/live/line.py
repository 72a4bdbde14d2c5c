"""The live line: the last line of a terminal, drawn again and again; whatever is printed meanwhile goes above it.

The cursor is never hidden, so that a process that is killed leaves nothing to be put right.
"""

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SECONDS_BETWEEN = 0.1  # two drawings
ERASE = "\r\x1b[2K"


def is_live(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal on which a line can be drawn anew."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


class LiveLine:
    """A line of a console, while it is `open`: `draw` shows it, and what is printed erases it first.

    Args:
        console: where it is drawn. One without escape codes (a notebook, TERM=dumb) has the line padded with spaces.
    """

    def __init__(self, console: "Console") -> None:
        self.console = console
        self._escapes = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        self._shown = 0  # columns that are drawn
        self._begun = False  # somebody has printed a part of a line
        self._lock = threading.RLock()
        self._owner = os.getpid()

    def draw(self, text: "Text") -> None:
        """Show `text`, which is no wider than the terminal, in place of what is there."""
        with self._lock:
            if self._begun:
                return
            line, width = self._rendered(text), text.cell_len
            rest = "\x1b[K" if self._escapes else " " * (self._shown - width)
            self._shown = max(width, 1)  # before it is: Ctrl-C may come in the midst of it
            self._write(f"\r{line}{rest}")

    def clear(self) -> None:
        """Erase the line; the cursor is at the beginning of an empty one then."""
        with self._lock:
            if self._shown or os.getpid() != self._owner:  # a process that was forked does not know
                self._write(ERASE if self._escapes else f"\r{' ' * self._shown}\r")
                self._shown = 0

    def end(self) -> None:
        """Erase the line for good; what was printed of a line that nobody ended is ended."""
        with self._lock:
            self.clear()
            if self._begun:
                self._write("\n")
                self._begun = False

    def above(self, stream: Any, text: str) -> Any:
        """Write text to a stream of the same terminal, above the line."""
        with self._lock:
            if text and not self._begun:
                self.clear()
            if text:
                self._begun = not text.endswith("\n")
            return stream.write(text)

    def _rendered(self, text: "Text") -> str:
        """With the escape codes of its styles. A console of its own: one ends the program where its reader has gone."""
        from rich.console import Console

        given, file = self.console, StringIO()
        # None would ask the environment again, and of memory there is no colour to be had.
        colours: Any = given.color_system if self._escapes else None
        options = {"force_terminal": self._escapes, "color_system": colours, "no_color": given.no_color}
        Console(file=file, width=max(given.width, text.cell_len), **options).print(text, end="", highlight=False)
        return file.getvalue()

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # a terminal that has gone ends no run
            self.console.file.write(text)
            self.console.file.flush()


class _Above:
    """A stream of the terminal with the live line; for the rest it is that stream."""

    def __init__(self, stream: TextIO, line: LiveLine) -> None:
        self._stream, self._line = stream, line

    def write(self, text: str) -> Any:
        return self._line.above(self._stream, text)

    def writelines(self, lines: Any) -> None:
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


Live = TypeVar("Live", bound=LiveLine)
_open: LiveLine | None = None


@contextmanager
def live_line(console: "Console") -> Iterator[LiveLine]:
    """A live line, open within: the one that is open already, or a new one on this console."""
    if _open is not None:
        yield _open
        _open.clear()
        return
    with opened(LiveLine(console)) as line:
        yield line


@contextmanager
def opened(line: Live) -> Iterator[Live]:
    """Within, what is printed to the terminal goes above the live line."""
    global _open
    console, _open = line.console, line
    before = sys.stdout, sys.stderr
    on_it = [_is_terminal(stream) or not console.is_terminal for stream in before]
    streams: Any = [_Above(stream, line) if on else stream for stream, on in zip(before, on_it, strict=True)]
    sys.stdout, sys.stderr = streams
    handlers = _handlers_of_streams()
    for handler in handlers:
        handler.setStream(_Above(handler.stream, line))
    try:
        yield line
    except BaseException:
        line.end()  # whoever printed was interrupted
        raise
    finally:
        line.clear()
        _open = None
        for handler in handlers:
            if isinstance(handler.stream, _Above):
                handler.setStream(handler.stream._stream)
        if sys.stdout is streams[0]:
            sys.stdout = before[0]
        if sys.stderr is streams[1]:
            sys.stderr = before[1]


def _handlers_of_streams() -> list[Any]:
    """The handlers of loggers that write to a terminal: they have kept the stream of the time they were made."""
    loggers = [logging.root, *(x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger))]
    found = {id(handler): handler for logger in loggers for handler in logger.handlers}
    return [h for h in found.values() if type(h) is logging.StreamHandler and _is_terminal(h.stream)]


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # a thing of somebody's, or closed
        return False
