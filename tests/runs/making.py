"""Run folders, made by hand: what a training would have left, as far as a table looks at it."""

import json
from pathlib import Path
from typing import Any


def make_run(
    folder: Path,
    *,
    model: str = "lstm",
    seed: int = 0,
    lr: float = 0.001,
    status: str = "completed",
    verb: str = "train",
    started: str = "2026-11-01T10:00:00+00:00",
    **figures: float,
) -> Path:
    """A run of a network on digits; `figures` are those of metrics.json, with _ for /: test_accuracy=0.9."""
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True)
    (hydra / "config.yaml").write_text(
        f"model:\n  recurrence: {model}\n  hidden_size: 128\n  name: sequence_classifier\n"
        f"data:\n  name: digits\n  seed: ${{seed}}\noptimizer:\n  lr: {lr}\n  betas:\n  - 0.9\n  - 0.999\n"
        f"seed: {seed}\nlog_dir: logs\nname: ${{hydra:runtime.choices.model}}_digits\n"
    )
    (hydra / "hydra.yaml").write_text(
        f"hydra:\n  job:\n    name: {verb}\n  runtime:\n    choices:\n      experiment: null\n"
        f"      data: digits\n      model: {model}\n      hydra/launcher: basic\n  verbose: false\n"
    )
    write(folder, "status", {"status": status, "error": None, "started": started, "seconds": 9.5})
    overrides = [f"model={model}", f"optimizer.lr={lr}", f"seed={seed}"]
    write(folder, "environment", {"git": {"commit": "abcdef123", "dirty": False}, "overrides": overrides})
    if figures:
        write(folder, "metrics", {name.replace("_", "/", 1): value for name, value in figures.items()})
    return folder


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    """As a run writes: under another name first."""
    temporary = folder / f".{name}.json.tmp"
    temporary.write_text(json.dumps(content))
    temporary.replace(folder / f"{name}.json")
