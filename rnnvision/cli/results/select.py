"""The runs that `log_dir`, `folder`, `where` and `last` ask for."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rnnvision.checks import at_least, counted, nearest, one_line
from rnnvision.cli.frame.command_line.files import config_dir, options_of
from rnnvision.cli.frame.paths import expanded
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs.query.index import find_records
from rnnvision.runs.query.where import Keys, parse_where
from rnnvision.runs.record import STATUSES, Record


@dataclass(frozen=True)
class Selection:
    """Runs, by start.

    Attributes:
        root: the folder for run folders.
        runs: those that were asked for; `folder` of each is relative to the root.
        others: how many of each other verb would have been shown, had the condition said so.
        keys: that any run in the folder has.
    """

    root: Path
    runs: list[Record]
    others: Mapping[str, int]
    keys: Keys

    @property
    def others_lines(self) -> list[str]:
        """A line that says how to have the others; none where there are none."""
        if not self.others:
            return []
        verbs = one_line(", ".join(f"{verb} {count}" for verb, count in sorted(self.others.items())))
        return [f"others    {verbs}; where=verb={one_line(min(self.others))} shows those"]


def select(given: dict[str, str]) -> Selection:
    """The runs that `log_dir`, `folder`, `where` and `last` ask for.

    Raises:
        UsageError: for a folder that does not exist, or a condition that is none.
        FailureError: where no run is left.
    """
    root, below = _place(given)
    found = find_records(root, below)
    shown = given.get("folder") or given.get("log_dir", "logs")
    if not found:
        raise FailureError(f"{shown}: there is no run in it yet; rnnvision train experiment=digits_lstm makes one")
    keys = Keys(found)
    runs, asked = found, set[str]()
    if "where" in given:
        holds, asked = parse_where(given["where"], keys, os.path.relpath(root))
        runs = [run for run in runs if holds(run)]
    others = Counter[str]()
    if "verb" not in asked:
        matched = runs
        runs = [run for run in matched if run.facts["verb"] in ("train", None)]
        others = Counter(str(run.facts["verb"]) for run in matched if run.facts["verb"] not in ("train", None))
    runs = runs[-_last(given) :]
    if not runs and others:
        raise FailureError(
            f"{shown}: no training is among {counted(others.total(), 'run')}; where=verb=... shows them: "
            f"{', '.join(sorted(others))}"
        )
    if not runs:
        raise FailureError(
            f"where={given['where']}: holds for none of {counted(len(found), 'run')} in {shown}"
            f"{_nearest_value(given['where'], keys, found)}"
        )
    return Selection(root, runs, others, keys)


def _nearest_value(where: str, keys: Keys, runs: list[Record]) -> str:
    """The nearest of the values that a key has in runs, or may have, of a condition KEY=VALUE; "" for one of them."""
    for name, _, typed in re.findall(r"([\w./]+)\s*(=|~)\s*([^\s()]+)", where):
        key = keys.full(name, name)
        values = {str(value) for run in runs if (value := run.get(key)) is not None}
        values |= {*(STATUSES if key == "status" else options_of([config_dir()], key))}
        for one in re.split(r"[,\"']+", typed.strip("\"'")):
            if one not in values and (near := nearest(one, values)) is not None:
                return f"; did you mean {name}={near}?"
    return ""


def _place(given: dict[str, str]) -> tuple[Path, str]:
    """The folder for run folders, and the folder in it that was asked for, relative to it.

    A folder elsewhere is a folder for run folders itself, such as logs that have been moved.
    """
    root = Path(expanded(given.get("log_dir", "logs")))
    if "folder" not in given:
        if not root.is_dir():
            makes = "" if "log_dir" in given else "; rnnvision train experiment=digits_lstm makes a run in it"
            raise UsageError(f"log_dir={root}: there is no such folder{makes}")
        return root, ""
    folder = Path(expanded(given["folder"]))
    if not folder.is_dir():
        raise UsageError(f"folder={given['folder']}: there is no such folder")
    inside = folder.resolve()
    if inside.is_relative_to(root.resolve()):
        below = inside.relative_to(root.resolve()).as_posix()
        return root, "" if below == "." else below
    return folder, ""


def _last(given: dict[str, str]) -> int:
    """How many runs, 0 for all."""
    if "last" not in given:
        return 0
    try:
        last: object = int(given["last"])
    except ValueError:
        last = given["last"]
    try:
        at_least("last", last, 1)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return int(given["last"])
