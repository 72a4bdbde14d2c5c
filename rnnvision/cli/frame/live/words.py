"""Words of a live line: a label, a bar, counts, figures, times; a narrow terminal lacks the less important ones."""

import math
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LONGEST_BAR, SHORTEST_BAR = 20, 10
RANK_OF_BAR = 3
WINDOW = 50  # drawings that a rate is taken over: some five seconds


@dataclass(frozen=True)
class Part:
    """A part of a line; with a higher rank it is left out earlier. Rank 0 stays."""

    text: str
    rank: int = 0


def line_of(console: "Console", label: str, share: float | None, parts: list[Part]) -> "Text":
    """A line for the width of the console: the label, a bar where the share that is done is known, the parts."""
    from rich.text import Text

    room = console.width - 1  # in the last column a terminal may begin a new line
    parts = [part for part in parts if part.text]
    has_bar = share is not None

    def length() -> int:
        return len(label) + has_bar * (2 + SHORTEST_BAR) + sum(2 + len(part.text) for part in parts)

    while length() > room and (has_bar or any(part.rank for part in parts)):
        least = max(parts, key=lambda part: part.rank, default=Part(""))
        if has_bar and least.rank < RANK_OF_BAR:
            has_bar = False
        else:
            parts.remove(least)
    text = Text(label, style="bold", no_wrap=True, end="")
    if share is not None and has_bar:
        text.append("  ")
        text.append_text(_bar(console, share, min(LONGEST_BAR, SHORTEST_BAR + room - length())))
    for part in parts:
        text.append(f"  {part.text}", "not bold")
    text.truncate(max(room, 1))
    return text


def _bar(console: "Console", share: float, width: int) -> "Text":
    """A bar of so many columns."""
    from rich.text import Text

    done = min(width, int(width * min(max(share, 0.0), 1.0)))
    full, empty = "━─" if console.encoding.startswith("utf") else "#-"
    return Text.assemble((full * done, "not bold green"), (empty * (width - done), "not bold bright_black"))


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours and days where there are some: 0:07, 12:40, 3:05:00, 2 d 3:05:00."""
    rest = max(0, round(seconds))
    minutes, second = divmod(rest, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    clock = f"{hour}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
    return f"{days} d {clock}" if days else clock


def of_total(done: int, total: int | None) -> str:
    return f"{done:{len(f'{total:,}')},}/{total:,}" if total is not None else f"{done:,}"


class Rate:
    """How much is done a second, over the last drawings."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=WINDOW)

    def at(self, done: float) -> float | None:
        """The rate now that so much is done; None while it is not known."""
        self._seen.append((time.monotonic(), done))
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began and last > first else None


def left(remaining: float, rate: float | None) -> float | None:
    """Seconds until so much more is done, if that is known."""
    return remaining / rate if rate and math.isfinite(remaining) else None


def rate_words(rate: float | None, unit: str = "") -> str:
    if rate is None:
        return ""
    return f"{rate:,.0f}{unit}/s" if rate >= 10 else f"{rate:.1f}{unit}/s"
