"""rnnvision predict: the answers of evaluate, in every format, from every kind of source; misuse on one line."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

from rnnvision.data import ImageData
from rnnvision.runs import read_predictions
from tests.cli.running import TINY, Copy, Result, Verb
from tests.data.pictures import make_bad_pictures


@pytest.fixture
def predict(verb: Verb) -> Verb:
    def run(*words: str) -> Result:
        return verb("predict", "device=cpu", *words)

    return run


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content))))

    return give


def write_digits(folder: Path, number: int = 8) -> list[str]:
    """The first images of the test split, as PNG files: their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    images = ImageData("digits").splits.test.images[:number, 0]  # type: ignore[attr-defined]
    for i, image in enumerate(images):
        Image.fromarray(image.numpy()).save(folder / f"{i:03}.png")
    return [f"{folder}/{i:03}.png" for i in range(len(images))]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


# Equal to evaluate.


def test_digits_as_png_files_get_the_answers_of_evaluate(trained: Copy, verb: Verb, predict: Verb) -> None:
    trained("run")
    assert verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out").code == 0
    expected = read_predictions(Path("out"))
    write_digits(Path("digits"), 360)
    assert predict("ckpt=run", "source=digits", "output=a.csv", "top_k=10").code == 0
    rows = rows_of(Path("a.csv").read_text())
    assert len(rows) == len(expected) == 360
    for i, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
        assert (row["image"], wanted.image) == (f"digits/{i:03}.png", str(i))
        assert row["label"] == wanted.answer
        assert float(row["score"]) == pytest.approx(wanted.probability, abs=1e-6)
        of_truth = next(
            float(row[f"score_{k}".removesuffix("_1")]) for k in range(1, 11) if _label(row, k) == wanted.truth
        )
        assert -np.log(of_truth) == pytest.approx(wanted.loss, abs=1e-5)


def _label(row: dict[str, str], k: int) -> str:
    return row["label" if k == 1 else f"label_{k}"]


@pytest.mark.parametrize(
    "options",
    [
        ["data.image_size=[8,12]"],
        ["data.image_size=10", "data.fit=letterbox"],
        ["data.image_size=10", "data.crop_ratio=0.7", "data.channels=1"],
        ["data.image_size=16", "data.reduced_scale=true", "data.format=streaming", "data.mean=[0.2,0.3,0.4]"],
    ],
    ids=["two sides", "letterbox", "cropped, grey", "reduced, streamed"],
)
def test_a_folder_gets_the_answers_of_evaluate(verb: Verb, predict: Verb, options: list[str]) -> None:
    """Of a user's own photographs, opened as the training says."""
    for split, number in (("train", 12), ("test", 5)):
        for name, seed in (("cat, big", 0), ("dog", 1)):
            folder = Path("pets", split, name)
            folder.mkdir(parents=True)
            for i in range(number):
                rng = np.random.default_rng([seed, i, number])
                size = (100, 70, 3) if i % 2 else (40, 66, 3)
                pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
                image = Image.fromarray(pixels).resize(size[:2], Image.Resampling.BICUBIC)
                image.save(folder / f"{i}.{'jpg' if i % 2 else 'png'}")
    words = ["data=image_folder", "data.root=pets", "trainer=smoke", "device=cpu", "model.hidden_size=8"]
    assert verb("train", *words, *options, "hydra.run.dir=run").code == 0
    assert verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out").code == 0
    wanted = {row.image: row for row in read_predictions(Path("out"))}
    assert len(wanted) == 10
    assert all(name.startswith("test/") for name in wanted)  # as seen from the root
    words = ["ckpt=run", "source=pets/test", "output=a.csv", "top_k=9", "scores=probabilities"]
    assert predict(*words).code == 0
    rows = rows_of(Path("a.csv").read_text())
    assert {row["image"] for row in rows} == {f"pets/{name}" for name in wanted}
    for row in rows:
        expected = wanted[row["image"].removeprefix("pets/")]
        assert row["label"] == expected.answer
        assert float(row["score"]) == pytest.approx(expected.probability, abs=1e-6)
        assert float(row[f"probability_{expected.truth}"]) == pytest.approx(np.exp(-expected.loss), abs=1e-6)
    assert len({row["score"] for row in rows}) == 10  # else anything would equal anything


