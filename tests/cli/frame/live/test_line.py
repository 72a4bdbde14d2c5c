"""The live line: whatever is printed goes above it, and nothing of it is left behind."""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from rich.console import Console
from rich.text import Text

from rnnvision.cli.frame.live.line import is_live, live_line
from tests.cli.frame.live.screen import Screen, console_of, terminal, written


@pytest.fixture(autouse=True)
def _xterm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def by_handler() -> None:
    logging.getLogger("tests.live").warning("look out")


@pytest.mark.parametrize(
    ("prints", "expected"),
    [
        (lambda: print("one", "two"), ["one two"]),
        (lambda: print("one\ntwo", file=sys.stderr), ["one", "two"]),
        (lambda: sys.stdout.writelines(["one\n", "two\n"]), ["one", "two"]),
        (lambda: (print("one", end=" "), print("two")), ["one two"]),
        (by_handler, ["look out"]),
    ],
    ids=["print", "stderr", "lines", "in parts", "handler of before"],
)
def test_what_is_printed_stands_above_the_line(prints: Callable[[], object], expected: list[str]) -> None:
    with terminal(60) as here:
        handler = logging.StreamHandler(sys.stderr)
        logging.getLogger("tests.live").addHandler(handler)
        try:
            with live_line(Console(file=here.file)) as line:
                line.draw(Text("at 10 of 20, and a long line"))
                prints()
                assert here.look().shown == [*expected, ""]
                line.draw(Text("at 11 of 20"))
                assert here.look().shown == [*expected, "at 11 of 20"]
                assert here.screen.column == 11
            assert here.look().shown == [*expected, ""]
        finally:
            logging.getLogger("tests.live").removeHandler(handler)
        assert (sys.stdout, sys.stderr, handler.stream) == (here.file, here.file, here.file)


def test_nothing_is_drawn_into_a_line_that_somebody_has_begun() -> None:
    with terminal(60) as here, live_line(Console(file=here.file)) as line:
        print("Continue? ", end="")
        line.draw(Text("at 10"))
        assert here.look().shown == ["Continue?"]
        print("yes")
        line.draw(Text("at 11"))
        assert here.look().shown == ["Continue? yes", "at 11"]


def test_a_line_within_a_line_is_the_same_line() -> None:
    with terminal(60) as here:
        console = Console(file=here.file)
        with live_line(console) as outer:
            outer.draw(Text("training"))
            with live_line(Console(file=here.file)) as inner:
                inner.draw(Text("reading"))
                assert here.look().shown == ["reading"]
            assert here.look().shown == [""]
            print("one")
            outer.draw(Text("training"))
            assert here.look().shown == ["one", "training"]


def test_an_error_leaves_the_terminal_as_it_was() -> None:
    with terminal(60) as here:
        with suppress(KeyboardInterrupt), live_line(Console(file=here.file)) as line:
            line.draw(Text("at 10"))
            raise KeyboardInterrupt
        assert here.look().shown == [""]
        assert here.screen.cursor_is_shown
        assert sys.stdout is here.file


def test_a_process_that_was_forked_erases_what_it_has_not_drawn() -> None:
    """As a worker does that warns while it reads an image."""
    with terminal(60) as here, live_line(Console(file=here.file)) as line:
        ready, go = os.pipe()
        if (child := os.fork()) == 0:
            print("one")
            os.read(ready, 1)  # until the line is there again
            print("two")
            os._exit(0)
        while here.look().shown != ["one", ""]:
            time.sleep(0.01)
        line.draw(Text("at 10"))
        os.write(go, b"!")
        os.waitpid(child, 0)
        assert here.look().shown == ["one", "two", ""]
        os.close(ready)
        os.close(go)


def test_without_escape_codes_a_shorter_line_leaves_nothing_of_a_longer_one() -> None:
    """TERM=dumb, a notebook, a file: where a bar was asked for all the same."""
    console = console_of(40, terminal=False)
    with live_line(console) as line:
        line.draw(Text("a long line"))
        line.draw(Text("short"))
        assert Screen(40).feed(written(console)).shown == ["short"]
    assert "\x1b" not in written(console)
    assert Screen(40).feed(written(console)).shown == [""]


def test_a_terminal_that_has_gone_ends_no_run() -> None:
    with terminal(60):

        class Gone:
            encoding = "utf-8"

            def isatty(self) -> bool:
                return True

            def write(self, text: str) -> int:
                raise OSError(5, "Input/output error")

            def flush(self) -> None: ...

        with live_line(Console(file=Gone())) as line:  # type: ignore[arg-type]
            line.draw(Text("at 10"))


@pytest.mark.parametrize(("term", "live"), [("xterm", True), ("dumb", False), ("unknown", False)])
def test_a_dumb_terminal_has_no_live_line(monkeypatch: pytest.MonkeyPatch, term: str, live: bool) -> None:
    with terminal(60) as here:
        monkeypatch.setenv("TERM", term)
        assert is_live(here.file) is live
        assert not is_live(None)
