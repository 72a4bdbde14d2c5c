"""From the seconds of each turn to rates, ratios round by round, and a Markdown table."""

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
REFERENCES = ("loop", "rnnvision")


class Spread(NamedTuple):
    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


def rate(seconds: Sequence[float], samples: int) -> Spread:
    """Samples a second, from the seconds that each round took for `samples`."""
    return Spread.of([samples / s for s in seconds])


def speed_ratio(seconds: Sequence[float], reference: Sequence[float]) -> Spread:
    """How many times as fast as `reference`, round by round: what slows the machine for a while slows both.

    Raises:
        ValueError: for another number of rounds.
    """
    return Spread.of([theirs / own for own, theirs in zip(seconds, reference, strict=True)])


class Row(NamedTuple):
    contender: str
    samples_per_second: Spread
    speed_ratio: dict[str, Spread]  # to each of `REFERENCES` that took part


def rows(turns: Mapping[str, Sequence[float]], samples: int) -> list[Row]:
    """One row a contender, the fastest first."""
    table = [
        Row(
            name,
            rate(seconds, samples),
            {other: speed_ratio(seconds, turns[other]) for other in REFERENCES if other in turns},
        )
        for name, seconds in turns.items()
    ]
    return sorted(table, key=lambda row: -row.samples_per_second.median)


def markdown(title: str, turns: Mapping[str, Sequence[float]], samples: int) -> str:
    """The rows as a table; a ratio above 1 is faster than the reference, in brackets its lowest and highest round."""
    lines = [
        f"**{title}**",
        "",
        "| contender | samples/s | " + " | ".join(f"speed / {name}" for name in REFERENCES) + " |",
        "|---|---|" + "---|" * len(REFERENCES),
    ]
    for name, speed, ratios in rows(turns, samples):
        cells = [f"`{name}`", f"{speed.median:,.0f}", *(_shown(ratios.get(other)) for other in REFERENCES)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _shown(ratio: Spread | None) -> str:
    return "-" if ratio is None else f"{ratio.median:.2f} ({ratio.lowest:.2f} - {ratio.highest:.2f})"


def put_between(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """`text` with what stands between the two markers replaced by `table`.

    Raises:
        ValueError: if it does not hold both markers once, in this order.
    """
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end or begin in after or end in after:
        raise ValueError(f"the page has to hold {begin} and, behind it, {end}, once each")
    return f"{before}{begin}\n{table}\n{end}{after}"
