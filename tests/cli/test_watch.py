"""rnnvision watch: lines, frames and films of a picture that is read; rows that come in through a pipe."""

import io
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

import rnnvision
from rnnvision.cli.watch import pipe
from rnnvision.cli.watch.film import draw
from rnnvision.cli.watch.reading import UNREAD, Reading, frames, labels_line, reading_of
from rnnvision.cli.watch.terminal import fitted, half_blocks, view
from rnnvision.errors import FailureError
from tests.cli.running import Copy, Verb
from tests.inference.test_session import make_classifier, pixels


@pytest.fixture
def picture() -> Path:
    """A picture of 8 x 8 pixels, as the digits are, and what is expected of its bytes: rows of 8."""
    values = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(values).save("picture.png")
    return Path("picture.png")


def pipe_in(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))


# A picture ------------------------------------------------------------------------------------------------------------


def test_without_a_terminal_there_is_a_line_after_each_token(trained: Copy, verb: Verb, picture: Path) -> None:
    trained("run")
    result = verb("watch", "ckpt=run", f"source={picture}", "device=cpu", "top_k=2")
    assert result.code == 0, result.err
    *lines, last = result.out.splitlines()
    classifier = rnnvision.load("run")
    beliefs = classifier.anytime(picture)[0]
    assert len(lines) == len(beliefs) == 8
    for t, line in enumerate(lines):
        scores, classes = beliefs[t].topk(2)
        labels = [
            f"{classifier.class_names[c]} {s:.2f}" for c, s in zip(classes.tolist(), scores.tolist(), strict=True)
        ]
        assert line == f"row {t + 1} of 8   {'   '.join(labels)}"
    label = classifier(picture)[0]
    answers = beliefs.argmax(dim=1).tolist()
    settled = next(t for t in range(8) if set(answers[t:]) == {answers[-1]}) + 1
    assert last == f"answer    {label['label']} {label['score']:.2f}, settled from row {settled} on"
    few = verb("watch", "ckpt=run", f"source={picture}", "device=cpu", "top_k=2", "every=3", "hydra.run.dir=out")
    assert few.out.splitlines() == [lines[2], lines[5], lines[7], last]


def test_in_a_terminal_the_picture_fills_in_and_nothing_of_it_is_logged(
    trained: Copy, verb: Verb, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("run")
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, color_system="truecolor", width=80, height=24)
    monkeypatch.setattr("rnnvision.cli.watch.terminal.colour_terminal", lambda: console)
    result = verb("watch", "ckpt=run", f"source={picture}", "device=cpu", "seconds=0.4", "hydra.run.dir=out")
    assert result.code == 0, result.err
    shown = screen.getvalue()
    assert [f"row {t} of 8" in shown for t in range(1, 9)] == [True] * 8
    assert "▀" in shown
    log = Path("out/watch.log").read_text()
    assert log == result.out
    assert re.fullmatch(r"answer    \d 0\.\d\d, settled from row \d on\n", log)


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_a_film_has_a_frame_after_each_token_and_lasts_as_long_as_asked(
    trained: Copy, verb: Verb, picture: Path, suffix: str
) -> None:
    trained("run")
    result = verb("watch", "ckpt=run", f"source={picture}", "device=cpu", f"save=film.{suffix}", "seconds=2")
    assert (result.code, result.out.splitlines()[0]) == (0, f"film      film.{suffix}")
    with Image.open(f"film.{suffix}") as film:
        assert film.n_frames == 8
        film.seek(3)
        film.load()
        assert film.info["duration"] == pytest.approx(250, abs=10)
        half = np.asarray(film.convert("RGB"))
    side = half[24:344, 24:344]
    assert (
        np.abs(side[150:158:4, 20::40].astype(int) - 4 * np.arange(24, 32)[None, :, None]).max() < 12
    )  # row 4 is read
    assert np.abs(side[170, ::40].astype(int) - UNREAD).max() < 12  # row 5 is not


