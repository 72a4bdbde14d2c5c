"""A table as text: for a terminal, as CSV, Markdown or LaTeX. A figure is shown as its name asks, with its spread."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnvision.atomic import whole
from rnnvision.checks import one_line, table_cell
from rnnvision.runs.block_yaml import Value


@dataclass(frozen=True)
class Figure:
    """A mean, and the sample standard deviation; None of one value."""

    mean: float
    spread: float | None = None


Cell = Value | Figure
LABELS = {  # of columns, where people read them
    "train/seconds": "fit s",
    "train/samples_per_second": "samples/s",
    "predict/milliseconds": "predict ms",
    "model/parameters": "parameters",
    "model/multiply_adds": "multiply-adds",
}
SUFFIXES = {".csv": "csv", ".md": "markdown", ".tex": "latex", ".txt": "table"}
MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#])")
LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


@dataclass(frozen=True)
class Table:
    """Columns by name.

    Attributes:
        figures: the columns that have a spread.
        best_is: the figure that the column `best` holds the best of.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    figures: tuple[str, ...] = ()
    best_is: str = ""

    def form(self, name: str) -> str:
        """The name that says how a column is shown."""
        return self.best_is if name == "best" else name

    @property
    def labels(self) -> list[str]:
        """The header for people."""
        return [LABELS.get(name, one_line(name)) for name in self.header]

    def without(self, *names: str) -> "Table":
        """The table without some of its columns."""
        kept = [i for i, name in enumerate(self.header) if name not in names]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return Table(tuple(self.header[i] for i in kept), rows, self.figures, self.best_is)


def to_file(path: Path, table: Table) -> None:
    """Write a table, in the format of its suffix, all of it or nothing."""
    with whole(path) as file:
        file.write(FORMATS[SUFFIXES[path.suffix]](table))


def terminal(table: Table) -> str:
    """Columns in line, numbers to the right."""
    rows = [[_text(table, name, cell) for name, cell in zip(table.header, row, strict=True)] for row in table.rows]
    right = [_is_number(column) for column in _columns(table)]
    lines = [table.labels, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = []
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        shown.append("  ".join(text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in cells))
    return "".join(f"{line.rstrip()}\n" for line in shown)


def csv_text(table: Table) -> str:
    """All digits; the spread of a figure in a column of its own, and empty what there is not. Text is no formula."""
    spread = [name in table.figures for name in table.header]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = zip(table.header, spread, strict=True)
    names = [name for key, wide in header for name in ([key, f"{key} std"] if wide else [key])]
    writer.writerow(map(table_cell, names))
    for row in table.rows:
        cells = zip(row, spread, strict=True)
        writer.writerow([value for cell, wide in cells for value in (_both(cell) if wide else [_plain(cell)])])
    return text.getvalue()


def markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        escaped = (MARKDOWN.sub(r"\\\1", cell) for cell in cells)
        return f"| {' | '.join(escaped)} |\n"

    rules = ("---:" if _is_number(column) else "---" for column in _columns(table))
    rows = [[_text(table, n, c, " ± ") for n, c in zip(table.header, row, strict=True)] for row in table.rows]
    return "".join([line(table.labels), f"|{'|'.join(rules)}|\n", *map(line, rows)])


def latex(table: Table) -> str:
    """A tabular of booktabs."""

    def line(cells: Sequence[str]) -> str:
        escaped = ("".join(LATEX.get(character, character) for character in cell) for cell in cells)
        return f"  {' & '.join(escaped)} \\\\\n"

    columns = "".join("r" if _is_number(column) else "l" for column in _columns(table))
    rows = [[_text(table, n, c, " ± ") for n, c in zip(table.header, row, strict=True)] for row in table.rows]
    begin = [f"\\begin{{tabular}}{{{columns}}}\n", "  \\toprule\n", line(table.labels), "  \\midrule\n"]
    return "".join([*begin, *map(line, rows), "  \\bottomrule\n", "\\end{tabular}\n"])


FORMATS = {"table": terminal, "csv": csv_text, "markdown": markdown, "latex": latex}


def shown(name: str, value: float) -> str:
    """A figure with the digits that its name asks for.

    Examples:
        >>> shown("test/accuracy", 0.98765), shown("train/seconds", 61.234), shown("model/parameters", 12345.0)
        ('0.9877', '61.2', '12,345')
        >>> shown("optimizer.lr", 0.001), shown("predict/milliseconds", 0.4567), shown("seed", 3)
        ('0.001', '0.457', '3')
    """
    if not math.isfinite(value):
        return str(value)
    metric = "/" in name or name == "seconds"
    last = name.rpartition("/")[2]
    if not metric:
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    if last == "seconds":
        return f"{value:,.1f}" if value >= 10 else f"{value:.2f}"
    if last == "milliseconds":
        return f"{value:,.3f}"
    if last in ("parameters", "multiply_adds", "images", "samples_per_second", "skipped_files"):
        return f"{value:,.0f}"
    return f"{value:.4f}" if 1e-4 <= abs(value) < 1e4 or not value else f"{value:.4g}"


def _text(table: Table, name: str, cell: Cell, plus_minus: str = " +- ") -> str:
    form = table.form(name)
    if isinstance(cell, Figure):
        spread = plus_minus + shown(form, cell.spread) if cell.spread is not None and _varies(cell) else ""
        return shown(form, cell.mean) + spread
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, (int, float)):
        return shown(form, cell)
    return "-" if cell is None or cell == "" else one_line(cell)


def _varies(figure: Figure) -> bool:
    return figure.spread != 0 or figure.mean != round(figure.mean)


def _both(cell: Cell) -> list[object]:
    return [cell.mean, "" if cell.spread is None else cell.spread] if isinstance(cell, Figure) else [_plain(cell), ""]


def _plain(cell: Cell) -> object:
    if isinstance(cell, Figure):
        return cell.mean
    return "" if cell is None else str(cell).lower() if isinstance(cell, bool) else table_cell(cell)


def _columns(table: Table) -> list[tuple[Cell, ...]]:
    return list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.header)


def _is_number(column: Sequence[Cell]) -> bool:
    there = [cell for cell in column if cell is not None]
    return bool(there) and all(isinstance(cell, (int, float, Figure)) and not isinstance(cell, bool) for cell in there)
