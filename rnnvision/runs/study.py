"""trials.json: a study as it stands, its space and its trials, written and read; trials.csv is the same for people."""

import csv
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from rnnvision.atomic import whole
from rnnvision.checks import MOST, table_cell
from rnnvision.regular import STUDY, read_bounded
from rnnvision.runs.metrics import computable

FILE, TABLE = "trials.json", "trials.csv"
KINDS = ("float", "int", "choice")
STATES = ("completed", "pruned", "failed", "running")
DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True)
class Axis:
    """What a parameter may be: a number between low and high (`log`: evenly over orders of magnitude; `step`: on a
    grid), or one of the `choices`, which are plain values, lists among them."""

    kind: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class TrialRow:
    """One trial.

    Attributes:
        state: completed, pruned, failed or running.
        values: one a metric of the study, of a completed trial; () of any other.
        params: key -> value; a key that another trial has may be missing.
        overrides: the words of its command in which it differs from other trials, KEY=VALUE each.
        steps: number of epochs trained -> validation score, as reported.
        error: the one line of a failed trial.
        feasible: False where it breaks a constraint of the study: such a trial is never the best one.
    """

    number: int
    state: str
    values: tuple[float, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    steps: Mapping[int, float] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None
    feasible: bool = True

    @property
    def folder(self) -> str:
        """Its run folder, below that of the study."""
        return f"trials/{self.number:04d}"


@dataclass(frozen=True)
class StudyRecord:
    """A study.

    Attributes:
        metrics: what is searched for, such as val/accuracy; one direction (maximize, minimize) each.
        space: key -> what it may be.
        words: the words that every trial's command has.
        importances: key -> its share in how much the first metric varies.
        config_dir: "--config-dir" and the user's own configurations, which it has too where there are any.
        settings: what else a reader should know, as it is shown: sampler, pruner, number of trials.
    """

    name: str
    metrics: tuple[str, ...]
    directions: tuple[str, ...]
    space: Mapping[str, Axis]
    trials: tuple[TrialRow, ...] = ()
    words: tuple[str, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    config_dir: tuple[str, ...] = ()

    def signed(self, trial: TrialRow) -> tuple[float, ...]:
        """The values of a trial, turned so that more is better."""
        pairs = zip(trial.values, self.directions, strict=True)
        return tuple(value if direction == "maximize" else -value for value, direction in pairs)

    @property
    def scored(self) -> list[TrialRow]:
        """The trials that can be the best one, by number: completed and feasible, every value a finite number."""
        found = [t for t in self.trials if t.state == "completed" and t.feasible and all(map(math.isfinite, t.values))]
        return sorted((trial for trial in found if trial.values), key=lambda trial: trial.number)

    def best(self) -> list[TrialRow]:
        """The scored trials, best first, the earlier of two equals first; of several metrics those that no other trial
        beats in one without being worse in another (the Pareto front), by the first metric."""
        by_first = sorted(self.scored, key=lambda trial: [-value for value in self.signed(trial)])
        if len(self.metrics) == 1:
            return by_first
        front: list[TrialRow] = []
        for trial in by_first:  # what beats a trial stands before it, and on the front or behind one that is
            if not any(_beats(self.signed(other), self.signed(trial)) for other in front):
                front.append(trial)
        return front


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def as_word(value: Any) -> str:
    """A parameter's value as it is typed: null, true, [1,2], lstm, 0.001.

    Examples:
        >>> as_word(None), as_word(True), as_word([8, "a"]), as_word(1e-3)
        ('null', 'true', '[8,a]', '0.001')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(as_word, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{as_word(item)}' for key, item in value.items())}}}"
    return str(value)


def write_study(folder: Path, record: StudyRecord) -> Path:
    """Write trials.json and trials.csv into `folder`, each all of it or nothing; returns the former."""
    text = json.dumps(finite(asdict(record)), indent=1, allow_nan=False)
    path = _replace(folder / FILE, lambda file: file.write(f"{text}\n"))
    keys = [
        *record.space,
        *(k for k in dict.fromkeys(k for t in record.trials for k in t.params) if k not in record.space),
    ]

    def table(file: TextIO) -> None:
        writer = csv.writer(file)
        writer.writerow(map(table_cell, ["trial", "state", *record.metrics, *keys, "epochs", "seconds", "error"]))
        for trial in record.trials:
            values = trial.values or [""] * len(record.metrics)
            params = [as_word(trial.params[key]) if key in trial.params else "" for key in keys]
            ending = (len(trial.steps), trial.seconds, trial.error or "")
            writer.writerow(map(table_cell, [trial.number, trial.state, *values, *params, *ending]))

    _replace(folder / TABLE, table)
    return path


def _replace(path: Path, write: Callable[[TextIO], object]) -> Path:
    with whole(path) as file:
        write(file)
    return path


def finite(value: Any) -> Any:
    """Plain data that any reader of JSON takes: what is no finite number becomes a text, which float() reads."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def read_study(folder: Path) -> StudyRecord:
    """The study whose trials.json lies in `folder`.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: that begins with the path, if it was cut, or holds what is no study.
    """
    path = folder / FILE
    try:
        return _study(json.loads(read_bounded(path, STUDY).decode(errors="surrogateescape")))
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path}: is damaged ({reason})") from error


def _study(found: Any) -> StudyRecord:
    metrics, directions = tuple(map(str, found["metrics"])), tuple(found["directions"])
    if not metrics or len(directions) != len(metrics) or not set(directions) <= set(DIRECTIONS):
        raise ValueError("not one of maximize, minimize for each metric")
    trials = tuple(_trial(trial, len(metrics)) for trial in found["trials"])
    if len({trial.number for trial in trials}) < len(trials):
        raise ValueError("two trials have the same number")
    return StudyRecord(
        name=str(found["name"]),
        metrics=metrics,
        directions=directions,
        space={key: read_axis(axis) for key, axis in found["space"].items()},
        trials=trials,
        words=tuple(map(str, found["words"])),
        config_dir=tuple(map(str, found.get("config_dir", ()))),
        importances={key: _share(float(share)) for key, share in found["importances"].items()},
        settings={key: str(value) for key, value in found["settings"].items()},
    )


def read_axis(found: Any) -> Axis:
    """An axis as it lies in a file.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: for what is none.
    """
    axis = Axis(**{**found, "choices": tuple(found["choices"])})
    if axis.kind not in KINDS:
        raise ValueError(f"{axis.kind} is no kind of parameter")
    if axis.kind == "choice":
        if not axis.choices:
            raise ValueError("a choice of nothing")
        return Axis("choice", choices=axis.choices)
    if not (_is_number(axis.low, axis.kind) and _is_number(axis.high, axis.kind)) or axis.low > axis.high:  # type: ignore[operator]  # both are numbers
        raise ValueError(f"from {axis.low} to {axis.high} is no range")
    if axis.step is not None and not (_is_number(axis.step, axis.kind) and axis.step > 0 and not axis.log):
        raise ValueError(f"a step of {axis.step}")
    if axis.log and not (axis.low or 0) > 0:
        raise ValueError(f"a logarithm of {axis.low}")
    return Axis(axis.kind, axis.low, axis.high, bool(axis.log), axis.step)


def _is_number(value: object, kind: str) -> bool:
    """Whether a value is a number to compute with, of the kind int a whole one that a float holds exactly."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) and abs(value) <= 2**53 if kind == "int" else computable(value)


def _trial(found: Any, metrics: int) -> TrialRow:
    error, seconds = found["error"], found["seconds"]
    trial = TrialRow(
        number=_count(found["number"]),
        state=found["state"],
        values=tuple(map(float, found["values"])),
        params=dict(found["params"]),
        overrides=tuple(map(str, found["overrides"])),
        steps={_count(step): float(score) for step, score in found["steps"].items()},
        seconds=None if seconds is None else float(seconds),
        error=None if error is None else str(error),
        feasible=bool(found["feasible"]),
    )
    if trial.state not in STATES:
        raise ValueError(f"trial {trial.number} is {trial.state}")
    if len(trial.values) not in ((metrics,) if trial.state == "completed" else (0, metrics)):
        raise ValueError(f"trial {trial.number} has {len(trial.values)} values for {metrics} metrics")
    params = [v for v in trial.params.values() if isinstance(v, (int, float)) and not isinstance(v, bool)]
    for number in (*trial.values, *trial.steps.values(), *params):  # a score may be no finite number
        if not (computable(number) or (isinstance(number, float) and not math.isfinite(number))):
            raise ValueError(f"trial {trial.number} has {number!s:.20}, which is no figure")
    if trial.seconds is not None and not computable(trial.seconds):
        raise ValueError(f"trial {trial.number} took {trial.seconds:g} s")
    return trial


def _share(found: float) -> float:
    return found if 0 <= found <= 1 else math.nan


def _count(found: Any) -> int:
    count = int(found)
    if not 0 <= count <= MOST:
        raise ValueError(f"{found} is no number of a trial or an epoch")
    return count
