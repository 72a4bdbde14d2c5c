"""Tables of runs: a row a run, or a row a setting with mean and spread over its seeds; see `table_text` for formats.

records = [read_record(folder) for folder in ...]              # rnnvision.runs
runs_table(records, keys=("model", "seed"))                    # a row a run: settings, figures, time, status
groups_table(records, by=("model",), metric="val/accuracy")    # a row a setting: mean +- spread over seeds, best
to_file(path, table)                                           # .csv, .md or .tex
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnnvision.report.table_text import Cell, Figure, Table
from rnnvision.runs.block_yaml import Value
from rnnvision.runs.metrics import figure, lower_is_better
from rnnvision.runs.record import Record

COLUMNS = ("val/accuracy", "test/accuracy", "train/seconds", "predict/milliseconds", "model/parameters")
LISTED = 5  # values of a setting within a group; more are counted
NO_SETTINGS = ("seed", "name", "log_dir", "resume", "hydra")  # keys that say which run it is, not what it does


@dataclass(frozen=True)
class Group:
    """Runs of one setting. `settings` has a value for each key; `best` is the best completed run, None without any."""

    settings: Mapping[str, Value]
    runs: tuple[Record, ...]
    best: Record | None

    @property
    def completed(self) -> list[Record]:
        return [run for run in self.runs if run.completed]


def runs_table(
    records: Sequence[Record],
    keys: Sequence[str],
    columns: Sequence[str] = COLUMNS,
    ending: Sequence[str] = ("seconds", "status", "error", "folder"),
) -> Table:
    """A row a run, in the order given: its settings, its figures, and how it ended; without `error` where none has."""
    has_error = any(record.facts["error"] for record in records)
    header = dict.fromkeys(name for name in (*keys, *columns, *ending) if name != "error" or has_error)
    return Table(tuple(header), tuple(tuple(record.get(name) for name in header) for record in records))


def groups_of(records: Iterable[Record], by: Sequence[str], metric: str) -> list[Group]:
    """Runs with the same values of `by` together, in the order in which the first of each is given."""
    found: dict[tuple[Value, ...], list[Record]] = {}
    for record in records:
        found.setdefault(tuple(record.get(key) for key in by), []).append(record)
    return [
        Group(dict(zip(by, values, strict=True)), tuple(runs), best_of(runs, metric)) for values, runs in found.items()
    ]


def best_of(records: Iterable[Record], metric: str) -> Record | None:
    """The completed run with the best figure; the first of equal ones."""
    scored = [(record.get(metric), record) for record in records if record.completed]
    numbers = [(value, record) for value, record in scored if isinstance(value, (int, float)) and value == value]
    if not numbers:
        return None
    pick = min if lower_is_better(metric) else max
    return pick(numbers, key=lambda pair: pair[0])[1]


def figure_of(records: Sequence[Record], key: str) -> Cell:
    """A column over the runs of a group: of a figure mean and spread, of a setting the values."""
    values = [value for record in records if (value := record.get(key)) is not None]
    if not values:
        return None
    numbers = [value for value in values if isinstance(value, (int, float))]
    if len(numbers) == len(values) and (key == "seconds" or any(key in record.metrics for record in records)):
        figures = [figure(number) for number in numbers]
        return Figure(math.fsum(figures) / len(figures), spread_of(figures))
    different = list(dict.fromkeys(values))
    if len(different) == 1:
        return different[0]
    return ", ".join(map(str, different)) if len(different) <= LISTED else f"{len(different)} values"


def spread_of(numbers: Sequence[float]) -> float | None:
    """The sample standard deviation; None of one number. `statistics.stdev` is exact, and ten times slower."""
    if len(numbers) < 2:
        return None
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1))


def groups_table(groups: Sequence[Group], metric: str, columns: Sequence[str] = COLUMNS) -> Table:
    """A row a group: its settings, how many runs, mean and spread (sample standard deviation) of each figure, best."""
    by = list(groups[0].settings) if groups else []
    figures = list(dict.fromkeys([metric, *columns]))
    with_others = any(len(group.completed) < len(group.runs) for group in groups)
    header = [*by, "runs", *(["not completed"] if with_others else []), figures[0], "best", *figures[1:], "best run"]
    rows = []
    for group in groups:
        done = group.completed
        others = Counter(run.status for run in group.runs if not run.completed)
        rows.append(
            (
                *group.settings.values(),
                len(done),
                *([", ".join(f"{count} {status}" for status, count in others.items()) or None] if with_others else []),
                figure_of(done, metric),
                group.best.get(metric) if group.best else None,
                *(figure_of(done, name) for name in figures[1:]),
                group.best.folder if group.best else None,
            )
        )
    return Table(tuple(header), tuple(rows), tuple(figures), metric)


def differing(records: Sequence[Record], besides: Sequence[str] = NO_SETTINGS) -> list[str]:
    """Keys of the configuration that tell apart what the runs' settings tell apart, the seed aside.

    Of a hundred keys that change together with the network, `model` alone is named. Network and data come first, then
    the keys that were typed, then the rest.
    """
    alike: dict[tuple[int, ...], Record] = {}  # one run of each configuration; records share what is the same
    for record in records:
        pieces = (id(piece) for top, piece in record.config.items() if top not in besides)
        alike.setdefault((id(record.choices), *pieces), record)
    words = {word: None for overrides in {run.overrides: None for run in records} for word in overrides}
    typed = [word.lstrip("+~").partition("=")[0] for word in words]
    candidates = dict.fromkeys(["model", "data", *typed, *(key for run in alike.values() for key, _ in run.settings())])
    kept = list(alike.values())
    found: list[str] = []
    parts = [0] * len(kept)  # of each run, the number of its values of the keys found so far
    for key in candidates:
        if key in besides or key.partition(".")[0] in besides or key.endswith((".seed", ".dirpath", ".save_dir")):
            continue
        finer: dict[tuple[int, Value], int] = {}
        numbers = [finer.setdefault((part, run.get(key)), len(finer)) for part, run in zip(parts, kept, strict=True)]
        if len(finer) > max(parts, default=0) + 1:
            found.append(key)
            parts = numbers
    return found
