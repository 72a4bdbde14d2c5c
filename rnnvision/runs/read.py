"""Run folders as they are read: what a run was told, how it ended, what it measured."""

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of a run folder; {} where it is missing or was cut short."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


class Run:
    """What one run folder says; each file is read when it is first asked for, and a missing one is empty."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def status(self) -> str:
        """running, completed, failed or interrupted; "" where there is no record."""
        return self._status.get("status") or ""

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    @property
    def error(self) -> str | None:
        return self._status.get("error")

    @property
    def started(self) -> float:
        """Seconds since 1970, 0 where it is not known."""
        text = self._status.get("started")
        return datetime.fromisoformat(text).timestamp() if text else 0.0

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The final figures, by name."""
        return read_json(self.path / "metrics.json")

    @cached_property
    def costs(self) -> dict[str, Any]:
        """What a comparison measured of the network; see `rnnvision.cli.compare.costs`."""
        return read_json(self.path / "costs.json")

    @cached_property
    def environment(self) -> dict[str, Any]:
        return read_json(self.path / "environment.json")

    @property
    def overrides(self) -> list[str]:
        """What was typed, KEY=VALUE each."""
        return [str(word) for word in self.environment.get("overrides", [])]

    @cached_property
    def epochs(self) -> list[dict[str, str]]:
        """The rows of metrics.csv."""
        return read_epochs(self.path / "metrics.csv")

    @property
    def training_seconds(self) -> float | None:
        """Of all epochs, those before an interruption too, which metrics.json may not know of."""
        if self.epochs:
            return sum(float(row["seconds"]) for row in self.epochs if row.get("seconds"))
        return self.metrics.get("train/seconds")

    @cached_property
    def _status(self) -> dict[str, Any]:
        return read_json(self.path / "status.json")


def find_runs(folder: Path) -> Iterator[Run]:
    """Every run folder below `folder`, it may be one itself; by name, numbers as numbers."""
    found = (path.parent for path in folder.rglob("status.json"))
    yield from map(Run, sorted(found, key=lambda path: (len(str(path)), str(path))))


def read_epochs(path: Path) -> list[dict[str, str]]:
    """The rows of a metrics.csv, one an epoch; [] where there is none."""
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
