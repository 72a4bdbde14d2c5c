"""A score: its figures on a line, its answers and classes in files; and printing that ends no run."""

import csv
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

from rnnvision.atomic import whole
from rnnvision.checks import counted, one_line, table_cell
from rnnvision.errors import FailureError
from rnnvision.runs import Prediction, RunFolder, is_first_process, write_predictions

if TYPE_CHECKING:
    from rnnvision.data import ImageData
    from rnnvision.training import Learner

CLASSES = "classes.csv"


def score_line(metrics: dict[str, float], split: str = "test") -> str:
    """The figures of a split on one line, accuracy first, with the number of images that they are of."""
    figures = {k.removeprefix(f"{split}/"): v for k, v in metrics.items() if k.startswith(f"{split}/")}
    first = f"{split} accuracy {figures.pop('accuracy'):.4f} on {figures.pop('images'):,.0f} images"
    return "   ".join([first, *(f"{name} {value:.4f}" for name, value in sorted(figures.items()))])


def keep_answers(learner: "Learner", data: "ImageData", run: RunFolder) -> list[Prediction]:
    """Write what the test that has just ended found: predictions.csv, a row an image, and classes.csv, a row a class.

    Probabilities are those of predict. Returns the rows of predictions.csv.
    """
    names, samples = data.class_names, data.splits[data.tested_split]
    root = f"{data.known.root}{os.sep}"
    rows = [
        Prediction(
            samples.name(i).removeprefix(root), names[a.truth], names[a.answer], a.probability, a.loss, a.settled
        )
        for i, a in enumerate(learner.scores.answers)
    ]
    if is_first_process():
        write_predictions(run.path, rows)
        _write_classes(run.path / CLASSES, rows, names)
    return rows


def _write_classes(path: Path, rows: Sequence[Prediction], names: Sequence[str]) -> None:
    from rnnvision.insight.classes import class_scores

    truth, answers = [row.truth for row in rows], [row.answer for row in rows]
    with whole(path) as file:
        writer = csv.writer(file)
        writer.writerow(("class", "precision", "recall", "f1", "support"))
        for score in class_scores(truth, answers, names):
            writer.writerow((table_cell(score.name), score.precision, score.recall, score.f1, score.support))


def confused_line(rows: Sequence[Prediction], most: int = 5) -> str:
    """The pairs of classes that are confused most often, on one line: `4 -> 9: 12 of 982, ...`."""
    from rnnvision.insight.classes import most_confused

    truth = [row.truth for row in rows]
    support = Counter(truth)
    pairs = most_confused(truth, [row.answer for row in rows], most)
    return ", ".join(
        f"{one_line(p.truth)} -> {one_line(p.answer)}: {p.count:,} of {support[str(p.truth)]:,}" for p in pairs
    )


def class_lines(rows: Sequence[Prediction], names: Sequence[str], most: int = 10) -> list[str]:
    """How well the classes that have images are found, a line each, the weakest first: those with the lowest F1."""
    from rnnvision.insight.classes import class_scores

    found = [s for s in class_scores([r.truth for r in rows], [r.answer for r in rows], names) if s.support]
    weakest = sorted(found, key=lambda score: score.f1)[:most]
    width = max((len(one_line(score.name)) for score in weakest), default=0)
    lines = [
        f"{one_line(s.name):{width}}   precision {s.precision:.3f}   recall {s.recall:.3f}   f1 {s.f1:.3f}   "
        f"of {s.support:,}"
        for s in weakest
    ]
    return [*lines, *([f"... {len(found) - most:,} more, in {CLASSES}"] if len(found) > most else [])]


def results_line(run: RunFolder) -> str:
    """Where the results of a test are, and what lies there."""
    return f"{run.shown()}: predictions.csv, {CLASSES}"


def list_skipped(skipped: list[str], run: RunFolder) -> None:
    """Beside a score: which files it leaves out."""
    if skipped:
        lines = "".join(f"{reason}\n" for reason in skipped)
        with whole(run.path / "skipped_files.txt") as file:
            file.write(lines)
        shown = "".join(f"\n            {reason}" for reason in skipped)
        print(f"skipped     {counted(len(skipped), 'file')}, also in skipped_files.txt:{shown}")


@contextmanager
def unfailing_output() -> Iterator["Unfailing"]:
    """Within, nothing that is printed raises an error: a run does not end because nobody reads what it says."""
    before, stream = sys.stdout, Unfailing(sys.stdout)
    sys.stdout = cast(TextIO, stream)
    try:
        yield stream
    finally:
        sys.stdout = before


def require_written() -> None:
    """Refuse to end well where what was printed is all that a command is for, and is lost on a full disk.

    Raises:
        FailureError: with the reason.
    """
    sys.stdout.flush()
    if reason := getattr(sys.stdout, "failure", None):
        raise FailureError(f"standard output cannot be written ({reason})")


class Unfailing:
    """A stream that escapes what its encoding lacks, and is silent once its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_closed = False  # nobody reads any more
        self.failure: str | None = None  # why what was printed is lost, where somebody would have read it

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError as error:
            self._leave(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._leave(error)

    def _leave(self, error: OSError) -> None:
        """Let what is still to be written go nowhere: at its end Python would fail to write it."""
        self.is_closed = True
        self.failure = self.failure or (None if isinstance(error, BrokenPipeError) else error.strerror)
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
