"""One run as a record: everything that can be asked of it, by one key. Ten thousand of them are read in seconds."""

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rnnvision.regular import CONFIGURATION, JSON, read_bounded
from rnnvision.runs.block_yaml import Value, flat_piece, piece_name, pieces
from rnnvision.runs.lock import Lock
from rnnvision.runs.read import CONFIG, LOCK, entries_of, figures_of, read_epochs

FACTS = ("folder", "verb", "status", "name", "started", "seconds", "commit", "dirty", "tags", "error")
VERBS = ("train", "evaluate", "predict", "watch", "export", "demo", "benchmark", "compare", "tune", "report", "shards")
STATUSES = ("running", "completed", "failed", "interrupted", "killed", "unknown")
JOB = re.compile(r"^  job:\n    name: ['\"]?(\w+)", re.MULTILINE)
CHOICES = re.compile(r"^    choices:\n((?:      .*\n?)+)", re.MULTILINE)
CHOICE = re.compile(r"\$\{hydra:runtime\.choices\.(\w+)\}")
OF_COSTS = {  # costs.json of a comparison -> the figure of the same name in metrics.json, and the factor between them
    "parameters": ("model/parameters", 1.0),
    "multiply_adds": ("model/multiply_adds", 1.0),
    "latency/p50": ("predict/milliseconds", 1e3),
}

Piece = dict[str, Value]  # the dotted keys of one top-level key of a configuration; records share it


@dataclass(frozen=True, slots=True)
class Record:
    """One run.

    Attributes:
        facts: see `FACTS`; one that is not known is None, and `folder` is relative to the folder that was searched.
        choices: the option of each group: {"model": "lstm", "data": "mnist", ...}.
        metrics: the final figures, by name; those that a comparison measured among them.
        config: the configuration, by the first part of its dotted keys.
        overrides: as they were typed.
    """

    facts: dict[str, Value]
    choices: dict[str, Value]
    metrics: dict[str, float]
    config: dict[str, Piece]
    overrides: tuple[str, ...] = ()

    def get(self, key: str) -> Value:
        """A fact, an option, a figure, or a value of the configuration; None where there is none."""
        if "/" not in key and (value := self.facts.get(key, self.choices.get(key))) is not None:
            return value
        if (figure := self.metrics.get(key)) is not None:
            return figure
        piece = self.config.get(key.partition(".")[0])
        return piece.get(key) if piece else None

    def settings(self) -> Iterator[tuple[str, Value]]:
        """The options, then the configuration, by key."""
        yield from self.choices.items()
        for piece in self.config.values():
            yield from piece.items()

    @property
    def folder(self) -> str:
        return str(self.facts["folder"])

    @property
    def status(self) -> str:
        """One of `STATUSES`."""
        return str(self.facts["status"])

    @property
    def completed(self) -> bool:
        return self.facts["status"] == "completed"


def read_record(folder: str | Path, name: str = "", files: Collection[str] | None = None) -> Record:
    """The record of a run folder; what is missing or was cut short is left out.

    Args:
        folder: where it is.
        name: what `folder` is called in the record; "" as it is given.
        files: the names that it holds, where they are known already.
    """
    at = os.fspath(folder)
    files = {entry.name for entry in os.scandir(at)} if files is None else files
    status, environment = read_object(at, "status.json", files), read_object(at, "environment.json", files)
    config = config_of(read_text(f"{at}/{CONFIG}", CONFIGURATION)) if ".hydra" in files else {}
    hydra = read_text(f"{at}/.hydra/hydra.yaml", CONFIGURATION) if ".hydra" in files else ""
    choices = _choices(environment.get("choices"), hydra, config)
    git = environment.get("git") or {}
    facts: dict[str, Value] = {
        "folder": name or at,
        "verb": _verb(hydra, at, files),
        "status": state_of(at, status.get("status") or "unknown"),
        "name": _name(config, choices, at),
        "started": status.get("started"),
        "seconds": status.get("seconds"),
        "commit": git.get("commit"),
        "dirty": git.get("dirty"),
        "tags": _plain(environment.get("tags")),
        "error": status.get("error"),
    }
    overrides = environment.get("overrides") or []
    return Record(facts, choices, _metrics(at, files), config, tuple(map(str, overrides)))


