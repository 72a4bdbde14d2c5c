"""Tables of runs: a row a run, or a row a setting with mean and spread over its seeds; see `table_text` for formats.

records = [read_record(folder) for folder in ...]              # rnnvision.runs
runs_table(records, keys=("model", "seed"))                    # a row a run: settings, figures, time, status
groups_table(records, by=("model",), metric="val/accuracy")    # a row a setting: mean +- spread over seeds, best
to_file(path, table)                                           # .csv, .md or .tex
"""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnnvision.report.table_text import Cell, Figure, Table
from rnnvision.runs.block_yaml import Value
from rnnvision.runs.record import Record

COLUMNS = ("val/accuracy", "test/accuracy", "train/seconds", "predict/milliseconds", "model/parameters")
LOWER = ("loss", "nll", "ece", "seconds", "milliseconds", "parameters", "multiply_adds", "memory", "skipped_files")
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


def lower_is_better(metric: str) -> bool:
    """Whether a smaller figure is a better one, by its name.

    Examples:
        >>> lower_is_better("test/nll_calibrated"), lower_is_better("train/seconds"), lower_is_better("test/accuracy")
        (True, True, False)
    """
    name = metric.rpartition("/")[2].removesuffix("_calibrated")
    return name in LOWER or name.endswith(("_loss", "_seconds"))


def runs_table(records: Sequence[Record], keys: Sequence[str], columns: Sequence[str] = COLUMNS) -> Table:
    """A row a run, in the order given: its settings, its figures, seconds from start to end, status, error, folder."""
    header = (*keys, *columns, "seconds", "status", "error", "folder")
    has_error = any(record.facts["error"] for record in records)
    kept = [name for name in header if name != "error" or has_error]
    return Table(tuple(kept), tuple(tuple(record.get(name) for name in kept) for record in records))


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


def figure_of(records: Iterable[Record], key: str) -> Cell:
    """A column over the completed runs of a group: mean and spread of numbers, else what they share."""
    values = [record.get(key) for record in records]
    there = [value for value in values if value is not None]
    numbers = [value for value in there if isinstance(value, (int, float)) and not isinstance(value, bool)]
    if not there:
        return None
    if len(numbers) == len(there):
        spread = statistics.stdev(numbers) if len(numbers) > 1 else None
        return Figure(statistics.fmean(numbers), spread)
    different = list(dict.fromkeys(there))
    return different[0] if len(different) == 1 else f"{len(different)} values"


def groups_table(groups: Sequence[Group], metric: str, columns: Sequence[str] = COLUMNS) -> Table:
    """A row a group: its settings, how many runs, mean and spread (sample standard deviation) of each figure, best."""
    by = list(groups[0].settings) if groups else []
    figures = [metric, *(name for name in columns if name != metric)]
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
    """The fewest keys of the configuration that tell apart what the runs' settings tell apart, the seed aside.

    Of a hundred keys that change together with the network, `model` alone is named. Network and data come first, then
    the keys that were typed, then the rest.
    """
    typed = dict.fromkeys(word.lstrip("+~").partition("=")[0] for run in records for word in run.overrides)
    candidates = dict.fromkeys(["model", "data", *typed, *(key for key in _varied(records))])
    found: list[str] = []
    parts = [tuple[Value, ...]()] * len(records)  # of each run, its values of the keys found so far
    count = len(set(parts))
    for key in candidates:
        if key in besides or key.partition(".")[0] in besides or key.endswith((".seed", ".dirpath", ".save_dir")):
            continue
        finer = [(*part, record.get(key)) for part, record in zip(parts, records, strict=True)]
        if len(set(finer)) > count:
            found.append(key)
            parts, count = finer, len(set(finer))
    return found


def _varied(records: Sequence[Record]) -> Iterable[str]:
    """The keys of the configuration that are not the same in all runs; only pieces that differ are looked into."""
    yield from dict.fromkeys(key for record in records for key in record.choices)
    tops = dict.fromkeys(top for record in records for top in record.config)
    for top in tops:
        different = {id(piece): piece for record in records if (piece := record.config.get(top)) is not None}
        if len(different) > 1 or any(top not in record.config for record in records):
            yield from dict.fromkeys(key for piece in different.values() for key in piece)
