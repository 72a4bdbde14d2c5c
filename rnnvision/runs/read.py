"""Run folders as they are read: overrides, status, metrics."""

import csv
import json
import math
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnvision.regular import EPOCHS, JSON, open_table, read_bounded
from rnnvision.runs.lock import Lock
from rnnvision.runs.metrics import computable, figure

CONFIG = ".hydra/config.yaml"  # in a run folder: the configuration that it was composed of
LOCK = ".lock"  # in a run folder: held by the process that writes there
KINDS: dict[str, Any] = {  # of entries of status.json, environment.json and costs.json
    **dict.fromkeys(("status", "started"), str),
    "error": (str, type(None)),
    "seconds": (int, float),
    **dict.fromkeys(("command", "overrides", "missing"), list),
    "fitted": bool,
    **dict.fromkeys(("choices", "git", "versions"), (dict, type(None))),
}
NUMBERS = ("epoch", "step", "seconds", "lr")  # columns of metrics.csv, beside figures as val/loss
TRACKING = "tracking.json"  # where the run is found at its trackers; one that begins anew goes on there


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a run folder; {} where it is missing, was cut short, is too large or holds no object."""
    try:
        found = json.loads(read_bounded(path, JSON))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries_of(found)


def entries_of(found: Any) -> dict[str, Any]:
    """The entries of a JSON object, without those of another kind than a run writes; {} for anything else."""
    if not isinstance(found, dict):
        return {}
    kept = {key: value for key, value in found.items() if isinstance(value, KINDS.get(key, object))}
    if not computable(kept.get("seconds", 0)):
        del kept["seconds"]
    return kept


def figures_of(found: dict[str, Any]) -> dict[str, Any]:
    """Those entries that are numbers which can be computed with; of too large a float, as of an infinity, NaN."""
    return {
        key: figure(v) if type(v) is float else v
        for key, v in found.items()
        if type(v) is float or (type(v) is int and abs(v) < 1 << 63)
    }


class Run:
    """One run folder; each file is read on first access, and a missing one is empty.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "status.json").write_text('{"status": "completed"}')
        ...     run = Run(Path(folder))
        ...     print(run.status, run.metrics)
        completed {}
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def status(self) -> str:
        """running, completed, failed or interrupted; "" where there is no record."""
        return self._status.get("status") or ""

    @property
    def state(self) -> str:
        """The status, but `killed` where the record says running, and no process holds the lock of the folder."""
        if self.status == "running" and Lock(self.path / LOCK).holder() is None:
            self.__dict__.pop("_status")  # it may have ended in this moment: the record is written under the lock
            return "killed" if self.status == "running" else self.status
        return self.status

    @property
    def outcome(self) -> str:
        """The state, with its error where it has one; "" where there is no record."""
        return f"{self.state}{f': {self.error}' if self.error else ''}"

    @property
    def why_unmeasured(self) -> str:
        """Of a run that has nothing to measure: what it lacks, and what has become of it."""
        return f"has no predictions.csv, and no checkpoint{f'; the run is {self.state}' if self.state else ''}"

    @property
    def has_weights(self) -> bool:
        """Whether it has a checkpoint to measure: its best, or its last."""
        return any((self.path / "checkpoints" / f"{name}.ckpt").is_file() for name in ("best", "last"))

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    @property
    def last_checkpoint(self) -> Path | None:
        """What the run goes on from: of the training, else of the pre-training before it; None where it has neither."""
        names = ("last.ckpt", "previous.ckpt")  # the second takes the place of the first where that is gone
        found = (self.path / folder / name for folder in ("checkpoints", "pretrain") for name in names)
        return next((path for path in found if path.is_file()), None)

    @property
    def has_saved(self) -> bool:
        """Whether there is a checkpoint of any name: what is not to be lost, and may be gone on from."""
        return any(any((self.path / folder).glob("*.ckpt")) for folder in ("checkpoints", "pretrain"))

    @property
    def has_begun(self) -> bool:
        """Whether it has got as far as the end of an epoch, or a checkpoint."""
        return self.has_saved or bool(self.epochs) or bool(read_epochs(self.path / "pretrain" / "metrics.csv"))

    @property
    def error(self) -> str | None:
        return self._status.get("error")

    @property
    def started(self) -> float:
        """Seconds since 1970, 0 where it is not known."""
        text = self._status.get("started")
        try:
            return datetime.fromisoformat(text).timestamp() if text else 0.0
        except (ValueError, OverflowError):
            return 0.0

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The final metrics, by name."""
        return figures_of(read_json(self.path / "metrics.json"))

    @cached_property
    def costs(self) -> dict[str, Any]:
        """The costs that a comparison measured; see `rnnvision.cli.compare.costs`."""
        found = read_json(self.path / "costs.json")
        return figures_of(found) | {key: found[key] for key in ("fitted", "missing") if key in found}

    @cached_property
    def environment(self) -> dict[str, Any]:
        return read_json(self.path / "environment.json")

    @property
    def overrides(self) -> list[str]:
        """The overrides of the command, KEY=VALUE each."""
        return [str(word) for word in self.environment.get("overrides", [])]

    @cached_property
    def epochs(self) -> list[dict[str, str]]:
        """The rows of metrics.csv."""
        return read_epochs(self.path / "metrics.csv")

    @property
    def training_seconds(self) -> float | None:
        """Of all epochs, including those before an interruption, which metrics.json may not count."""
        if self.epochs:
            return sum(float(row["seconds"]) for row in self.epochs if row.get("seconds"))
        seconds = self.metrics.get("train/seconds")
        return seconds if seconds is not None and computable(seconds) else None

    @cached_property
    def _status(self) -> dict[str, Any]:
        return read_json(self.path / "status.json")


def find_runs(folder: Path) -> Iterator[Run]:
    """Every run folder below `folder`, it may be one itself; by name, numbers as numbers."""
    found = (path.parent for path in folder.rglob("status.json"))
    yield from map(Run, sorted(found, key=lambda path: [_rank(part) for part in path.parts]))


def _rank(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def read_epochs(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, one per epoch, without those that were damaged; [] where there is none."""
    try:
        with open_table(path, EPOCHS, errors="replace") as file:
            return [row for row in csv.DictReader(file) if _is_epoch(row)]
    except (OSError, ValueError, csv.Error):  # missing, too large, no table
        return []


def _is_epoch(row: dict[Any, Any]) -> bool:
    """Whether what counts and measures in a row are numbers, and it has no more values than there are columns.

    A figure may be no finite number, as that of a training that has diverged; the seconds may not.
    """
    try:
        numbers = {name: float(value) for name, value in row.items() if value and ("/" in name or name in NUMBERS)}
        whole = all(row[name].isdecimal() for name in ("epoch", "step") if name in numbers)
        return whole and all(
            computable(value) or (name != "seconds" and not math.isfinite(value)) for name, value in numbers.items()
        )
    except (TypeError, ValueError):
        return False
