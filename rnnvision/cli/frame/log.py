"""The log of a run: what it prints, warnings and errors among it, as <verb>.log in its folder."""

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from rnnvision.masking import masked
from rnnvision.regular import open_log

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = re.compile(r"\d+%\|")  # of a progress bar

OF_ANSWERS = ("predict.log",)


class Tee(io.TextIOBase):
    """A stream whose whole lines are also written to a log; for the rest it is that stream, terminal or not."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self._stream, self._log, self._line = stream, log, ""

    def write(self, text: str) -> int:
        self._stream.write(text)
        *lines, self._line = (self._line + text).replace("\r\n", "\n").split("\n")
        self._write(lines)
        return len(text)

    def end(self) -> None:
        """Write the line that has begun; what is written afterwards goes to the stream alone."""
        self._write([self._line] if self._line else [])
        self._line = ""

    def _write(self, lines: list[str]) -> None:
        if not lines or self._log.closed:  # a handler that was made within a run may outlive it
            return
        last = (line.rpartition("\r")[2] for line in lines)  # a terminal writes over what precedes \r
        shown = (masked(ESCAPE.sub("", line)) for line in last)
        try:
            self._log.writelines(f"{line}\n" for line in shown if not BAR.search(line))
            self._log.flush()
        except OSError as error:  # a full disk: what a run computes is worth more than its log
            _write_nowhere(self._log)
            self._stream.write(f"note      the log ends here: {error.strerror}\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # an attribute there, which can be set
        return self._stream.encoding


def _write_nowhere(log: TextIO) -> None:
    """Let a log that cannot be written any more take whatever is still to be written, and keep none of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, log.fileno())
    os.close(nowhere)
    log.flush()


class Log:
    """The log of one job."""

    keep = True  # false: what this job adds to an existing log is taken out again


@contextmanager
def logged(path: Path, *, write: bool = True) -> Iterator[Log]:
    """Append what is printed within to the log; where `write` is false nothing changes.

    Of a verb whose standard output is answers, on any number of images and perhaps nobody else's to see, only notes and
    errors are.

    Raises:
        FailureError: if the log is a link, or no file.
    """
    wish = Log()
    if not write:
        yield wish
        return
    with open_log(path) as log:
        before_this = log.tell()
        out, err = sys.stdout if path.name in OF_ANSWERS else Tee(sys.stdout, log), Tee(sys.stderr, log)
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = out, err
        try:
            yield wish
        finally:
            for tee in (out, err):
                if isinstance(tee, Tee):
                    tee.end()
            if not wish.keep:
                with suppress(OSError):
                    log.truncate(before_this)
            if sys.stdout is out:
                sys.stdout = before[0]
            if sys.stderr is err:
                sys.stderr = before[1]
