"""Lines about a score: its figures, and the files it leaves out; and printing that ends no run."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from rnnvision.checks import counted
from rnnvision.runs import Prediction, RunFolder, is_first_process, write_predictions

if TYPE_CHECKING:
    from rnnvision.data import ImageData
    from rnnvision.training import Learner


def score_line(metrics: dict[str, float], split: str = "test") -> str:
    """The figures of a split on one line, accuracy first, with the number of images that they are of."""
    figures = {k.removeprefix(f"{split}/"): v for k, v in metrics.items() if k.startswith(f"{split}/")}
    first = f"{split} accuracy {figures.pop('accuracy'):.4f} on {figures.pop('images'):,.0f} images"
    return "   ".join([first, *(f"{name} {value:.4f}" for name, value in sorted(figures.items()))])


def keep_answers(learner: "Learner", data: "ImageData", run: RunFolder) -> None:
    """Write predictions.csv: what the test that has just ended found of each image, with probabilities as predict's."""
    if not is_first_process():
        return
    names, samples = data.class_names, data.splits.parts()[data.tested_split]
    root = f"{data.splits.root}{os.sep}"
    rows = (
        Prediction(
            samples.name(i).removeprefix(root), names[a.truth], names[a.answer], a.probability, a.loss, a.settled
        )
        for i, a in enumerate(learner.scores.answers)
    )
    write_predictions(run.path, rows)


def list_skipped(skipped: list[str], run: RunFolder) -> None:
    """Beside a score: which files it leaves out."""
    if skipped:
        lines = "".join(f"{reason}\n" for reason in skipped)
        # Names of files may be bytes that no encoding has; they are written as they are.
        (run.path / "skipped_files.txt").write_text(lines, encoding="utf-8", errors="surrogateescape")
        shown = "".join(f"\n            {reason}" for reason in skipped)
        print(f"skipped     {counted(len(skipped), 'file')}, also in skipped_files.txt:{shown}")


@contextmanager
def unfailing_output() -> Iterator[None]:
    """Within, nothing that is printed raises an error: a run does not end because nobody reads what it says."""
    before = sys.stdout
    sys.stdout = cast(TextIO, _Unfailing(before))
    try:
        yield
    finally:
        sys.stdout = before


class _Unfailing:
    """A stream that escapes what its encoding lacks, and is silent once its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_closed = False  # nobody reads any more

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            return self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except OSError:
            self._leave()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def _leave(self) -> None:
        """Let what is still to be written go nowhere: at its end Python would fail to write it."""
        self.is_closed = True
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