# Sources.


def test_every_kind_of_source_gives_the_same_lines(
    trained: Copy, predict: Verb, stdin: Callable[[bytes], None]
) -> None:
    trained("run")
    paths = write_digits(Path("some/digits"), 5)
    Path("some/digits/notes.txt").write_text("no picture")
    found = {}
    for source in ("some", "some/digits", "some/digits/*.png", "some/**/*.png", f"[{','.join(paths)}]"):
        found[source] = predict("ckpt=run", f"source={source}")
    for name, content in {
        "lines": "\n".join(paths).encode(),
        "Windows": "\r\n".join([*paths, "", ""]).encode(),
        "NUL": "".join(f"{path}\0" for path in paths).encode(),
    }.items():
        stdin(content)
        found[name] = predict("ckpt=run", "source=-")
    lines = found["some"].out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == paths
    assert all(len(line.partition(": ")[2].split(", ")) == 3 for line in lines)
    for name, result in found.items():
        assert (result.code, result.err) == (0, ""), name
        assert result.out.splitlines() == lines, name


def test_names_that_hold_signs_of_a_pattern_or_a_new_line_are_names(
    trained: Copy, predict: Verb, stdin: Callable[[bytes], None]
) -> None:
    trained("run")
    one, two = map(Path, write_digits(Path("digits"), 2))
    one.rename("[a]*.png")
    two.rename("b\nc.png")
    assert predict("ckpt=run", "source=[a]*.png").out.startswith("[a]*.png: ")
    stdin(b"[a]*.png\0b\nc.png\0")
    assert [line.partition(": ")[0] for line in predict("ckpt=run", "source=-").out.splitlines()] == [
        "[a]*.png",
        "b\\nc.png",
    ]


def test_the_bytes_of_an_image_are_no_paths(trained: Copy, predict: Verb, stdin: Callable[[bytes], None]) -> None:
    trained("run")
    (picture,) = write_digits(Path("digits"), 1)
    stdin(Path(picture).read_bytes())
    result = predict("ckpt=run", "source=-")
    told = "source=-: standard input holds the bytes of an image; give paths, one a line, or source=FILE"
    assert (result.code, result.message) == (2, f"rnnvision predict: {told}")


def test_without_a_picture_it_is_wrong_use_and_no_file_is_written(
    trained: Copy, predict: Verb, stdin: Callable[[bytes], None]
) -> None:
    trained("run")
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("no picture")
    stdin(b"\n")
    for source, message in {
        "empty": "source=empty: there is no image in this folder",
        "texts": "source=texts: there is no image in this folder, only 1 other file",
        "*.gif": "source=*.gif: no file matches",
        "-": "source=-: there is no path on standard input",
        "": "source=: names no folder or file; give a path, or null",
    }.items():
        result = predict("ckpt=run", f"source={source}", "output=a.jsonl")
        assert (result.code, result.message) == (2, f"rnnvision predict: {message}")
        assert not [*Path().glob("*a.jsonl*"), *Path().glob(".a.jsonl*")]


def test_what_holds_no_picture_does_not_keep_the_others_from_being_classified(trained: Copy, predict: Verb) -> None:
    trained("run")
    (path,) = write_digits(Path("digits"), 1)
    Path("empty").mkdir()
    result = predict("ckpt=run", f"source=[empty,{path},nowhere.png]", "format=csv")
    assert result.code == 1
    assert [row["image"] for row in rows_of(result.out)] == [path, "nowhere.png"]
    assert result.err.splitlines() == [
        "not read  nowhere.png: there is no such file",
        "not read  source=empty: there is no image in this folder",
        "rnnvision predict: 1 image of 2 could not be read",
    ]


