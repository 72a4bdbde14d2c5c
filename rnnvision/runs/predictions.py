"""predictions.csv: what a network answered to each image of a split, written and read."""

import csv
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from rnnvision.atomic import whole
from rnnvision.checks import MOST
from rnnvision.regular import PREDICTIONS, open_table

FILE = "predictions.csv"
MOST_ROWS = 2_000_000  # a row of a few letters takes twenty times as much memory


@dataclass(frozen=True)
class Prediction:
    """One row.

    Attributes:
        image: its path below the root of the data, or its index in the split.
        truth, answer: names of classes.
        probability: of the answer.
        loss: -log of the probability of the truth, in nats.
        settled: the number of tokens (of an encoder-decoder: glimpses) after which the answer stayed the same; None
            where one pass does not tell.
    """

    image: str
    truth: str
    answer: str
    probability: float
    loss: float
    settled: int | None

    @property
    def right(self) -> bool:
        return self.truth == self.answer


COLUMNS = tuple(f.name for f in fields(Prediction))


def write_predictions(folder: Path, rows: Iterable[Prediction]) -> Path:
    """Write predictions.csv into a run folder, all of it or nothing."""
    path = folder / FILE
    with whole(path) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(astuple(row) for row in rows)
    return path


def read_predictions(folder: Path) -> list[Prediction]:
    """The rows of a run folder's predictions.csv.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: that begins with the path, if it is no file, too large, another table, was cut within a row, or
            holds what is no answer.
    """
    path = folder / FILE
    try:
        with open_table(path, PREDICTIONS, errors="surrogateescape") as file:
            return _rows(csv.DictReader(file))
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}") from error


def _rows(rows: "csv.DictReader[str]") -> list[Prediction]:
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise ValueError(f"its columns are not {', '.join(COLUMNS)}")
    found = []
    try:
        for row in rows:
            found.append(_prediction(row))
            if len(found) > MOST_ROWS:
                raise ValueError(f"more than {MOST_ROWS:,} images")
    except (TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"line {rows.line_num} is damaged ({error})") from error
    return found


def _prediction(row: dict[str, str]) -> Prediction:
    return Prediction(
        row["image"],
        row["truth"],
        row["answer"],
        _probability(row["probability"]),
        float(row["loss"]),
        None if row["settled"] == "" else _tokens(row["settled"]),
    )


def _tokens(text: str) -> int:
    count = int(text)
    if not 1 <= count <= MOST:
        raise ValueError(f"{text} is no number of tokens")
    return count


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:  # NaN, of a network that has diverged
        raise ValueError(f"{text} is no probability")
    return value
