"""What a live line says, in terminals of any width, with and without colours and Unicode."""

import pytest
from rich.text import Text

from rnnvision.cli.frame.live import words
from rnnvision.cli.frame.live.words import Part, Rate, duration, line_of, of_total
from tests.cli.frame.live.screen import console_of, written

PARTS = [
    Part("10/20", 5),
    Part("loss 0.1234", 1),
    Part("accuracy 0.9000", 3),
    Part("100 images/s", 7),
    Part("0:08 left", 2),
]


def line(width: int, share: float | None = 0.5) -> str:
    return line_of(console_of(width), "Epoch 1/3", share, PARTS).plain


@pytest.mark.parametrize("share", [None, 0.0, 0.5, 1.0])
def test_a_line_never_reaches_the_last_column(share: float | None) -> None:
    for width in range(1, 140):
        assert len(line(width, share)) <= max(width - 1, 1), width


def test_a_narrow_terminal_lacks_the_less_important() -> None:
    """Once something is left out it does not come back in a narrower one."""
    order = ["100 images/s", "10/20", "accuracy 0.9000", "━", "0:08 left", "loss 0.1234"]
    before = set(order)
    for width in range(140, 10, -1):
        there = {part for part in order if part in line(width)}
        assert there <= before, width
        assert there == set(order[len(order) - len(there) :]), (width, there)
        before = there
    assert before == set()
    assert line(140).startswith("Epoch 1/3  " + 10 * "━" + 10 * "─" + "  10/20")


@pytest.mark.parametrize(("share", "done"), [(0.0, 0), (0.019, 0), (0.5, 10), (0.999, 19), (1.0, 20), (1.7, 20)])
def test_a_bar_is_full_at_the_end_and_not_before(share: float, done: int) -> None:
    assert line(140, share).count("━") == done


def test_colours_and_letters_are_those_that_the_terminal_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")

    def drawn(**options: object) -> str:
        console = console_of(**options)  # type: ignore[arg-type]
        console.print(line_of(console, "Epoch", 0.5, PARTS))
        return written(console)

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m━" in drawn()
    assert "#" * 10 + "-" * 10 in Text.from_ansi(drawn(encoding="ascii")).plain
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in drawn()
    assert "\x1b[9" not in drawn()


def test_durations_and_counts() -> None:
    assert [duration(s) for s in (-1, 0.4, 7, 760, 11_100, 2 * 86_400 + 11_100)] == [
        "0:00", "0:00", "0:07", "12:40", "3:05:00", "2 d 3:05:00",
    ]  # fmt: skip
    assert (of_total(7, 1200), of_total(1200, 1200), of_total(1200, None)) == ("    7/1,200", "1,200/1,200", "1,200")


def test_a_rate_is_that_of_the_last_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow beginning is forgotten."""
    now = 0.0
    monkeypatch.setattr(words.time, "monotonic", lambda: now)
    rate = Rate()
    assert rate.at(0) is None
    now = 100.0
    assert rate.at(10) == pytest.approx(0.1)
    for done in range(20, 1000, 10):
        now += 0.1
        found = rate.at(done)
    assert found == pytest.approx(100)
