"""rnnvision results: the runs in a folder as one table, by condition and by setting; `rm` removes run folders."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rnnvision.checks import nearest
from rnnvision.cli.frame.command_line.plain import PLAIN, read_settings, run_plain
from rnnvision.cli.frame.paths import expanded, is_path
from rnnvision.cli.results.select import select
from rnnvision.errors import UsageError

USAGE = """Shows runs as one table: a row a setting, with mean and standard deviation (of the sample) over its seeds.

  rnnvision results                                     every training in logs, the newest last
  rnnvision results logs/train/multiruns/2026-11-28     those of a sweep, or of any other folder
  rnnvision results where="data=mnist and model=lstm" by=model metric=test/accuracy
  rnnvision results where="optimizer.lr>=1e-3 and not status=failed" columns=test/nll,train/seconds
  rnnvision results by=folder last=20                   a row a run
  rnnvision results output=table.tex                    also .csv, .md, .txt
  rnnvision results rm where="status=failed"            remove run folders, after a look at them

  folder: null          # only the runs in it; null: all in log_dir
  where: null           # KEY OP VALUE with = != < <= > >= ~ (contains), and, or, not, ( ); other verbs: verb=evaluate
  by: null              # keys whose values make a row: model,data; null: the settings that differ, but for the seed
  metric: val/accuracy  # the first figure, of which the best is shown
  columns: test/accuracy,train/seconds,predict/milliseconds,model/parameters  # the others, or settings
  sort: null            # a key: a figure sorts best first; null: metric, where it is given, else the newest last
  last: null            # only so many runs, the newest
  format: null          # table csv markdown latex; null: as output ends, else table
  output: null          # write into a file
  log_dir: logs         # the folder for run folders
  yes: false            # of rm: true: remove without asking"""

OF_A_TABLE = ("by", "metric", "columns", "sort", "last", "format", "output")


def main() -> None:
    run_plain("results", USAGE, results)


def results(words: list[str]) -> None:
    """Print the table, or remove runs."""
    removing = words[:1] == ["rm"]
    words = words[1:] if removing else words
    _check_conditions(words, removing)
    given = {key: value for key, value in read_settings("results", words).items() if value != "null"}
    if removing:
        from rnnvision.cli.results.remove import remove

        if wrong := next((key for key in OF_A_TABLE if key in given), None):
            raise UsageError(f"{wrong}: is not of rm, which takes a folder, where, log_dir and yes")
        if not given.keys() & {"where", "folder"}:
            raise UsageError("rm: say which runs, by a folder or by where=: rnnvision results rm where=status=failed")
        remove(select(given), given)
        return
    if "yes" in given:
        raise UsageError(f"yes={given['yes']}: is of rm alone: rnnvision results rm where=status=failed yes=true")
    from rnnvision.cli.results.show import show

    show(select(given), given)


def _check_conditions(words: Sequence[str], removing: bool) -> None:
    """Refuse a condition that stands alone, as in `results model=lstm`, with the command that has it in where=; where
    its value is a folder, as in `results root=runs`, also with the one that looks there."""
    known = PLAIN["results"].keys
    alone = [word for word in words if "=" in word and word[0] != "-" and word.partition("=")[0] not in known]
    alone = [word for word in alone if not is_path(word)]
    if alone and nearest(alone[0].partition("=")[0], known) is None:
        start = ["rnnvision", "results", *(["rm"] if removing else [])]
        start += [word for word in words if word not in alone]
        right = f"conditions stand in where=; try: {shlex.join([*start, _where(alone)])}"
        for word in alone:
            if Path(expanded(folder := word.partition("=")[2])).is_dir():
                others = [other for other in alone if other != word]
                there = shlex.join([*start, folder, *([_where(others)] if others else [])])
                raise UsageError(f"{word}: a folder stands alone; try: {there}; {right}")
        raise UsageError(f"{alone[0]}: {right}")


def _where(conditions: Sequence[str]) -> str:
    return f"where={' and '.join(conditions)}"
