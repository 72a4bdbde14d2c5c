"""Tables of answers: what is written comes back as it was, whatever names of classes and files hold."""

import csv
import io
import json
import os
from pathlib import Path

import pandas
import pytest
from pyarrow import parquet

from rnnvision.inference import Answer, Predictions
from tests.inference.cases import images, make_classifier

NAMES = (
    'a, "quoted" name',
    "two\nlines",
    "<script>alert(1)</script>",
    "=1+1",
    "label",
    "Ä 漢 🐈",
    "image",
    "error",
    "'",
)
BAD_NAME = os.fsdecode(b"caf\xe9.png")  # Latin-1, which is no UTF-8
ANSWERS = (
    Answer("a, b.png", tuple((name, 0.5 / (i + 1)) for i, name in enumerate(NAMES))),
    Answer(BAD_NAME, ((NAMES[1], 0.123456789), (NAMES[0], 1e-9))),
    Answer("text.png", error="cannot be read as an image (its content is none)"),
    Answer("é\n.png", ((NAMES[2], 1.0),), inverted=True),
)
FOUND = Predictions(ANSWERS, top_k=3)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_comes_back_as_it_was(tmp_path: Path) -> None:
    text = FOUND.to_csv(tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text(encoding="utf-8", errors="surrogateescape") == text
    assert b"caf\xe9.png" in (tmp_path / "a.csv").read_bytes()  # the name of the file as it is
    rows = rows_of(text)
    assert list(rows[0]) == ["image", "label", "score", "label_2", "score_2", "label_3", "score_3", "error"]
    for row, answer in zip(rows, ANSWERS, strict=True):
        assert row["image"] == answer.image
        assert row["error"] == (answer.error or "")
        ranked = [(row[f"label{k}"], row[f"score{k}"]) for k in ("", "_2", "_3")]
        assert [(label, float(score)) for label, score in ranked if label] == list(answer.ranking[:3])


def test_json_lines_come_back_as_they_were(tmp_path: Path) -> None:
    lines = FOUND.to_json(tmp_path / "a.jsonl").splitlines()
    assert (tmp_path / "a.jsonl").read_bytes().decode("utf-8").splitlines() == lines
    for line, answer in zip(map(json.loads, lines), ANSWERS, strict=True):
        assert os.fsencode(line["image"]) == os.fsencode(answer.image)
        assert line.get("error") == answer.error
        assert [(a["label"], a["score"]) for a in line.get("answers", [])] == list(answer.ranking)
        assert line.get("inverted", False) == answer.inverted
    assert "tokens" not in lines[0]


def test_parquet_has_numbers_and_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    FOUND.to_parquet(tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert {name: str(table.schema.field(name).type) for name in ("image", "label", "score", "error")} == {
        "image": "string",
        "label": "string",
        "score": "float",
        "error": "string",
    }
    rows = table.to_pylist()
    assert [row["label"] for row in rows] == [answer.ranking[0][0] if answer.ranking else None for answer in ANSWERS]
    assert rows[1]["image"] == "caf\\udce9.png"
    assert rows[1]["score"] == pytest.approx(0.123456789)
    assert rows[3]["label_2"] is None


def test_a_data_frame_has_the_columns_of_the_table() -> None:
    frame = FOUND.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert tuple(frame.columns) == FOUND.table.columns
    assert frame["score"].dtype == float
    assert frame["score_2"].isna().tolist() == [False, False, True, True]


def test_classes_may_have_the_names_of_columns(tmp_path: Path) -> None:
    """Values of a class named label are numbers, in a column of their own."""
    classifier = make_classifier(names=NAMES, temperature=1.4)
    shown = images(classifier, 3)
    for kind in ("probabilities", "logits"):
        found = classifier.predict(shown, top_k=9, values=kind)
        expected = (classifier.probabilities if kind == "probabilities" else classifier.logits)(shown)
        assert len(set(found.table.columns)) == len(found.table.columns)
        found.to_parquet(tmp_path / "a.parquet")
        table = parquet.read_table(tmp_path / "a.parquet")
        for rows in (rows_of(found.to_csv()), table.to_pylist(), list(found.rows())):
            for row, values in zip(rows, expected.tolist(), strict=True):
                assert [float(row[name]) for name in found.table.values] == pytest.approx(values, rel=1e-5)


@pytest.mark.parametrize("answers", [(), (Answer("a.png", error="a.png: there is no such file"),)])
def test_a_table_without_an_answer_has_its_columns(tmp_path: Path, answers: tuple[Answer, ...]) -> None:
    found = Predictions(answers, top_k=2, values=("feature_0",))
    columns = ["image", "label", "score", "label_2", "score_2", "feature_0", "error"]
    found.to_parquet(tmp_path / "a.parquet")
    assert parquet.read_table(tmp_path / "a.parquet").column_names == columns
    assert parquet.read_schema(tmp_path / "a.parquet").field("feature_0").type == "float"
    assert found.to_csv().splitlines()[0].split(",") == list(found.to_pandas().columns) == columns


def test_the_number_of_tokens_has_a_column_where_reading_ends_early() -> None:
    classifier = make_classifier()
    found = classifier.predict(images(classifier, 2), stop_at=0.0, patience=0.0)
    assert [row["tokens"] for row in rows_of(found.to_csv())] == ["1", "1"]
    assert found.to_pandas()["tokens"].tolist() == [1, 1]
    assert found[0].as_line().endswith(" (after 1 token)")


def test_lines_say_what_was_answered_or_why_not() -> None:
    assert ANSWERS[3].as_line() == "é\\n.png: <script>alert(1)</script> 1.00"
    assert ANSWERS[1].as_line() == f"{BAD_NAME}: two\\nlines 0.12, {NAMES[0]} 0.00"
    assert ANSWERS[2].as_line() == "text.png: not read: cannot be read as an image (its content is none)"
    assert repr(Predictions([*ANSWERS[2:3]] * 12, top_k=1)).splitlines()[-1] == "... 2 more"