def test_networks_that_read_otherwise_say_so_or_are_refused(train: Verb, verb: Verb, picture: Path) -> None:
    notes = {
        "lstm model.bidirectional=true": "note      the network reads in both directions: for each row it has read the",
        "encoder_decoder": "note      the network has read the whole image before its first glimpse",
    }
    for i, (model, note) in enumerate(notes.items()):
        assert train(*f"model={model} hydra.run.dir=run{i}".split()).code == 0
        result = verb("watch", f"ckpt=run{i}", f"source={picture}", "device=cpu")
        assert result.code == 0
        assert result.out.startswith(note)
    assert verb("train", "model=logistic", "trainer=smoke", "device=cpu", "hydra.run.dir=run2").code == 0
    result = verb("watch", "ckpt=run2", f"source={picture}", "device=cpu")
    assert result.code == 2
    assert "answers only at the end, not after each token; logistic is not watched; a network to" in result.message
    assert len(result.message.splitlines()) == 1


def test_a_dark_digit_on_light_paper_is_read_as_the_light_one(trained: Copy, verb: Verb) -> None:
    trained("run")
    values = np.zeros((8, 8), np.uint8)
    values[2:6, 3:5] = 250
    Image.fromarray(values).save("light.png")
    Image.fromarray(255 - values).save("dark.png")
    said = [
        verb(
            "watch", "ckpt=run", f"source={name}.png", "device=cpu", f"invert={how}", f"hydra.run.dir={name}-{how}"
        ).out
        for name, how in (("light", "false"), ("dark", "true"), ("dark", "auto"), ("light", "auto"), ("dark", "false"))
    ]
    assert said[0] == said[1] == said[2] == said[3] != said[4]


# What is drawn --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "unit"),
    [
        ({}, "row"),
        ({"scan": "columns"}, "column"),
        ({"scan": "row_pairs"}, "2 rows"),
        ({"scan": "patches", "patch_size": (3, 2)}, "patch"),
        ({"scan": "spiral", "margin": 1}, "pixel"),
    ],
)
def test_the_picture_shows_what_has_been_read(arguments: dict[str, object], unit: str) -> None:
    classifier = make_classifier(**arguments)
    reading = reading_of(classifier, pixels(classifier)[None] | 128)  # no pixel has the colour of what was not read
    assert reading.unit == unit
    scan = classifier.network.scan
    for t in range(reading.num_tokens + 1):
        shown = reading.picture(t)
        unread = (shown == torch.tensor(UNREAD, dtype=torch.uint8)[:, None, None]).all(dim=0)
        assert int((~unread).sum()) * 3 == t * scan.token_size
        assert torch.equal(shown[:, ~unread], reading.pixels[:, ~unread])
        tokens = scan(unread.expand(1, 3, -1, -1))[0].any(dim=1)
        assert tokens.tolist() == [False] * t + [True] * (reading.num_tokens - t)


def test_a_class_name_of_two_lines_stays_on_one() -> None:
    classifier = make_classifier()
    classifier.class_names = ("two\nlines", *classifier.class_names[1:])
    reading = reading_of(classifier, pixels(classifier)[None])
    assert draw(reading, 1).size  # where Pillow cannot measure a text of two lines
    assert "two\\nlines" in labels_line([{"label": "two\nlines", "score": 0.5}])
    assert not any("\n" in name for name in reading.class_names)


def test_half_blocks_hold_two_pixels_each() -> None:
    picture = torch.randint(256, (3, 5, 4), dtype=torch.uint8)
    text = half_blocks(picture)
    lines = text.split("\n")
    assert [line.plain for line in lines] == ["▀" * 4] * 3
    for row, line in enumerate(lines):
        for column, span in enumerate(sorted(line.spans)):
            colours = [span.style.color.triplet, span.style.bgcolor.triplet]
            expected = [picture[:, min(2 * row + i, 4), column].tolist() for i in (0, 1)]
            assert [list(colour) for colour in colours] == expected


