"""The run log: metrics.csv with one row per epoch, printed as a line too, and summary.csv of the whole run."""

import csv
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from rnnvision.atomic import whole
from rnnvision.checks import table_cell
from rnnvision.errors import UsageError
from rnnvision.regular import EPOCHS, open_table


class RunLog(Logger):
    """Write metrics.csv into a folder; a resumed run continues the existing file.

    Lightning's CSVLogger writes validation and training metrics into separate rows and starts the file anew when a run
    is resumed.

    Args:
        save_dir: the run folder.
        echo: print each row when it is complete.
    """

    def __init__(self, save_dir: str, echo: bool = True) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self.echo = echo
        self._rows: dict[int, dict[str, Any]] = {}
        self._summary: dict[str, Any] = {}
        self._started = time.monotonic()
        self._before = 0.0  # seconds of the epoch that another process has begun
        if self.path.is_file():
            try:
                self._read()
            except (ValueError, csv.Error) as error:
                raise UsageError(
                    f"{self.path}: is no table of epochs, or is damaged ({error}); put back what was there, or remove "
                    f"it: the run goes on, and the figures of the epochs so far are gone"
                ) from error

    def _read(self) -> None:
        with open_table(self.path, EPOCHS) as file:
            rows = list(csv.DictReader(file))
        wrong = ""
        for number, row in enumerate(rows, 2):
            try:
                if None in row or None in row.values():
                    raise ValueError("has another number of values than the first line")
                numbers: dict[str, Any] = {name: float(value) for name, value in row.items() if value}
                step, epoch = int(row["step"]), int(row["epoch"])
                self._rows[step] = {**numbers, "step": step, "epoch": epoch}
            except (ValueError, KeyError) as error:
                wrong = f"line {number}: {error}"
        if wrong and not self._rows:
            raise ValueError(wrong)
        if wrong:
            self._tell(f"note      {self.path.name} is damaged, the epochs that can be read stay: {wrong}")

    @rank_zero_only
    def _tell(self, line: str) -> None:
        print(line, flush=True)

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> int:
        return 0

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Begin summary.csv beside metrics.csv: a row for each parameter."""
        self._summary = dict(params)
        self.log_summary({})

    @rank_zero_only
    def log_summary(self, figures: Mapping[str, Any]) -> None:
        """Add rows to summary.csv: what is known of the whole run."""
        self._summary |= figures
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole(self.path.with_name("summary.csv")) as file:
            writer = csv.writer(file)
            writer.writerow(("name", "value"))
            # true, false, null as in a configuration
            words = {True: "true", False: "false", None: "null"}
            rows = ((name, words[v] if isinstance(v, bool | None) else v) for name, v in self._summary.items())
            writer.writerows(map(table_cell, row) for row in rows)

    @rank_zero_only
    def log_graph(self, *args: Any, **kwargs: Any) -> None:
        """Only restart the clock: Lightning calls this as training begins, perhaps long after the logger was made."""
        self._started, self._before = time.monotonic() - self._before, 0.0

    @property
    def seconds(self) -> float:
        """Of the epoch that runs, so far; what passed between two processes does not count."""
        return round(time.monotonic() - self._started, 3)

    def rows_of(self, epoch: int, ended: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The rows of an epoch, with the figures that are about to be logged where it has just `ended`."""
        rows = {step: row for step, row in self._rows.items() if row["epoch"] == epoch}
        if ended is not None:
            step = ended["step"]
            rows[step] = {"epoch": epoch, **rows.get(step, {}), **ended, "seconds": self.seconds}
        return [dict(rows[step]) for step in sorted(rows)]

    @rank_zero_only
    def go_back_to(self, epoch: int, rows: Sequence[Mapping[str, Any]] = (), seconds: float = 0.0) -> None:
        """Let `rows` take the place of all rows of this epoch and of later ones, which a resumed training repeats.

        `seconds` are those of the epoch that passed before.
        """
        kept = {step: row for step, row in self._rows.items() if row["epoch"] < epoch}
        self._rows = kept | {int(row["step"]): dict(row) for row in rows}
        self._before = seconds
        if self._rows or self.path.is_file():
            self._write()

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if "epoch" not in metrics:  # of a LearningRateMonitor, for other loggers
            return
        epoch = int(metrics["epoch"])
        row = self._rows.setdefault(step or 0, {"epoch": epoch, "step": step or 0})
        row.update({name: value for name, value in metrics.items() if name != "epoch"})
        if "train/loss" in metrics:  # the last metrics that Lightning reports of an epoch
            row["seconds"], self._started = self.seconds, time.monotonic()
            self._write()
            if self.echo:
                print(_line(row), flush=True)

    def _write(self) -> None:
        columns = dict.fromkeys(name for row in self._rows.values() for name in row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole(self.path) as file:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(self._rows[step] for step in sorted(self._rows))


def _line(row: dict[str, Any]) -> str:
    figures = [f"epoch {row['epoch'] + 1:3d}"]
    for stage in ("train", "val"):
        if f"{stage}/loss" in row:
            accuracy = f" accuracy {row[f'{stage}/accuracy']:.4f}" if f"{stage}/accuracy" in row else ""
            figures.append(f"{stage} loss {row[f'{stage}/loss']:.4f}{accuracy}")
    return "   ".join([*figures, f"{row['seconds']:.1f} s"])
