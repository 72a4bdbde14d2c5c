"""The table of a selection, as text or in a file."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from rnnvision.atomic import whole
from rnnvision.checks import choose_one, counted, one_line, shortened
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.results.select import Selection
from rnnvision.errors import UsageError
from rnnvision.report.runs_table import (
    COLUMNS,
    Group,
    best_of,
    differing,
    figure_of,
    groups_of,
    groups_table,
    lower_is_better,
    runs_table,
)
from rnnvision.report.table_text import FORMATS, SUFFIXES, Figure, Table, shown
from rnnvision.runs.query.where import full_keys

METRIC = "val/accuracy"


def show(selection: Selection, given: dict[str, str]) -> None:
    """Print the table, or write it into a file."""
    format_ = _format(given)
    keys, runs = selection.keys, selection.runs
    place = os.path.relpath(selection.root)
    for run in runs:
        run.facts["folder"] = f"{place}/{run.folder}"  # as one would type it here
    metric = keys.full(given["metric"], f"metric={given['metric']}") if "metric" in given else METRIC
    columns = full_keys(_names(given["columns"]), keys, "columns") if "columns" in given else list(COLUMNS)
    by = full_keys(_names(given["by"]), keys, "by") if "by" in given else differing(runs) or ["model", "data"]
    sort = keys.full(given["sort"], f"sort={given['sort']}") if "sort" in given else metric if "metric" in given else ""
    groups = sorted_groups(groups_of(runs, by, metric), sort)
    text = FORMATS[format_](_table(groups, by, metric, columns, for_people=format_ == "table"))
    if output := given.get("output"):
        path = Path(expanded(output))
        try:
            _write(path, text)
        except OSError as error:
            raise UsageError(f"output={output}: cannot be written: {error.strerror}") from error
        print(f"{counted(len(groups), 'row')} of {counted(len(runs), 'run')}: {output}")
        return
    print(text, end="")
    if format_ == "table":
        _conclude(selection, groups, metric)
        if "folder" not in by and (mixed := _mixed(groups)):
            print(f"note      runs of one row differ in {shortened(mixed)} too; add it to by= to tell them apart")


def _write(path: Path, text: str) -> None:
    """A file is there whole, or not at all; what is none, such as /dev/stdout, is not to be replaced by one."""
    if path.parent.is_dir() and (path.is_file() or not path.exists()):
        with whole(path.resolve()) as file:
            file.write(text)
    else:
        path.write_text(text, encoding="utf-8", errors="surrogateescape")


def _mixed(groups: Sequence[Group]) -> list[str]:
    """Settings in which runs of one row differ, over which its mean and spread are taken too."""
    return list(dict.fromkeys(key for group in groups if len(group.runs) > 1 for key in differing(group.runs)))


def _table(
    groups: Sequence[Group], by: Sequence[str], metric: str, columns: Sequence[str], *, for_people: bool
) -> Table:
    """A row a group; or by folder a row a run, with its settings and how it ended."""
    if "folder" in by:
        runs = [run for group in groups for run in group.runs]
        settings = [*differing(runs), "seed"] if list(by) == ["folder"] else []
        return runs_table(runs, [*by, *settings], [metric, *columns], ("status", "error"))
    table = groups_table(groups, metric, columns)
    return table.without("best run") if for_people else table  # which the lines below the table name


def sorted_groups(groups: Sequence[Group], key: str) -> list[Group]:
    """By a key; a figure best first, "" and `started` by the newest run of each, the newest last."""
    if key in ("", "started"):
        return sorted(groups, key=lambda group: str(group.runs[-1].facts["started"] or ""))

    def rank(group: Group) -> tuple[int, float, str]:
        cell = figure_of(group.completed if "/" in key else group.runs, key)
        value = cell.mean if isinstance(cell, Figure) else cell
        if isinstance(value, (int, float)) and value == value:
            return 0, -value if "/" in key and not lower_is_better(key) else value, ""
        return (2, 0.0, "") if value is None or isinstance(value, float) else (1, 0.0, str(value))

    return sorted(groups, key=rank)


def _conclude(selection: Selection, groups: Sequence[Group], metric: str) -> None:
    """The lines below a table: the best run of all, and what is not in it."""
    best = best_of((group.best for group in groups if group.best), metric)
    if best is not None:
        value = best.get(metric)
        print(f"\nbest      {metric} {shown(metric, float(value or 0))}   {one_line(best.folder)}")
        print(f"next      {one_line(shlex.join(['rnnvision', 'report', f'run={best.folder}']))}")
    for line in selection.others_lines:
        print(line)


def _format(given: dict[str, str]) -> str:
    if "format" in given:
        if given["format"] not in FORMATS:
            raise UsageError(f"format={given['format']}: {choose_one(given['format'], FORMATS, 'format=')}")
        return given["format"]
    if "output" not in given:
        return "table"
    suffix = Path(given["output"]).suffix
    if suffix not in SUFFIXES:
        raise UsageError(f"output={given['output']}: ends in none of {', '.join(SUFFIXES)}; say which format=")
    return SUFFIXES[suffix]


def _names(text: str) -> list[str]:
    """The names of NAME,NAME or [NAME,NAME]."""
    return [name.strip() for name in text.strip("[]").split(",") if name.strip()]