@pytest.mark.parametrize(("width", "height"), [(200, 60), (80, 24), (50, 12)])
@pytest.mark.parametrize("side", [28, 224])
def test_a_frame_fits_the_terminal(width: int, height: int, side: int) -> None:
    names = tuple(f"a class with a long name {i}" for i in range(100))
    beliefs = torch.rand(3, 100).softmax(dim=1)
    image = torch.randint(256, (1, side, side), dtype=torch.uint8)
    reading = Reading(image, torch.ones(side, side), beliefs, names, "row")
    screen = io.StringIO()
    console = Console(file=screen, width=width, height=height, force_terminal=True, color_system="truecolor")
    console.print(view(reading, 3, 5, width, height))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    assert sum("▀" in line for line in lines) >= 4


def test_small_pictures_grow_by_whole_numbers_and_large_ones_shrink() -> None:
    image = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4).expand(3, -1, -1)
    grown = fitted(image, 11, 100)
    assert grown.shape == (3, 6, 8)
    assert torch.equal(grown[:, ::2, 1::2], image)
    assert fitted(torch.full((3, 50, 100), 7, dtype=torch.uint8), 40, 40).shape == (3, 20, 40)


def test_of_many_tokens_as_many_are_shown_as_can_be_seen() -> None:
    shown = frames(784, 2.0)
    assert (len(shown), shown[-1]) == (40, 784)
    assert shown == sorted(set(shown))
    assert frames(28, 4.0) == list(range(1, 29))
    assert frames(28, 0.001) == [28]


# A pipe ---------------------------------------------------------------------------------------------------------------

ROWS = (np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).repeat(2, axis=0)  # 16 rows: twice as many as an image has
CSV = "".join(f"{', '.join(map(str, row))}\n\n" for row in ROWS.tolist()).encode()


