"""The rows of a comparison, each read from the run folders of one network; as a table, CSV and Markdown."""

import csv
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rnnvision.atomic import whole
from rnnvision.checks import one_line, table_cell
from rnnvision.runs import Run, read_json
from rnnvision.runs.metrics import computable

ACCURACY = "test/accuracy"  # without it a training has no place in the table
METHODS = (
    "accuracy: of the best checkpoint on the test split, mean +- sample standard deviation over the seeds.\n"
    "samples/s: over the whole training, validation included; with *, over timed steps alone.\n"
    "memory: peak during training steps at the run's batch size, above that of the imports; on a GPU, the GPU's.\n"
    "anytime: accuracy after each token, averaged over all tokens. latency: one image, median. -: does not apply.\n"
    "train s: the whole training; with +, a fit in one go (support vector machines), which no budget limits."
)


@dataclass(frozen=True)
class Row:
    """One network over its seeds. Rates lie in [0, 1], times are seconds, memory bytes; None: does not apply."""

    label: str
    seeds: int  # how many trainings were completed
    accuracy: float | None = None
    accuracy_std: float | None = None  # of the sample; None for one seed
    accuracy_min: float | None = None
    accuracy_max: float | None = None
    f1: float | None = None
    parameters: int | None = None
    multiply_adds: int | None = None
    samples_per_second: float | None = None
    samples_from: str | None = None  # run, or steps where it was measured apart from the runs
    latency: float | None = None
    memory: int | None = None
    anytime: float | None = None
    train_seconds: float | None = None
    fitted: bool = False  # in one go, whatever the budget
    failures: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()  # why a figure could not be had


def make_row(label: str, folders: dict[int, Path]) -> Row:
    """The row of a network from the run folder of each seed.

    Accuracy, F1, anytime area and training time are means over the seeds; samples/s, latency and memory, where one that
    was disturbed says nothing of the others, medians.
    """
    runs = {seed: Run(folder) for seed, folder in folders.items()}
    done = [run for run in runs.values() if run.completed and _accuracy(run) is not None]
    failures = tuple(f"seed {seed}: {error}" for seed, run in runs.items() if (error := _failure(run)))
    if not done:
        return Row(label, 0, failures=failures)
    accuracy = [found for run in done if (found := _accuracy(run)) is not None]
    recorded = _median(run.metrics.get("train/samples_per_second") for run in done)
    timed = _median(run.costs.get("train/samples_per_second") for run in done)
    memory = _median(run.costs.get("memory/peak") for run in done)
    return Row(
        label,
        len(done),
        accuracy=statistics.mean(accuracy),
        accuracy_std=statistics.stdev(accuracy) if len(accuracy) > 1 else None,
        accuracy_min=min(accuracy),
        accuracy_max=max(accuracy),
        f1=_mean(run.metrics.get("test/f1") for run in done),
        parameters=_count(done[0], "parameters"),
        multiply_adds=_count(done[0], "multiply_adds"),
        samples_per_second=timed if recorded is None else recorded,
        samples_from=None if recorded is None and timed is None else "steps" if recorded is None else "run",
        latency=_median(run.costs.get("latency/p50") for run in done),
        memory=None if memory is None else round(memory),
        anytime=_mean(run.costs.get("anytime/area") for run in done),
        train_seconds=_mean(run.training_seconds for run in done),
        fitted=done[0].costs.get("fitted", False),
        failures=failures,
        missing=tuple(dict.fromkeys(reason for run in done for reason in map(str, run.costs.get("missing", [])))),
    )


def _failure(run: Run) -> str | None:
    """Why a run has no row, or no costs in it."""
    if not run.completed:
        return run.error or run.state or "did not begin"
    if _accuracy(run) is None:
        return f"its metrics.json has no {ACCURACY}; remove {run.path.name} to train it again"
    if not run.costs:
        return f"costs: {read_json(run.path / 'costs_error.json').get('error', 'not measured')}"
    return None


def _count(run: Run, name: str) -> int | None:
    """What was counted for one network, and is the same for every seed."""
    found = run.costs.get(name)
    return found if isinstance(found, int) else None