def test_every_kind_of_bad_picture_is_listed_and_the_others_are_classified(
    trained: Copy, predict: Verb, stdin: Callable[[bytes], None]
) -> None:
    trained("run")
    made = make_bad_pictures(Path("bad"))
    stdin(b"".join(os.fsencode(file.path) + b"\0" for file in made.values()))
    result = predict("ckpt=run", "source=-", "output=a.jsonl")
    assert result.code == 1, result.err
    lines = [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(lines) == len(made)
    bad = 0
    for line, (kind, file) in zip(lines, made.items(), strict=True):
        assert os.fsencode(line["image"]) == os.fsencode(file.path)
        if file.reason in (None, "several frames"):  # of which the first is read
            assert len(line["answers"]) == 3, kind
        else:
            bad += 1
            assert file.reason in line["error"], kind
            assert "data.max_pixels=4" not in line["error"]
    told = result.err.splitlines()
    assert sum(line.startswith("not read  ") for line in told) == bad
    assert told[-1] == f"rnnvision predict: {bad} images of {len(made)} could not be read"
    assert len(told) == bad + 2


# Formats.


def test_each_format_holds_the_same_answers(trained: Copy, predict: Verb) -> None:
    trained("run")
    write_digits(Path("digits"), 4)
    (Path("digits") / "1.png").write_text("no image")
    Path("a.csv").write_text("an older file")
    said = {}
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.txt"):
        result = predict("ckpt=run", "source=digits", f"output={name}", "top_k=2", "scores=logits")
        assert (result.code, result.out) == (1, "")
        assert f"results   4 answers in {name}" in result.err
        said[name] = result.err
    rows = rows_of(Path("a.csv").read_text())
    objects = [json.loads(line) for line in Path("a.jsonl").read_text().splitlines()]
    table = parquet.read_table("a.parquet").to_pylist()
    lines = Path("a.txt").read_text().splitlines()
    assert [len(x) for x in (rows, objects, table, lines)] == [5] * 4
    for row, found, typed, line in zip(rows, objects, table, lines, strict=True):
        assert row["image"] == found["image"] == typed["image"] == line.partition(": ")[0]
        if row["error"]:
            assert row["error"] == found["error"] == typed["error"]
            assert row["error"] == "cannot be read as an image (its content is none)"
            assert line == f"{row['image']}: not read: {row['error']}"
            continue
        for k, answer in enumerate(found["answers"], 1):
            suffix = "" if k == 1 else f"_{k}"
            assert row[f"label{suffix}"] == typed[f"label{suffix}"] == answer["label"]
            assert float(row[f"score{suffix}"]) == pytest.approx(answer["score"])
            assert typed[f"score{suffix}"] == pytest.approx(answer["score"])
            assert f"{answer['label']} {answer['score']:.2f}" in line
        logits = [float(row[f"logit_{name}"]) for name in range(10)]
        assert logits == pytest.approx(found["values"]) == [typed[f"logit_{name}"] for name in range(10)]
    for name, kind in (("a.csv", "csv"), ("a.jsonl", "jsonl"), ("a.txt", "text")):
        result = predict("ckpt=run", "source=digits", f"format={kind}", "top_k=2", "scores=logits", "output=-")
        assert result.out == Path(name).read_text()
        assert ("not read  digits/1.png" in result.err) == (kind != "text")  # where it stands among the lines


def test_more_classes_than_there_are(trained: Copy, predict: Verb) -> None:
    trained("run")
    (path,) = write_digits(Path("digits"), 1)
    result = predict("ckpt=run", f"source={path}", "format=csv", "top_k=99")
    assert rows_of(result.out)[0].keys() >= {"label_10", "score_10"}
    assert "label_11" not in result.out


def test_features_are_written(trained: Copy, predict: Verb) -> None:
    trained("run")
    write_digits(Path("digits"), 2)
    assert predict("ckpt=run", "source=digits", "embed=true", "output=a.csv").code == 0
    rows = rows_of(Path("a.csv").read_text())
    features = np.array([[float(row[f"feature_{i}"]) for i in range(8)] for row in rows])
    assert features.shape == (2, 8)
    assert not np.allclose(features[0], features[1])
    assert "feature_8" not in rows[0]


def test_several_checkpoints_are_averaged(train: Verb, trained: Copy, predict: Verb) -> None:
    trained("run")
    assert train("seed=7", "hydra.run.dir=other").code == 0
    write_digits(Path("digits"), 3)
    found = []
    for ckpt in ("run", "other", "[run,other]"):
        result = predict(f"ckpt={ckpt}", "source=digits", "format=csv", "scores=probabilities")
        assert result.code == 0, result.err
        found.append([[float(row[f"probability_{i}"]) for i in range(10)] for row in rows_of(result.out)])
    one, other, both = map(np.array, found)
    assert np.allclose(both, (one + other) / 2, atol=1e-6)
    assert not np.allclose(one, other, atol=1e-3)


def test_what_was_read_and_exchanged_is_told(trained: Copy, predict: Verb) -> None:
    trained("run")
    paths = write_digits(Path("digits"), 6)
    result = predict("ckpt=run", "source=digits", "stop_at=0.0", "patience=0")
    assert (result.code, len(result.out.splitlines())) == (0, 6)
    assert all(line.endswith(" (after 1 token)") for line in result.out.splitlines())
    assert result.err == "read      1.0 of 8 tokens on average; 88% of the work was saved\n"
    whole = predict("ckpt=run", "source=digits", "stop_at=1.0")
    assert "read      8.0 of 8 tokens on average; 0% of the work was saved" in whole.err
    plain = predict("ckpt=run", "source=digits").out
    for path in paths:
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    result = predict("ckpt=run", "source=digits", "invert=auto")
    assert result.out == plain
    assert result.err == "inverted  6 images: dark on light, and the network knows light on dark\n"
    result = predict("ckpt=run", "source=digits")
    assert result.out != plain
    hint = "dark on light, and the network knows light on dark; try invert=auto\n"
    assert result.err == f"inverted? 6 images are {hint}"
    assert predict("ckpt=run", f"source={paths[0]}").err == f"inverted? 1 image is {hint}"
    assert predict("ckpt=run", "source=digits", "average=true").out != plain


# Where it goes.


def test_what_is_no_file_is_not_replaced_and_what_cannot_be_written_is_told(trained: Copy, predict: Verb) -> None:
    trained("run")
    write_digits(Path("digits"), 2)
    Path("null").symlink_to(os.devnull)
    assert predict("ckpt=run", "source=digits", "output=null", "format=csv").code == 0
    assert Path("null").is_symlink()
    Path("folder.csv").mkdir()
    result = predict("ckpt=run", "source=digits", "output=folder.csv")
    assert (result.code, result.message) == (
        1,
        "rnnvision predict: output=folder.csv: cannot be written (Is a directory)",
    )
    if Path("/dev/full").exists():
        for kind in ("csv", "parquet"):
            result = predict("ckpt=run", "source=digits", "output=/dev/full", f"format={kind}")
            assert result.code == 1
            assert result.message == (
                "rnnvision predict: output=/dev/full: cannot be written (No space left on device)"
            )


def test_it_stops_where_nobody_reads(trained: Copy) -> None:
    """As with `| head -1`: without a message, and without reading the other thousands of pictures."""
    trained("run")
    write_digits(Path("digits"), 3)
    command = [sys.executable, "-m", "rnnvision.cli.predict", "ckpt=run", "source=-", "device=cpu", "format=csv"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, bufsize=0, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(b"digits/000.png\n" * 1500)
        assert process.stdout.readline().startswith(b"image,label")
        process.stdout.close()
        with suppress(BrokenPipeError):  # the list has no end: what reads on would never stop
            while process.poll() is None:
                process.stdin.write(b"digits/000.png\n" * 1500)
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


# Misuse.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["ckpt=run"],
            "source=null: give an image, a folder, a pattern such as 'photos/*.jpg', or - for paths on stdin",
        ),
        (
            ["ckpt=run", "source=[]"],
            "source=[]: give an image, a folder, a pattern such as 'photos/*.jpg', or - for paths on stdin",
        ),
        (["ckpt=nowhere", "source=a.png"], "nowhere: there is no such file or run folder"),
        (["ckpt=[]", "source=a.png"], "ckpt=[]: give at least one checkpoint"),
        (["ckpt=run", "source=a.png", "format=xml"], "format=xml: choose one of text, csv, jsonl, parquet"),
        (["ckpt=run", "source=a.png", "format=parquet"], "format=parquet: needs a file; add output=answers.parquet"),
        (["ckpt=run", "source=a.png", "output=a.xlsx"], "output=a.xlsx: its format is not clear; add format=csv, "),
        (["ckpt=run", "source=a.png", "output=no/a.csv"], "output=no/a.csv: there is no folder no"),
        (["ckpt=run", "source=a.png", "top_k=0"], "top_k=0: must be a whole number of at least 1"),
        (["ckpt=run", "source=a.png", "top_k=some"], "top_k=some: must be a whole number of at least 1"),
        (["ckpt=run", "source=a.png", "stop_at=2"], "stop_at=2: must be a number from 0 to 1"),
        (["ckpt=run", "source=a.png", "patience=2"], "patience=2: must be a number from 0 to 1"),
        (["ckpt=run", "source=a.png", "stop_at=0.9", "average=true"], "stop_at=0.9: an average over views reads all"),
        (["ckpt=run", "source=a.png", "average=twice"], "average=twice: choose one of shifts, flips, both"),
        (["ckpt=run", "source=a.png", "invert=maybe"], "invert=maybe: choose one of false, true, auto"),
        (
            ["ckpt=run", "source=a.png", "scores=probability"],
            "scores=probability: choose one of probabilities, logits; ",
        ),
        (
            ["ckpt=run", "source=a.png", "embed=true", "scores=logits"],
            "embed=true: writes features in place of scores=",
        ),
        (["ckpt=run", "source=a.png", "scores=logits", "stop_at=0.9"], "scores=logits: are those of one whole image"),
        (["ckpt=[run,run]", "source=a.png", "stop_at=0.9"], "stop_at=0.9: of one network alone; 2 are averaged here"),
        (["ckpt=[run,run]", "source=a.png", "embed=true"], "embed=true: of one network alone; 2 are averaged here"),
        (["ckpt=run", "source=a.png", "tok_k=3"], "tok_k"),
    ],
)
def test_misuse_is_one_line(trained: Copy, predict: Verb, words: list[str], message: str) -> None:
    trained("run")
    write_digits(Path(), 1)
    Path("000.png").rename("a.png")
    result = predict(*words)
    assert result.code == 2
    assert result.message.startswith(f"rnnvision predict: {message}")
    assert len(result.message.splitlines()) == 1
    assert result.out == ""


def test_a_network_that_reads_no_sequence_cannot_stop_early(train: Verb, verb: Verb, predict: Verb) -> None:
    words = [word for word in TINY if "hidden_size" not in word]
    assert verb("train", *words, "model=logistic", "hydra.run.dir=run").code == 0
    write_digits(Path("digits"), 1)
    result = predict("ckpt=run", "source=digits", "stop_at=0.9")
    assert (result.code, "the network cannot be read token by token: a control reads no" in result.err) == (2, True)
    assert predict("ckpt=run", "source=digits").code == 0
