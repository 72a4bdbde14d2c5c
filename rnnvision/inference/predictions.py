"""Predictions: what a network answered to pictures, as rows, CSV, JSON lines, Parquet or a data frame."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rnnvision.checks import counted, one_line
from rnnvision.errors import UsageError

if TYPE_CHECKING:
    import pandas
    from torch import Tensor


@dataclass(frozen=True)
class Answer:
    """The answer to one picture.

    Attributes:
        image: its path, or number.
        ranking: (label, probability), likeliest first; empty where it could not be read.
        error: why it could not be read, without its path, or None.
        tokens: how many were read, where reading ends when the network is sure.
        values: of every class, in the order of the class names, or features; where they were asked for.
        inverted: whether light and dark were exchanged before it was read.
        looks_inverted: whether it was read as it is, with a light border, where the network knows a dark background.
    """

    image: str
    ranking: tuple[tuple[str, float], ...] = ()
    error: str | None = None
    tokens: int | None = None
    values: tuple[float, ...] | None = None
    inverted: bool = False
    looks_inverted: bool = False

    def as_line(self) -> str:
        """`path: label 0.98, label 0.01`, or `path: not read: the reason`; what would break the line is escaped."""
        name = one_line(self.image)
        if self.error is not None:
            return f"{name}: not read: {one_line(self.error)}"
        said = ", ".join(f"{one_line(label)} {probability:.2f}" for label, probability in self.ranking)
        after = f" (after {counted(self.tokens, 'token')})" if self.tokens is not None else ""
        return f"{name}: {said}{after}"

    def labels(self) -> list[dict[str, Any]]:
        """[{"label": name, "score": probability}], likeliest first."""
        return as_labels(self.ranking)

    def as_object(self) -> dict[str, Any]:
        """For JSON: image, answers [{label, score}], and what else there is."""
        found: dict[str, Any] = {"image": self.image}
        if self.error is not None:
            return found | {"error": self.error}
        found["answers"] = self.labels()
        found |= {"tokens": self.tokens} if self.tokens is not None else {}
        found |= {"inverted": True} if self.inverted else {}
        return found | ({"values": list(self.values)} if self.values is not None else {})


def as_labels(ranking: Iterable[tuple[str, float]]) -> list[dict[str, Any]]:
    """[{"label": name, "score": probability}], in the order of a ranking."""
    return [{"label": label, "score": score} for label, score in ranking]


def ranked(probabilities: "Tensor", names: Sequence[str], top_k: int) -> list[tuple[tuple[str, float], ...]]:
    """The likeliest classes of each image, best first: (B, K) -> B times (label, probability)."""
    scores, classes = probabilities.topk(min(top_k, len(names)))
    pairs = zip(classes.tolist(), scores.tolist(), strict=True)
    return [tuple((names[c], s) for c, s in zip(cs, ss, strict=True)) for cs, ss in pairs]


class Table:
    """The columns of a table of answers: image, label, score, label_2, score_2 ..., tokens, one a value, error.

    `kinds` are the types of their values.

    Args:
        top_k: how many labels a row has.
        values: the names of the values, if there are some.
        tokens: whether there is a column for the number of tokens.
    """

    def __init__(self, top_k: int, values: Sequence[str] = (), *, tokens: bool = False) -> None:
        self.values, self.top_k, self.tokens = tuple(values), top_k, tokens
        ranked = [f"{name}{'' if k == 1 else f'_{k}'}" for k in range(1, top_k + 1) for name in ("label", "score")]
        self.columns = ("image", *ranked, *(("tokens",) if tokens else ()), *self.values, "error")
        count = (int,) if tokens else ()
        self.kinds = (str, *(str, float) * top_k, *count, *(float,) * len(self.values), str)  # of a value, if not None

    def row(self, answer: Answer) -> list[Any]:
        """The values of an answer in the order of the columns, None where there is none."""
        ranked: list[Any] = [part for pair in answer.ranking[: self.top_k] for part in pair]
        ranked += [None] * (2 * self.top_k - len(ranked))
        tokens = [answer.tokens] if self.tokens else []
        values = [None] * len(self.values) if answer.values is None else list(answer.values)
        return [answer.image, *ranked, *tokens, *values, answer.error]


class Predictions(Sequence[Answer]):
    """The answers to several pictures.

    Examples:
        >>> found = Predictions([Answer("a.png", (("7", 0.75), ("9", 0.25)))], top_k=2)
        >>> print(found[0].as_line())
        a.png: 7 0.75, 9 0.25
        >>> print(found.to_csv().strip())
        image,label,score,label_2,score_2,error
        a.png,7,0.75,9,0.25,
    """

    def __init__(self, answers: Iterable[Answer], top_k: int, values: Sequence[str] = ()) -> None:
        self.answers = tuple(answers)
        self.table = Table(top_k, values, tokens=any(a.tokens is not None for a in self.answers))

    def __len__(self) -> int:
        return len(self.answers)

    def __getitem__(self, index: Any) -> Any:
        return self.answers[index]

    def __repr__(self) -> str:
        lines = [answer.as_line() for answer in self.answers[:10]]
        return "\n".join([*lines, *([f"... {len(self) - 10} more"] if len(self) > 10 else [])])

    def rows(self) -> Iterator[dict[str, Any]]:
        """One mapping a picture, from column to value."""
        return (dict(zip(self.table.columns, self.table.row(answer), strict=True)) for answer in self.answers)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The table as CSV, written to `path` if there is one."""
        text = io.StringIO()
        write_csv(text, self.table, self.answers)
        return _kept(text.getvalue(), path)

    def to_json(self, path: str | Path | None = None) -> str:
        """One JSON object a line."""
        return _kept("".join(f"{json_line(answer)}\n" for answer in self.answers), path)

    def to_parquet(self, path: str | Path) -> None:
        """A Parquet file. Needs pyarrow.

        Raises:
            UsageError: if it is not installed.
        """
        write_parquet(path, self.table, self.answers)

    def to_pandas(self) -> "pandas.DataFrame":
        """A data frame; bytes of a path that no encoding has are `\\udcXX`. Needs pandas.

        Raises:
            UsageError: if it is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise UsageError("pandas is not installed; try: pip install pandas") from error
        rows = [[_encodable(value) for value in self.table.row(answer)] for answer in self.answers]
        return pandas.DataFrame(rows, columns=list(self.table.columns))


def write_csv(file: TextIO, table: Table, answers: Iterable[Answer]) -> None:
    """Write a header and a row an answer, each as it comes."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(map(table.row, answers))


def json_line(answer: Answer) -> str:
    """An answer on one line of JSON; bytes of a path that no encoding has are `\\udcXX`, which `os.fsencode` takes."""
    line = json.dumps(answer.as_object(), ensure_ascii=False)
    return line.encode("utf-8", "backslashreplace").decode()


def write_parquet(path: str | Path, table: Table, answers: Iterable[Answer]) -> None:
    """Write a Parquet file, with a number as a number; bytes of a path that no encoding has are `\\udcXX`.

    Raises:
        UsageError: if pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError('pyarrow is not installed; try: pip install "rnnvision[tables]", or write .csv') from error
    rows = [table.row(answer) for answer in answers]
    columns = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    types = {str: pyarrow.string(), float: pyarrow.float32(), int: pyarrow.int32()}
    found = {
        name: pyarrow.array([_encodable(value) for value in values], types[kind])
        for name, kind, values in zip(table.columns, table.kinds, columns, strict=True)
    }
    with Path(path).open("wb") as file:
        parquet.write_table(pyarrow.table(found), file)


def _encodable(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _kept(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8", errors="surrogateescape")
    return text
