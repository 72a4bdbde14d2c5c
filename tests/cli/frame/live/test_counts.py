"""Progress of reading: on a terminal a live line once it is not quick, in a log a line now and then."""

import sys

import pytest

from rnnvision.cli.frame.live import counts, words
from rnnvision.cli.frame.live.counts import shown_counts
from rnnvision.progress import done, shown_by, work
from tests.cli.frame.live.screen import terminal


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        for module in (counts, words):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    return Clock(monkeypatch)


def read(
    clock: Clock, seconds: float, images: int = 100, total: int | None = 100, what: str = "reading images"
) -> None:
    with shown_by(shown_counts), work(what, total):
        for _ in range(images):
            clock.now += seconds / images
            done()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (9.9, []),
        (10.05, ["reading images: 100 of 100, 10.0/s, 0:00 left"]),
        (25.0, ["reading images: 40 of 100, 4.0/s, 0:15 left", "reading images: 80 of 100, 4.0/s, 0:05 left"]),
    ],
)
def test_a_log_has_a_line_every_ten_seconds(
    clock: Clock, capfd: pytest.CaptureFixture[str], seconds: float, expected: list[str]
) -> None:
    read(clock, seconds)
    out, err = capfd.readouterr()
    assert (out, err.splitlines()) == ("", expected)


def test_without_a_total_there_is_a_count_and_a_rate(clock: Clock, capfd: pytest.CaptureFixture[str]) -> None:
    read(clock, 10.01, images=20_000, total=None, what="finding files")
    assert capfd.readouterr().err == "finding files: 19,981, 1,998/s\n"


def test_a_terminal_has_a_live_line_that_is_gone_at_the_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(80) as here:
        monkeypatch.setattr(sys, "__stderr__", here.file)
        read(clock, 0.4)  # quick
        assert here.look().text == ""
        with shown_by(shown_counts), work("reading images", 100):
            for _ in range(60):
                clock.now += 0.1
                done()
            assert here.look().shown == [f"Reading images  {12 * '━'}{8 * '─'}   60/100  10/s  0:04 left"]
            print("a warning", file=sys.stderr)
            clock.now += 0.1
            done()
            assert here.look().shown[0] == "a warning"
            assert here.screen.shown[1].endswith("   61/100  10/s  0:04 left")
        assert here.look().shown == ["a warning", ""]


def test_a_dumb_terminal_is_written_to_like_a_log(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal(80) as here:
        monkeypatch.setattr(sys, "__stderr__", here.file)
        read(clock, 10.05)
        assert here.look().shown == ["reading images: 100 of 100, 10.0/s, 0:00 left", ""]
