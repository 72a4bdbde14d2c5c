"""What a study looks at in the run folders of its trials: metrics by name, and limits of them."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnvision.checks import choose_one
from rnnvision.errors import UsageError
from rnnvision.runs import read_epochs

EPOCHS = ("val/accuracy", "val/loss", "train/accuracy", "train/loss")  # of every epoch, in metrics.csv
METRICS = (  # those of metrics.json that a study may look at
    *EPOCHS,
    *("train/seconds", "train/samples_per_second"),
    *("model/parameters", "model/multiply_adds", "predict/milliseconds"),
)
MORE_IS_BETTER = ("accuracy", "samples_per_second")
CONSTRAINT = re.compile(r"\s*([\w/]+)\s*(<=|>=)\s*(\S+)\s*")


def check_metric(key: str, name: str) -> None:
    """Refuse a name that the metrics.json of a training does not have.

    Raises:
        UsageError: with the names that there are.
    """
    if name in METRICS:
        return
    typed = f"{key}={name}"
    if name.startswith("test/"):
        raise UsageError(
            f"{typed}: what is chosen by the test images can no longer be measured with them; try val/accuracy"
        )
    raise UsageError(f"{typed}: a training has no such metric; {choose_one(name, METRICS)}")


def direction_of(name: str) -> str:
    """maximize or minimize, by the name of a metric.

    Examples:
        >>> direction_of("val/accuracy"), direction_of("model/multiply_adds")
        ('maximize', 'minimize')
    """
    return "maximize" if name.endswith(MORE_IS_BETTER) else "minimize"


@dataclass(frozen=True)
class Constraint:
    """A metric that has to be at most, or at least, a number.

    Examples:
        >>> limit = Constraint.read("model/multiply_adds<=1e6")
        >>> str(limit), limit.violation(1.5e6)
        ('model/multiply_adds<=1e+06', 0.5)
    """

    metric: str
    sign: str
    limit: float

    @classmethod
    def read(cls, text: str) -> "Constraint":
        found = CONSTRAINT.fullmatch(text)
        try:
            limit = float(found[3]) if found else math.nan
        except ValueError:
            limit = math.nan
        if found is None or not math.isfinite(limit):
            how = 'write NAME<=NUMBER or NAME>=NUMBER, as ["model/multiply_adds<=1e6"]'
            raise UsageError(f"constraints: {text}: {how}")
        check_metric("constraints", found[1])
        return cls(found[1], found[2], limit)

    def __str__(self) -> str:
        short = f"{self.limit:g}"
        return f"{self.metric}{self.sign}{short if float(short) == self.limit else self.limit}"

    def violation(self, value: float) -> float:
        """How far a value is beyond the limit, as a share of it; 0 and below is within."""
        beyond = value - self.limit if self.sign == "<=" else self.limit - value
        return beyond / (abs(self.limit) or 1.0)


def figure(metrics: dict[str, Any], name: str) -> float:
    """A metric of a training.

    Raises:
        ValueError: in one line, where it is missing or no finite number.
    """
    value = metrics.get(name)
    if value is None:
        raise ValueError(f"it has no {name}")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"its {name} is {value}")
    return float(value)


def epoch_scores(folder: Path, metric: str) -> Iterator[tuple[int, float]]:
    """(epochs, score) after each epoch that was scored, in order; of an epoch that is being written nothing."""
    for row in read_epochs(folder / "metrics.csv"):
        if row.get(metric):
            yield int(row["epoch"]) + 1, float(row[metric])