@pytest.mark.parametrize(("kind", "data"), [("raw", ROWS.tobytes()), ("csv", CSV)])
def test_rows_are_read_from_a_pipe_as_a_session_reads_them(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch, kind: str, data: bytes
) -> None:
    trained("run")
    session = rnnvision.load("run").session()
    expected = []
    for i, row in enumerate(ROWS):
        labels = session.push(row, top_k=2)
        expected.append(f"row {i + 1}   " + "   ".join(f"{x['label']} {x['score']:.2f}" for x in labels))
    for every, lines in ((1, expected), (5, [expected[i] for i in (4, 9, 14, 15)])):
        pipe_in(monkeypatch, data)
        words = ("ckpt=run", "source=-", f"rows={kind}", "device=cpu", "top_k=2", f"every={every}")
        result = verb("watch", *words, f"hydra.run.dir=out{every}")
        assert (result.code, result.out.splitlines()) == (0, lines)
        assert Path(f"out{every}/watch.log").read_text() == ""  # a stream without an end would fill it


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("raw", b"", "source=-: not one row came in"),
        ("raw", bytes(20), "source=-: ends within row 3, after 4 of its 8 bytes"),
        ("csv", b"\n \n", "source=-: not one row came in"),
        ("csv", b"0 1 2 3 4 5 6 7\n0,1\n", "source=-: line 2: holds 2 numbers; a row has 8"),
        ("csv", b"0 1 2 3 4 5 6 256\n", "source=-: line 1: 256 is no pixel; give whole numbers from 0 to 255"),
        ("csv", b"0 1 2 3 4 5 6 -1\n", "source=-: line 1: -1 is no pixel; give whole numbers from 0 to 255"),
        ("csv", b"a b c d e f g h\n", "source=-: line 1: a is no pixel; give whole numbers from 0 to 255"),
        ("csv", b"\xff" * 10_000, "source=-: line 1: holds 1 number; a row has 8"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_on_one_line(
    trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch, kind: str, data: bytes, message: str
) -> None:
    trained("run")
    pipe_in(monkeypatch, data)
    result = verb("watch", "ckpt=run", "source=-", f"rows={kind}", "device=cpu")
    assert (result.code, result.message) == (1, f"rnnvision watch: {message}")


def test_a_number_of_thousands_of_digits_is_no_pixel() -> None:
    """Python refuses to read it at all, in words of its own."""
    with pytest.raises(FailureError, match=r"^source=-: line 1: 1{20} is no pixel"):
        list(pipe.csv_rows(io.BytesIO(b"0 " * 399 + b"1" * 5000), 400, "row"))


def test_colours_of_a_row_come_pixel_by_pixel(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    classifier = make_classifier()
    image = pixels(classifier)  # (3, 6, 8)
    pipe_in(monkeypatch, image.permute(1, 2, 0).contiguous().numpy().tobytes())
    pipe.watch_rows(classifier, "raw", 6, 1)
    answer = classifier(image, top_k=1)[0]
    assert capfd.readouterr().out == f"row 6   {answer['label']} {answer['score']:.2f}\n"


def test_an_order_that_waits_says_so_and_ends_with_its_image(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    classifier = make_classifier(scan="reverse", input_shape=(1, 6, 8))
    pipe_in(monkeypatch, bytes(5 * 8))
    with pytest.raises(FailureError, match=r"^source=-: ended after 5 rows, before the network could"):
        pipe.watch_rows(classifier, "raw", 5, 1)
    assert capfd.readouterr().out == "row 5   -\n"
    pipe_in(monkeypatch, bytes(7 * 8))
    with pytest.raises(FailureError, match=r"^source=-: rows: 1 given, 0 of the image"):
        pipe.watch_rows(classifier, "raw", 6, 1)


def test_nothing_is_printed_any_more_when_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As behind `| head -2`: a stream without an end would be read for ever."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr(sys, "__stdout__", out)
        assert not pipe._printed("row 1")


# Refusals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ckpt=run"], 2, "source=null: give an image, or - for rows of pixels on standard input"),
        (["ckpt=run", "source=[a,b]"], 2, "watch shows one network and one image; give one of each"),
        (["ckpt=run", "source=none.png"], 1, "source=none.png: there is no such file"),
        (["ckpt=run", "source=."], 2, "source=.: is a folder; give one image of it"),
        (["ckpt=run", "source=picture.png", "seconds=0"], 2, "seconds=0: must be a number above 0"),
        (["ckpt=run", "source=picture.png", "invert=yes"], 2, "invert=yes: choose one of false, true, auto"),
        (["ckpt=run", "source=picture.png", "every=0"], 2, "every=0: must be a whole number of at least 1"),
        (["ckpt=run", "source=picture.png", "rows=cvs"], 2, "rows=cvs: choose one of raw, csv; did you mean rows=csv?"),
        (["ckpt=run", "source=picture.png", "save=a.mp4"], 2, "save=a.mp4: must end in .gif or .webp"),
        (["ckpt=run", "source=picture.png", "save=no/a.gif"], 2, "save=no/a.gif: there is no folder no"),
        (["ckpt=run", "source=-", "save=a.gif"], 2, "save=a.gif: a film is made of an image, not of rows on"),
    ],
)
def test_wrong_use_is_told_on_one_line(
    trained: Copy, verb: Verb, picture: Path, words: list[str], code: int, message: str
) -> None:
    trained("run")
    result = verb("watch", *words, "device=cpu")
    assert result.code == code
    assert result.message.startswith(f"rnnvision watch: {message}")
    assert len(result.message.splitlines()) == 1


def test_the_bytes_of_an_image_are_no_rows(
    trained: Copy, verb: Verb, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("run")
    pipe_in(monkeypatch, picture.read_bytes())
    result = verb("watch", "ckpt=run", "source=-", "device=cpu")
    assert (result.code, result.message) == (
        2,
        "rnnvision watch: source=-: standard input holds the bytes of an image; give rows of pixels, or source=FILE",
    )
