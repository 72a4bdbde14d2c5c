"""Markdown tables."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first `words` columns are words, and the others numbers."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * words + "---:|" * (len(head) - words)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def milliseconds(seconds: float) -> str:
    """Three digits of it."""
    return f"{seconds * 1e3:.3g}"
