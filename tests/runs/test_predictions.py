"""predictions.csv: what is written is read again, and another table or a damaged one is told."""

import os
from pathlib import Path

import pytest

from rnnvision.runs import Prediction, read_predictions, write_predictions
from rnnvision.runs.predictions import FILE

ROWS = [
    Prediction("a/1.png", "cat", "dog", 0.1 + 0.2, 1e-12, 3),
    Prediction('b, "c".png', "two\nlines", "<script>", 1.0, 0.0, None),
    Prediction(os.fsdecode(b"caf\xe9.png"), "é, 漢", "é, 漢", 0.5, 0.6931471805599453, 28),
]


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    path = write_predictions(tmp_path, iter(ROWS))
    assert path == tmp_path / FILE
    assert read_predictions(tmp_path) == ROWS
    assert [row.right for row in ROWS] == [False, False, True]
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_predictions(tmp_path, ROWS)

    def rows() -> object:
        yield ROWS[0]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        write_predictions(tmp_path, rows())  # type: ignore[arg-type]
    assert read_predictions(tmp_path) == ROWS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "its columns are not image, truth, answer, probability, loss, settled"),
        ("image,label\n1,2\n", "its columns are not image, truth"),
        ("image,truth,answer,probability,loss,settled\n1,a,b,0.5,0.1,2\n2,a,b,0.\n", "line 3 is damaged"),
        ("image,truth,answer,probability,loss,settled\n1,a,b,0.5,0.1,x\n", "line 2 is damaged"),
        ("image,truth,answer,probability,loss,settled\n1,a,b,0.5,0.1,0\n", "0 is no number of tokens"),
        ("image,truth,answer,probability,loss,settled\n1,a,b,0.5,0.1\n", "line 2 is damaged"),
        ("image,truth,answer,probability,loss,settled\n1,a,b,nan,nan,3\n", "nan is no probability"),
    ],
)
def test_another_table_and_a_damaged_one_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_predictions(tmp_path)
    assert str(error.value).startswith(str(tmp_path / FILE))


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_predictions(tmp_path)
