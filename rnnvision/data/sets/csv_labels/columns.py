"""The columns of a table that name images, labels and splits: those that are given, or found."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rnnvision.checks import choose_one, shortened
from rnnvision.data.sets.csv_labels.named_files import NamedFiles
from rnnvision.data.sets.csv_labels.table import Table
from rnnvision.data.sets.layout import split_named
from rnnvision.data.splits import DataError

IMAGE_NAMES = (
    "image",
    "image_id",
    "imageid",
    "img",
    "filename",
    "file_name",
    "file",
    "path",
    "filepath",
    "image_path",
    "id",
)
LABEL_NAMES = ("label", "labels", "class", "classes", "class_name", "category", "target", "breed", "species")
SPLIT_NAMES = ("split", "set", "subset", "partition")
ENOUGH = 0.5  # share of the cells of a column that have to name files


class Columns(NamedTuple):
    """The names of the columns, and how many leading folders the cells of `image` have too many."""

    image: str
    label: str
    split: str | None
    skip: int

    def options(self) -> dict[str, Any]:
        return {"image_column": self.image, "label_column": self.label, "split_column": self.split}


def find_columns(
    table: Table, files: NamedFiles, image: str | None, label: str | None, split: str | None
) -> tuple[Table, Columns]:
    """The columns, and the table, which has a row more if its first line turns out to be one.

    Raises:
        ValueError: for a given column that is not there.
        DataError: if the choice is not clear; the message lists the columns.
    """
    known = (*IMAGE_NAMES, *LABEL_NAMES, *SPLIT_NAMES)  # `image` is a header, although there may be an image.png
    if any(files.leading([cell])[1] for cell in table.columns if cell) and not _by_name(table.columns, known):
        table = table.without_header()
    if not table.rows:
        raise DataError(f"{table.path}: holds no row but its first line")
    for argument, column in (("image_column", image), ("label_column", label), ("split_column", split)):
        if column is not None and column not in table.named():
            raise ValueError(f"{argument}={column}: is not in {table.path.name}; {choose_one(column, table.named())}")
    image = image or _image_column(table, files, [column for column in (label, split) if column])
    split = split or _split_column(table, [image, label or ""])
    label = label or _label_column(table, [image, split or ""])
    return table, Columns(image, label, split, files.leading(table.values(image))[0])


def _image_column(table: Table, files: NamedFiles, taken: Sequence[str]) -> str:
    shares = {column: files.leading(table.values(column))[1] for column in table.named() if column not in taken}
    best = max(shares.values(), default=0.0)
    found = [column for column, share in shares.items() if share == best > ENOUGH]
    if len(found) > 1:  # numbers as labels may name files too: 3 is 3.png
        found = _by_name(found, IMAGE_NAMES) or [c for c in found if c.lower() not in LABEL_NAMES] or found
    if len(found) == 1:
        return found[0]
    cells = dict(zip(table.columns, table.rows[0].cells, strict=True))
    shown = shortened(f"{column} ({cells[column]})" for column in table.named())
    what = "several columns name" if found else "no column names"
    raise DataError(
        f"{table.path}: {what} images in {files.folder}; choose data.image_column=NAME of {shown}"
        + ("" if found else ", or data.images=FOLDER")
    )


def _label_column(table: Table, taken: Sequence[str]) -> str:
    others = [column for column in table.named() if column not in taken]
    found = others if len(others) == 1 else _by_name(others, LABEL_NAMES)
    if len(found) != 1:
        shown = shortened(others) or "none, since it has no other"
        raise DataError(
            f"{table.path}: which column holds the labels is not clear; choose data.label_column=NAME of {shown}"
        )
    return found[0]


def _split_column(table: Table, taken: Sequence[str]) -> str | None:
    others = [column for column in table.named() if column not in taken]
    # One cell that names a split is enough: of the others, what names none is refused with its line.
    found = [c for c in _by_name(others, SPLIT_NAMES) if any(map(split_named, table.values(c)))]
    return found[0] if found else None


def unread_split(table: Table, columns: Columns) -> list[str]:
    """Notes on columns with a name as of splits that is not read as one."""
    found = {c: shortened(sorted(set(table.values(c))), most=3) for c in _by_name(table.named(), SPLIT_NAMES)}
    return [
        f"column {column} is not read as a split: {cells} are none of train, val and test"
        for column, cells in found.items()
        if column not in columns
    ]


def _by_name(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    return [column for column in columns if column.lower().replace(" ", "_") in names]
