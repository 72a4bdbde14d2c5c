"""The page: everything escaped, nothing from elsewhere, each part there or left out with its reason."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from rnnvision.report.page.blocks import Picture
from rnnvision.report.page.build import PARTS, run_page
from rnnvision.report.page.found import Found
from rnnvision.report.page.pictures import pixel_rows, png
from rnnvision.report.page.render import render, write_page
from rnnvision.report.page.sections.classes import confusion_section
from rnnvision.report.page.side_by_side import Entry, names_of, runs_page
from rnnvision.report.page.terms import TERMS
from rnnvision.report.study.build import study_page
from rnnvision.runs import Run
from tests.report.page.pages import COLOUR, HOSTILE, answers, everything, run_with_epochs
from tests.report.study.studies import of_two_metrics, searched

VOID = {"meta", "link", "img", "br", "hr"}


class Reader(HTMLParser):
    """What a browser makes of a page: its tags, ids and addresses, and whether each tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.images_without_alt = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.addresses += [found[key] or "" for key in ("href", "src", "xlink:href") if key in found]
        self.images_without_alt += tag == "img" and not found.get("alt")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return render(run_page(everything(tmp_path_factory.mktemp("pages") / "run")))


def test_a_class_that_is_named_like_a_script_stays_text(page: str) -> None:
    read = Reader(page)
    assert not {"script", "b", "iframe", "object"} & set(read.tags)
    assert "alert(1)" in page
    assert HOSTILE not in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f]", page)


def test_it_is_well_formed_and_needs_nothing_from_elsewhere(page: str) -> None:
    read = Reader(page)
    assert read.open == []
    assert len(read.ids) == len(set(read.ids))
    assert read.images_without_alt == 0
    assert [a for a in read.addresses if not a.startswith(("#", "data:image/"))] == []
    assert {a[1:] for a in read.addresses if a.startswith("#")} <= set(read.ids)
    assert read.tags.count("h1") == read.tags.count("main") == read.tags.count("nav") == 1


def test_each_part_is_there(page: str) -> None:
    assert "Left out" not in page
    for title in ("Run", "Scores", "Curves", "Classes", "Confusion", "Calibration", "States", "Terms"):
        assert f">{title}</h2>" in page, title


@pytest.mark.parametrize("part", [name for name in PARTS if name not in ("scores", "curves")])
def test_a_part_that_is_missing_is_left_out_with_its_reason(part: str, tmp_path: Path) -> None:
    found = replace(everything(tmp_path / "run"), **{part: None}, missing={part: f"for {HOSTILE} reasons"})
    made = run_page(found)
    assert made.missing == ((PARTS[part][0], f"for {HOSTILE} reasons"),)
    html = render(made)
    assert "for &lt;script&gt;" in html
    assert HOSTILE not in html


def test_a_network_that_takes_glimpses_settles_after_one(tmp_path: Path) -> None:
    found = everything(tmp_path / "run")
    assert found.reading is not None
    html = render(run_page(replace(found, reading=replace(found.reading, unit="glimpse"))))
    assert "settled after glimpse 4" in html
    assert "settled after token" not in html


def test_of_an_empty_folder_there_is_a_page_that_says_so(tmp_path: Path) -> None:
    made = run_page(Found(Run(tmp_path)))
    assert [title for title, _ in made.missing] == [title for title, _ in PARTS.values()]
    assert "Left out, and why" in render(made)


def test_the_pictures_lie_beside_it_under_the_names_that_fingers_know(tmp_path: Path) -> None:
    written = write_page(tmp_path / "report.html", run_page(everything(tmp_path / "run")))
    assert {"results.png", "confusion_matrix.png", "confusion_matrix_normalized.png"} <= set(written)
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_file()) == sorted([*written, "report.html"])
    for name in written:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200


def test_of_many_classes_the_page_shows_the_most_confused_and_the_file_all(tmp_path: Path) -> None:
    names = tuple(f"class number {i}" for i in range(100))
    (text, block, _) = confusion_section(answers(names, 400), names).blocks
    assert "all 100" in text.text  # type: ignore[union-attr]
    assert block.plots[0].width < 12  # type: ignore[union-attr]
    assert [plots[0].width > 20 for plots in block.files.values()] == [True, True]  # type: ignore[union-attr]


def test_pixels_become_the_png_that_another_library_reads() -> None:
    with Image.open(BytesIO(png(COLOUR))) as image:
        assert (image.mode, image.size, image.tobytes()) == ("RGB", (8, 4), COLOUR.data)
    faded = Picture(1, 1, 4, bytes([9, 8, 7, 6]))
    with Image.open(BytesIO(png(faded))) as image:
        assert (image.mode, image.getpixel((0, 0))) == ("RGBA", (9, 8, 7, 6))
    assert pixel_rows(Picture(1, 2, 1, bytes([0, 255]))) == [[[0.0] * 3], [[1.0] * 3]]


def test_every_term_is_explained_and_none_is_idle(tmp_path: Path) -> None:
    entries = [Entry(run_with_epochs(tmp_path / str(i)), str(i), {"seed": str(i)}) for i in range(2)]
    studies = (study_page(tmp_path, study, tmp_path, "report.html") for study in (searched(9), of_two_metrics(9)))
    pages = (run_page(everything(tmp_path / "run")), runs_page(tmp_path, entries, "report.html"), *studies)
    used = {term for made in pages for section in made.sections for term in section.terms}
    assert used == set(TERMS)


def test_runs_are_side_by_side_best_first(tmp_path: Path) -> None:
    runs = []
    for number, (accuracy, words) in enumerate([(0.7, "model=rnn"), (0.9, "model=<b>"), (None, "model=gru")]):
        run = run_with_epochs(tmp_path / str(number))
        score = "{}" if accuracy is None else f'{{"test/accuracy": {accuracy}}}'
        (run.path / "metrics.json").write_text(score)
        (run.path / "environment.json").write_text(f'{{"overrides": ["seed=0", "{words}"]}}')
        runs.append(Run(run.path))
    names = names_of(runs)
    assert names == ["model=rnn", "model=<b>", "model=gru"]
    entries = [Entry(run, name, {"lr": "1", "model": name}) for run, name in zip(runs, names, strict=True)]
    (tmp_path / "1" / "report.html").touch()
    html = render(runs_page(tmp_path, entries, "report.html"))
    assert (
        html.index('<a href="./1/report.html">model=&lt;b&gt;</a>')
        < html.index(">model=rnn<")
        < html.index(">model=gru<")
    )
    odd = tmp_path / "javascript:alert(1)" / "a#?%b"
    odd.mkdir(parents=True)
    (odd / "report.html").touch()
    html_of_odd = render(runs_page(tmp_path, [*entries, Entry(Run(odd), "odd", {})], "report.html"))
    assert '<a href="./javascript%3Aalert%281%29/a%23%3F%25b/report.html">odd</a>' in html_of_odd
    assert Reader(html).open == []
    assert "90.00\N{NO-BREAK SPACE}%" in html
    assert '<th scope="col">lr</th>' not in html
