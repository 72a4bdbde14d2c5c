"""The table at the end of a sweep, read from the folders of its jobs, and the exit code that follows from it."""

import sys
import time
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rnnvision.checks import counted
from rnnvision.runs import Run, find_runs

FIGURES = ("val/accuracy", "test/accuracy", "train/seconds")


class SweepTable(Callback):
    """Hydra calls this; it works with every launcher, since it looks at nothing but files."""

    started = 0.0  # of the process, which makes one sweep

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        SweepTable.started = time.time()

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        jobs = print_table(Path(config.hydra.sweep.dir))
        failed = [run for run in jobs if not run.completed]
        if failed:
            print(f"{len(failed)} of {counted(len(jobs), 'job')} failed", file=sys.stderr)
            raise SystemExit(1)


def print_table(folder: Path) -> list[Run]:
    """Print the table of the jobs that have begun, at the end of the sweep or where it is interrupted; return them."""
    jobs = [run for run in find_runs(folder) if run.started >= SweepTable.started - 1]  # a reused folder has older ones
    print(f"\n{_table(folder, jobs)}\n\nresults   {folder}", flush=True)
    return jobs


def _table(folder: Path, jobs: list[Run]) -> str:
    rows = [["job", "status", *FIGURES, "overrides"]]
    for run in jobs:
        figures = [_cell(run.metrics.get(name)) for name in FIGURES]
        rows.append([str(run.path.relative_to(folder)), run.state or "unknown", *figures, " ".join(run.overrides)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    errors = ["", *(f"  <- {run.error}" if run.error else "" for run in jobs)]
    return "\n".join(f"{line}{error}".rstrip() for line, error in zip(lines, errors, strict=True))


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
