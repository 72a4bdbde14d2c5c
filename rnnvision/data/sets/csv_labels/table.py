"""A table in a CSV file, as spreadsheets and pandas write it, with the line of each row."""

import csv
import re
import unicodedata
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from rnnvision.checks import shortened
from rnnvision.data.splits import DataError

DELIMITERS = ",;\t|"


class Row(NamedTuple):
    """The line of the file that a row begins in, and its cells, without blanks around them and in Unicode's NFC."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """The rows of a file; the columns without a name, such as pandas' index, are there but named ""."""

    path: Path
    columns: list[str]
    rows: list[Row]

    def values(self, column: str) -> list[str]:
        place = self.columns.index(column)
        return [row.cells[place] for row in self.rows]

    def named(self) -> list[str]:
        return [column for column in self.columns if column]

    def without_header(self) -> "Table":
        """The same file read as one whose first line is a row: its columns are column1, column2 ..."""
        names = [f"column{i}" for i in range(1, len(self.columns) + 1)]
        return Table(self.path, names, [Row(1, self.columns), *self.rows])


def read_table(path: Path) -> Table:
    """A file of UTF-8 or, with a byte order mark, UTF-16; its delimiter is the one that splits the first line most.

    Raises:
        DataError: that names the file and the line.
    """
    lines = list(StringIO(_text(path), newline=""))
    if broken := next((number for number, line in enumerate(lines, 1) if "\0" in line), None):
        raise DataError(f"{path}, line {broken}: has a zero byte, which no text has; save it as CSV in UTF-8")
    first = 0
    while first < len(lines) and not lines[first].strip():
        first += 1
    told = re.fullmatch(r"sep=(.)\s*", lines[first]) if first < len(lines) else None  # a line of Excel's own
    first += told is not None
    if first >= len(lines):
        raise DataError(f"{path}: is empty")
    delimiter = told[1] if told else max(DELIMITERS, key=lambda d: len(next(csv.reader(lines[first:], delimiter=d))))
    reader = csv.reader(lines[first:], delimiter=delimiter, strict=True)
    rows: list[Row] = []
    begins = first + 1
    try:
        for cells in reader:
            stripped = [cell.strip() for cell in cells]
            if any(stripped):
                rows.append(Row(begins, [c if c.isascii() else unicodedata.normalize("NFC", c) for c in stripped]))
            begins = first + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {begins}: {error}") from error
    columns = rows[0].cells
    return Table(path, _distinct(path, columns), [_fitted(path, row, len(columns)) for row in rows[1:]])


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: is no UTF-8; save it as UTF-8") from error


def _distinct(path: Path, columns: list[str]) -> list[str]:
    if twice := sorted({column for column in columns if column and columns.count(column) > 1}):
        raise DataError(f"{path}: several columns are named {shortened(twice)}; rename all but one")
    return columns


def _fitted(path: Path, row: Row, count: int) -> Row:
    if len(row.cells) == count:
        return row
    if any(row.cells[count:]) or len(row.cells) < count:
        raise DataError(f"{path}, line {row.line}: has {len(row.cells)} fields, and the first line {count}")
    return Row(row.line, row.cells[:count])
