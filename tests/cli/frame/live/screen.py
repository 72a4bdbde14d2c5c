"""A terminal: a pty, and what a person sees on it. Programs write to one end, and `Screen` reads the other."""

import fcntl
import io
import os
import re
import struct
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console

ESCAPE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


class Screen:
    """The lines of a terminal of so many columns, and where its cursor is: in the last one, unless it went up."""

    def __init__(self, width: int = 120) -> None:
        self.width, self.lines, self.row, self.column = width, [""], 0, 0
        self.text = ""  # all that has come
        self.cursor_is_shown = True

    def feed(self, text: str) -> "Screen":
        self.text += text
        place = 0
        while place < len(text):
            escape = ESCAPE.match(text, place)
            if escape:
                self._obey(escape[1], escape[2])
            else:
                self._put(text[place])
            place = escape.end() if escape else place + 1
        return self

    def _obey(self, argument: str, command: str) -> None:
        if command == "K":
            self.lines[self.row] = "" if argument == "2" else self.lines[self.row][: self.column]
        elif command == "J":
            self.lines[self.row :] = [self.lines[self.row][: self.column]]
        elif command == "A":
            self.row -= int(argument)
            assert self.row >= 0
        elif command in "lh" and argument == "?25":
            self.cursor_is_shown = command == "h"
        else:
            assert command == "m", f"another terminal might not know {command}"

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._go_down()
        else:
            if self.column == self.width:  # goes on in the next line
                self._go_down()
                self.column = 0
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + letter + line[self.column + 1 :]
            self.column += 1

    def _go_down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    @property
    def shown(self) -> list[str]:
        """The lines without what is blank at their ends; the last one is where the cursor is."""
        return [line.rstrip() for line in self.lines]


def set_width(descriptor: int, width: int) -> None:
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))


class Terminal:
    """A pty of this process: what is written to `file` is seen on the `screen` after `look`."""

    def __init__(self, file: TextIO, reader: int, width: int) -> None:
        self.file, self._reader, self.screen = file, reader, Screen(width)

    def look(self) -> Screen:
        self.file.flush()
        os.set_blocking(self._reader, False)
        found = b""
        try:
            while part := os.read(self._reader, 2**16):
                found += part
        except BlockingIOError:
            pass
        self.screen.feed(found.decode())
        return self.screen


@contextmanager
def terminal(width: int = 120) -> Iterator[Terminal]:
    """Standard output and error on a terminal. To be used in a test itself: pytest puts its own back before each."""
    reader, writer = os.openpty()
    set_width(writer, width)
    before = sys.stdout, sys.stderr
    try:
        with open(writer, "w", encoding="utf-8", closefd=False) as file:
            sys.stdout = sys.stderr = file
            yield Terminal(file, reader, width)
    finally:
        sys.stdout, sys.stderr = before
        os.close(writer)
        os.close(reader)


def console_of(width: int = 120, *, encoding: str = "utf-8", terminal: bool = True, **options: object) -> Console:
    """A console that writes into memory."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    return Console(file=file, force_terminal=terminal, width=width, highlight=False, **options)  # type: ignore[arg-type]


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.TextIOWrapper)
    return file.buffer.getvalue().decode(file.encoding)  # type: ignore[attr-defined]
