"""Reader of a folder of images whose labels are in a CSV file beside them, the usual layout of competitions."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch

from rnnvision.checks import choose_one, fraction, shortened
from rnnvision.data.files import FileSplit, encode
from rnnvision.data.images import View, with_view
from rnnvision.data.membership import path_keys
from rnnvision.data.sets.csv_labels.columns import Columns, find_columns, unread_split
from rnnvision.data.sets.csv_labels.named_files import NamedFiles
from rnnvision.data.sets.csv_labels.table import Row, Table, read_table
from rnnvision.data.sets.layout import split_named
from rnnvision.data.sets.tree import below, is_litter
from rnnvision.data.splits import DataError, NoFolderError, Splits, splits_of

USUAL = ("labels.csv", "train.csv", "train_labels.csv")
Labelled = dict[str, tuple[Row, str]]  # file -> its row and its label


@with_view()
def read_csv(
    class_names: tuple[str, ...],
    root: str | None,
    view: View,
    *,
    labels: str | None = None,
    images: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    split_column: str | None = None,
    test_fraction: float = 0.2,
) -> Splits:
    """Images anywhere below a folder, and a CSV file with a row for each: the image, its label, perhaps its split.

    Without a split for test, val is the test split; without either, about `test_fraction` of each class is, chosen by
    the paths of the files. Labels that are whole numbers are sorted as such. Images without a row are left out.

    `labels` is the CSV file below `root`: None for its only one, or the one of labels.csv, train.csv and
    train_labels.csv. `images` is a folder below `root` that alone is searched for images. Columns that are None are
    found: the image column is the one whose cells name files, with or without suffix and folder; the label column the
    only other one, or the one that is named label, class, category ...; the split column, of cells such as train, val
    and test, is the one that is named split, set or subset.

    Raises:
        ValueError: for an option out of range, or a column that is not there.
        DataError: for a table or a row that cannot be used; the message names the file and the line.
    """
    fraction("test_fraction", test_fraction)
    if root is None:
        raise ValueError("root=null: csv needs data.root=FOLDER with images and a CSV file of their labels in it")
    base = Path(root).expanduser().resolve()
    if base.is_file():
        raise NoFolderError(f"data.root={root}: is a file; choose data.root={base.parent} data.labels={base.name}")
    if not base.is_dir():
        raise NoFolderError(f"data.root={root}: there is no such folder")
    table = read_table(_labels_file(base, labels))
    files = NamedFiles(_images_folder(base, images))
    if not files.paths:
        raise DataError(f"{files.folder}: holds no image")
    table, columns = find_columns(table, files, image_column, label_column, split_column)
    labelled, notes = _labelled(table, columns, files)
    names = class_names or _sorted_names({label for _, label in labelled.values()}, len(labelled), columns.label)
    splits = {
        part: _split(base, {f: labelled[f][1] for f in members}, names, table, view)
        for part, members in _members(table, columns, labelled).items()
    }
    return splits_of(
        splits,
        test_fraction,
        class_names=names,
        origin=f"{base}, labelled by {table.path.name}",
        root=str(base),
        notes=notes,
        settled={"labels": os.path.relpath(table.path, base), **columns.options()},
    )


def _labels_file(base: Path, labels: str | None) -> Path:
    names = (path.name for path in base.iterdir() if path.suffix.lower() in (".csv", ".tsv"))
    there = sorted(name for name in names if not is_litter(name))
    if labels is not None:
        if not (base / labels).is_file():
            raise ValueError(
                f"labels={labels}: is not in {base}; {choose_one(labels, there) if there else 'no CSV is'}"
            )
        return base / labels
    if not there:
        raise DataError(
            f"{base}: holds no CSV file; give data.labels=FILE, or for CLASS/*.jpg choose data=image_folder"
        )
    usual = [name for name in there if name.lower() in USUAL]
    chosen = there if len(there) == 1 else usual
    if len(chosen) != 1:
        raise DataError(f"{base}: holds {', '.join(there)}; choose one with data.labels=FILE")
    return base / chosen[0]


def _images_folder(base: Path, images: str | None) -> Path:
    if images is not None and not (base / images).is_dir():
        inside = sorted(path.name for path in base.iterdir() if path.is_dir())
        raise ValueError(
            f"images={images}: is no folder in {base}; {choose_one(images, inside) if inside else 'none is'}"
        )
    return base / images if images else base


def _labelled(table: Table, columns: Columns, files: NamedFiles) -> tuple[Labelled, tuple[str, ...]]:
    """The row and the label of each file, sorted by path, and what the user should know."""
    found: Labelled = {}
    absent, twice = [], 0
    labels = _whole_numbers(table.values(columns.label))
    for row, cell, label in zip(table.rows, table.values(columns.image), labels, strict=True):
        try:
            file = files.find(cell, columns.skip)
        except DataError as error:
            raise DataError(f"{table.path}, line {row.line}: {error}") from error
        if file is None:
            absent.append(
                f"{table.path}, line {row.line}: there is no image {cell or '(an empty cell)'} in {files.folder}"
            )
        elif not label:
            raise DataError(f"{table.path}, line {row.line}: {cell} has no label; give it one or delete the line")
        elif file not in found:
            found[file] = (row, label)
        elif found[file][1] != label:
            first, other = found[file]
            lines = f"{table.path}, lines {first.line} and {row.line}"
            raise DataError(f"{lines}: {cell} is {other} and {label}; delete one of them")
        else:
            twice += 1
    if absent:
        rest = f" ({len(absent):,} of {len(table.rows):,} rows)" if len(absent) > 1 else ""
        raise DataError(f"{absent[0]}{rest}; put it there, or delete the line")
    notes = unread_split(table, columns)
    if others := [path for path in files.paths if path not in found]:
        (example,) = below(files.folder, others[:1])
        notes.append(f"left out: {len(others):,} images without a row, such as {example}")
    if twice:
        notes.append(f"left out: {twice:,} rows that repeat another")
    return {path: found[path] for path in files.paths if path in found}, tuple(notes)


def _whole_numbers(labels: list[str]) -> list[str]:
    """Labels that are all whole numbers in one form: pandas writes 1 as 1.0 where a column has gaps."""
    try:
        numbers = [float(label) for label in labels if label]
    except ValueError:
        return labels
    if not all(number.is_integer() and abs(number) < 2**53 for number in numbers):
        return labels
    return [str(int(float(label))) if label else "" for label in labels]


def _sorted_names(labels: Iterable[str], count: int, column: str) -> tuple[str, ...]:
    names = sorted(labels)
    if all(name.removeprefix("-").isdecimal() for name in names):
        names.sort(key=int)
    if len(names) < 2:
        raise DataError(f"data.label_column={column}: holds {len(names)} classes; a classifier needs two or more")
    if len(names) == count > 2:
        raise DataError(f"data.label_column={column}: gives each image a label of its own; choose another column")
    return tuple(names)


def _members(table: Table, columns: Columns, labelled: Labelled) -> dict[str, list[str]]:
    """The files of each split."""
    members: dict[str, list[str]] = {}
    for file, (row, _) in labelled.items():
        part: str | None = "train"
        if columns.split is not None:
            cell = row.cells[table.columns.index(columns.split)]
            part = split_named(cell)
            if part is None:
                raise DataError(
                    f"{table.path}, line {row.line}: {columns.split}={cell} is none of train, val and test; "
                    "mend it, or rename the column"
                )
        assert part is not None
        members.setdefault(part, []).append(file)
    if "train" not in members:
        raise DataError(f"{table.path}: {columns.split} has no row of train")
    return members


def _split(base: Path, labels: dict[str, str], names: tuple[str, ...], table: Table, view: View) -> FileSplit:
    places = {name: place for place, name in enumerate(names)}
    if extra := sorted(set(labels.values()) - set(names)):
        raise DataError(f"{table.path}: holds classes that the network does not know: {shortened(extra)}")
    keys = path_keys(below(base, list(labels)))
    return FileSplit(encode(labels), torch.tensor([places[label] for label in labels.values()]), view, keys)
