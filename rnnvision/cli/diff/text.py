"""Two runs side by side, as text for a terminal."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rnnvision.checks import counted

if TYPE_CHECKING:
    from rnnvision.report.two_runs import Answers

WIDTH = 120
MOST_CLASSES = 20
WIDEST = 44  # characters of a value; longer ones are cut


def page(found: Mapping[str, Any]) -> str:
    """What `rnnvision.cli.diff.compared` found."""
    lines = [f"a  {found['a']}", f"b  {found['b']}", ""]
    for name in ("settings", "environment"):
        rows = [(key, *map(_value, values)) for key, values in found[name].items()]
        lines += _table((name, "a", "b"), rows) if rows else [f"{name}: no difference"]
        lines.append("")
    scores = [("scores", "a", "b", "b - a"), *(_score(key, *pair) for key, pair in found["scores"].items())]
    if not found["same_images"]:
        scores = [("scores, of other images", "a", "b"), *(row[:3] for row in scores[1:])]
    lines += _table(scores[0], scores[1:])
    lines.append("")
    if found["answers"] is None:
        lines.append(f"answers: not compared: {found['note']}")
    else:
        lines += _answers(found["answers"])
    return "\n".join(lines)


def _answers(answers: "Answers") -> Iterator[str]:
    a, b = answers.only_right
    right = [f"{count:,}" for count in answers.right]
    yield from _table(
        (f"answers to {counted(answers.images, 'image')}", "a", "b"),
        [("right", *right), ("right where the other is wrong", f"{a:,}", f"{b:,}")],
    )
    for name, count in zip("ab", answers.only_in, strict=True):
        if count:
            yield f"  {counted(count, 'image')} only in {name}, left out"
    yield ""
    yield from textwrap.wrap(f"McNemar's exact test: {answers.shown_p()}. {answers.meaning()}", WIDTH)
    if answers.classes:
        yield ""
        rows = [(name, f"{one:,}", f"{other:,}") for name, (one, other) in answers.classes.items()]
        yield from _table(("only one is right, by class", "a", "b"), rows[:MOST_CLASSES])
        if len(rows) > MOST_CLASSES:
            yield f"  {len(rows) - MOST_CLASSES} more classes; json=true has them all"
    if answers.worst:
        yield ""
        worst = [
            (one.image, one.truth, *(f"{row.answer} ({row.probability:.2f})" for row in (one, other)))
            for one, other in answers.worst
        ]
        yield from _table(("they differ most on image", "truth", "a answers", "b answers"), worst)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns, the first one indented below its header."""
    shown = [header, *((f"  {row[0]}", *row[1:]) for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(header))]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def _score(name: str, a: float | None, b: float | None) -> tuple[str, ...]:
    if a is None or b is None:
        return name, *("-" if value is None else _number(value) for value in (a, b)), ""
    return name, _number(a), _number(b), f"{b - a:+.0f}" if a.is_integer() and b.is_integer() else f"{b - a:+.4g}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:.6g}"


def _value(value: object) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 4]} ..."