def _accuracy(run: Run) -> float | None:
    return next(iter(_there([run.metrics.get(ACCURACY)])), None)


def _there(values: Iterable[float | None]) -> list[float]:
    """The figures that there are: what nothing can be computed with is none."""
    return [value for value in values if value is not None and computable(value)]


def _mean(values: Iterable[float | None]) -> float | None:
    found = _there(values)
    return statistics.mean(found) if found else None


def _median(values: Iterable[float | None]) -> float | None:
    found = _there(values)
    return statistics.median(found) if found else None


# A row in words: the same cells in the terminal and in Markdown.

COLUMNS = (
    "model",
    "seeds",
    "accuracy %",
    "macro-F1 %",
    "parameters",
    "multiply-adds",
    "samples/s",
    "latency ms",
    "memory MB",
    "anytime %",
    "train s",
)


def _cells(row: Row) -> list[str]:
    def shown(value: float | None, form: str, factor: float = 1) -> str:
        return "-" if value is None else format(value * factor, form)

    spread = "" if row.accuracy_std is None else f" +- {100 * row.accuracy_std:.2f}"
    return [
        row.label,
        str(row.seeds),
        shown(row.accuracy, ".2f", 100) + spread,
        shown(row.f1, ".2f", 100),
        shown(row.parameters, ",.0f"),
        shown(row.multiply_adds, ",.0f"),
        shown(row.samples_per_second, ",.0f") + ("*" if row.samples_from == "steps" else ""),
        shown(row.latency, ".2f", 1e3),
        shown(row.memory, ",.0f", 2**-20),
        shown(row.anytime, ".2f", 100),
        shown(row.train_seconds, ",.1f") + ("+" if row.fitted else ""),
    ]


def _notes(row: Row) -> list[str]:
    return [f"failed: {one_line(note)}" for note in row.failures] + [
        f"not measured: {one_line(reason)}" for reason in row.missing
    ]


def table(rows: list[Row]) -> str:
    """The rows for a terminal, what failed or is missing behind each."""
    lines = [list(COLUMNS), *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    notes = [[], *map(_notes, rows)]
    shown = []
    for line, note in zip(lines, notes, strict=True):
        first = line[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        shown.append("  ".join([first, *others]) + (f"  <- {'; '.join(note)}" if note else ""))
    return "\n".join(shown)


def write_csv(path: Path, rows: list[Row]) -> None:
    """All figures with all digits, one row a network; empty where one does not apply."""
    with whole(path) as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for row in rows:
            kept = asdict(row)
            kept |= {name: "; ".join(kept[name]) for name in ("failures", "missing")}
            writer.writerow({name: table_cell(value) for name, value in kept.items()})


def markdown(rows: list[Row], command: str, about: str, runs: Iterable[Run]) -> str:
    """A page: the command, the table, what was measured how and where."""
    lines = [f"`{command}`", "", f"| {' | '.join(COLUMNS)} |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += [f"| {' | '.join([f'`{cells[0]}`', *cells[1:]])} |" for cells in map(_cells, rows)]
    if notes := [f"- `{row.label}`: {note}" for row in rows for note in _notes(row)]:
        lines += ["", *notes]
    return "\n".join([*lines, "", about, *METHODS.splitlines(), "", *_where(runs)]) + "\n"


def _where(runs: Iterable[Run]) -> list[str]:
    """On which machines and with which code the runs were made: one line each, usually one."""
    found = []
    for machine in (run.environment for run in runs):
        if machine:
            git, versions = machine.get("git") or {}, machine.get("versions") or {}
            gpus = machine.get("gpus") if isinstance(machine.get("gpus"), list) else []
            hardware = ", ".join(map(str, gpus or [machine.get("cpu")]))
            cores = f"{machine.get('cores')} cores, threads: {machine.get('threads')}"
            code = f"torch {versions.get('torch')}; commit {str(git.get('commit') or 'unknown')[:7]}"
            found.append(f"{hardware}, {cores}; {code}{' (changed)' if git.get('dirty') else ''}.")
    return list(dict.fromkeys(found))
