"""The table at the end of a sweep, read from the folders of its jobs, and the exit code that follows from it."""

import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.messages import EXIT_FAILURE
from rnnvision.runs.folder import read_json

FIGURES = ("val/accuracy", "test/accuracy", "train/seconds")


class SweepTable(Callback):
    """Hydra calls this; it works with every launcher, since it looks at nothing but files."""

    def __init__(self) -> None:
        self._started = time.time()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._started = time.time()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        jobs = [job for job in _jobs(folder) if job["started"] >= self._started - 1]  # a reused folder has older ones
        print(f"\n{_table(jobs)}\n\nresults   {folder}", flush=True)
        failed = [job for job in jobs if job["status"] != "completed"]
        if failed:
            print(f"{len(failed)} of {len(jobs)} jobs failed", file=sys.stderr)
            raise SystemExit(EXIT_FAILURE)


def _jobs(folder: Path) -> list[dict[str, Any]]:
    jobs = []
    for path in folder.rglob("status.json"):
        status, metrics = read_json(path), read_json(path.parent / "metrics.json")
        said = path.parent / ".hydra" / "overrides.yaml"
        overrides: Any = OmegaConf.load(said) if said.is_file() else []
        jobs.append(
            {
                "job": str(path.parent.relative_to(folder)),
                "status": status.get("status", "unknown"),
                "error": status.get("error"),
                "started": datetime.fromisoformat(status["started"]).timestamp() if "started" in status else 0.0,
                "overrides": " ".join(map(str, overrides)),
                **{name: metrics.get(name) for name in FIGURES},
            }
        )
    return sorted(jobs, key=lambda job: (len(job["job"]), job["job"]))


def _table(jobs: list[dict[str, Any]]) -> str:
    header = ["job", "status", *FIGURES, "overrides"]
    rows = [[_cell(job[column]) for column in header] for job in jobs]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]]
    for job, index in zip(jobs, range(1, len(lines)), strict=True):
        if job["error"]:
            lines[index] += f"  <- {job['error']}"
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