def state_of(folder: str, status: Value) -> Value:
    """The status, but killed where the record says running, and no process holds the lock of the folder."""
    return "killed" if status == "running" and Lock(Path(folder) / LOCK).holder() is None else status


def config_of(text: str) -> dict[str, Piece]:
    """The configuration in a config.yaml, by the first part of its keys."""
    return {piece_name(piece): _shared(piece) for piece in pieces(text)}


def read_text(path: str, most: int) -> str:
    """A small file; "" where it cannot be read, or has more than so many bytes."""
    try:
        return read_bounded(path, most).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def read_object(folder: str, name: str, files: Collection[str]) -> dict[str, Any]:
    """A JSON file; {} where it is missing, was cut short, is too large or holds no object."""
    if name not in files:
        return {}
    try:
        found = json.loads(read_text(f"{folder}/{name}", JSON))
    except (ValueError, RecursionError):
        return {}
    return entries_of(found)


@lru_cache(maxsize=100_000)
def _shared(piece: str) -> Piece:
    return flat_piece(piece)


@lru_cache(maxsize=10_000)
def _chosen(text: str) -> dict[str, Value]:
    found = flat_piece(f"choices:\n{text}")
    named = {key.removeprefix("choices."): value for key, value in found.items()}
    return {key: value for key, value in named.items() if "/" not in key}


def _choices(recorded: Any, hydra: str, config: Mapping[str, Piece]) -> dict[str, Value]:
    """The option of each group, as the run recorded it, or as Hydra did; else what the run is made of."""
    if isinstance(recorded, dict) and recorded:
        return {str(group): _plain(option) for group, option in recorded.items() if "/" not in str(group)}
    if match := CHOICES.search(hydra):
        return _chosen(match[1])
    found = {group: config[group].get(f"{group}.name") for group in ("model", "data") if group in config}
    if found.get("model") == "sequence_classifier":
        found["model"] = config["model"].get("model.recurrence")
    return found


def _verb(hydra: str, folder: str, files: Collection[str]) -> Value:
    """The verb that made a run; where Hydra's record is missing, from the path, or what a training leaves."""
    if match := JOB.search(hydra):
        return match[1]
    parts = Path(folder).absolute().parts
    at = next((i for i in range(len(parts) - 1, 0, -1) if parts[i] in ("runs", "multiruns")), 0)
    if at and parts[at - 1] in VERBS:
        return parts[at - 1]
    return "train" if {"checkpoints", "metrics.csv"} & set(files) else None


def _name(config: Mapping[str, Piece], choices: Mapping[str, Value], folder: str) -> Value:
    name = config.get("name", {}).get("name")
    if not isinstance(name, str):
        return Path(folder).name
    return CHOICE.sub(lambda match: str(choices.get(match[1], match[0])), name)


def _metrics(folder: str, files: Collection[str]) -> dict[str, float]:
    found = figures_of(read_object(folder, "metrics.json", files))
    costs = figures_of(read_object(folder, "costs.json", files))
    for cost, (figure, factor) in OF_COSTS.items():
        if cost in costs:
            found.setdefault(figure, costs[cost] * factor)
    if "train/seconds" in found and os.path.isdir(f"{folder}/.hydra/resume"):  # noqa: PTH112  # a Path is slow
        rows = read_epochs(Path(folder) / "metrics.csv")  # metrics.json counts the epochs since the resume alone
        found["train/seconds"] = sum(float(row.get("seconds") or 0) for row in rows) or found["train/seconds"]
    return found


def _plain(value: Any) -> Value:
    """A value of a JSON file as a configuration shows it."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(map(str, value))}]" if value else None
    return value if value is None or isinstance(value, (str, int, float, bool)) else json.dumps(value)
