"""The page in Chromium: every picture loads, nothing is asked for, nothing runs, nothing sticks out."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rnnvision.report.page.build import run_page
from rnnvision.report.page.render import write_page
from rnnvision.report.study.build import study_page
from tests.report.page.pages import HOSTILE, everything
from tests.report.study.studies import searched

BROKEN = "[...document.images].filter(image => !image.complete || !image.naturalWidth).length"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLOURS = "[document.body, ...document.querySelectorAll('.plot svg')].map(e => getComputedStyle(e).color)"
SMALLEST = """Math.min(...[...document.querySelectorAll('.plot svg text')].map(e => e.getBoundingClientRect())
    .filter(box => box.width > 0).map(box => Math.min(box.width, box.height)))"""


@pytest.fixture
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is not here; Debian's package is chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.mark.browser
@pytest.mark.xdist_group("measures")
def test_it_reads_on_a_phone_and_a_desk_by_day_and_by_night(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", run_page(everything(tmp_path / "run")))
    paper = []
    for scheme in ("light", "dark"):
        for width in (400, 1400):
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            page = context.new_page()
            requests: list[str] = []
            said: list[str] = []
            page.on("request", lambda request, requests=requests: requests.append(request.url))
            for event in ("console", "pageerror", "dialog"):
                page.on(event, lambda what, said=said: said.append(str(what)))
            page.goto((tmp_path / "report.html").as_uri())
            assert [url for url in requests if not url.startswith("data:")] == [(tmp_path / "report.html").as_uri()]
            assert said == []
            assert page.evaluate(BROKEN) == 0
            assert page.locator("img").count() > 10
            assert page.evaluate(WIDER) == 0
            assert page.evaluate("document.scripts.length") == 0
            assert page.get_by_text(HOSTILE).count() > 0
            assert len(set(page.evaluate(COLOURS))) == 1  # plots are drawn in the colour of the text
            assert page.evaluate(SMALLEST) > 4
            paper.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
    assert paper[0] == paper[1] != paper[2] == paper[3]


@pytest.mark.browser
@pytest.mark.xdist_group("measures")
def test_the_widest_drawing_of_a_study_is_moved_on_a_phone_not_shrunk(browser: Any, tmp_path: Path) -> None:
    write_page(tmp_path / "report.html", study_page(tmp_path, searched(12), tmp_path, "report.html"))
    page = browser.new_page(viewport={"width": 400, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate(WIDER) == 0
    heights = "[...document.querySelectorAll('.plot svg text')].map(e => e.getBoundingClientRect().height)"
    assert min(page.evaluate(heights)) > 6
    page.close()
