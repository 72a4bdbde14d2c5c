"""The page in a browser: one draws, drops and scrubs; the network reads, on the server or in the page itself."""

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch

from rnnvision.data.images import View, decode
from rnnvision.inference import Classifier
from rnnvision.inference.demo import onnxruntime_web
from rnnvision.inference.demo.facts import PAGE
from rnnvision.inference.export.web import write_web
from tests.inference.demo.cases import SCRIPT, app_of, digit, image, png, served

pytestmark = pytest.mark.browser
PROBABILITIES = "[...document.querySelectorAll('#bars .bar')].map((bar) => parseFloat(bar.style.width))"


@contextmanager
def browsed() -> Iterator[Any]:
    """An empty page in Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1200, "height": 900}, reduced_motion="reduce")
        browser.close()


@contextmanager
def opened(url: str, refused: str | None = None) -> Iterator[Any]:
    """The page of the demo; at the end nothing was asked of another address, and nothing went wrong but `refused`."""
    asked: list[str] = []
    wrong: list[str] = []
    with browsed() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append("a dialog"))
        page.goto(url)
        page.wait_for_selector("body.ready")
        yield page
    assert asked
    assert [a for a in asked if not a.startswith((url, "data:", f"blob:{'/'.join(url.split('/')[:3])}/"))] == []
    assert [text for text in wrong if refused is None or refused not in text] == []


def draw(page: Any, *points: tuple[float, float]) -> None:
    """A stroke, in shares of the canvas."""
    box = page.locator("#drawing").bounding_box()
    for i, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
        if i == 0:
            page.mouse.down()
    page.mouse.up()


def until(page: Any, holds: Callable[[], bool]) -> None:
    """Wait; playwright's own way would have the page evaluate a string, which its policy forbids."""
    for _ in range(200):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it does not come")


def settled(page: Any) -> str:
    """The final answer, once the last picture is read."""
    until(page, lambda: page.locator("body.busy").count() == 0 and page.inner_text("#settled") != "")
    return str(page.inner_text("#settled"))


def check_page(page: Any, classifier: Classifier) -> None:
    """Draw, scrub, go back, give a picture and what is none."""
    names = set(classifier.class_names)
    assert page.inner_text("#label") == "?"
    draw(page, (0.3, 0.2), (0.7, 0.2), (0.4, 0.8))
    first = settled(page)
    assert page.inner_text("#label") in names
    before = page.evaluate(PROBABILITIES)
    draw(page, (0.2, 0.9), (0.9, 0.9))
    until(page, lambda: settled(page) != first)
    assert page.evaluate(PROBABILITIES) != before
    page.keyboard.press("Control+z")
    until(page, lambda: settled(page) == first)
    assert page.evaluate(PROBABILITIES) == before
    page.keyboard.press("Escape")
    assert page.inner_text("#label") == "?"

    pixels = image(1, 28, 28)
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": png(pixels)})
    settled(page)
    expected = classifier.anytime(pixels)[0]
    for time in (28, 1, 13):  # there and back again
        page.fill("#time", str(time))
        assert page.inner_text("#clock") == f"{time} of 28 rows"
        torch.testing.assert_close(
            torch.tensor(page.evaluate(PROBABILITIES)) / 100, expected[time - 1], rtol=0, atol=1e-4
        )
        assert page.inner_text("#label") == classifier.class_names[int(expected[time - 1].argmax())]
    assert page.inner_text("#bars li:first-child .name") == SCRIPT

    page.set_input_files("#file", {"name": "b.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("#message:not([hidden])")
    assert re.match("this file.*cannot be read as an image", page.inner_text("#message"))
    assert page.inner_text("#label") == "?"


def test_one_draws_and_the_network_reads() -> None:
    classifier = digit()
    with served(app_of(classifier)) as url, opened(f"{url}/", refused="422") as page:
        check_page(page, classifier)


@pytest.mark.parametrize(
    ("arguments", "times"),
    [({"name": "encoder_decoder", "num_glimpses": 3, "scan": "rows"}, 3), ({"name": "mlp"}, 1)],
    ids=["glimpses", "end"],
)
def test_other_networks_have_their_page(arguments: dict[str, Any], times: int) -> None:
    classifier = digit(**arguments)
    with served(app_of(classifier)) as url, opened(f"{url}/") as page:
        draw(page, (0.3, 0.2), (0.7, 0.2))
        until(page, lambda: page.inner_text("#label") != "?")
        assert page.locator("#time").is_visible() == page.locator("#chart").is_visible() == (times > 1)
        assert page.locator("#why").is_visible() == (times == 1)
        assert page.get_attribute("#time", "max") == str(times)


@contextmanager
def files_served(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


OPEN = """async ({ png, facts, invert }) => {
  const { open } = await import("./opening.js");
  const blob = new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]);
  const { seen, inverted } = await open(blob, facts, invert);
  return { seen: [...seen], inverted };
}"""


def test_a_browser_opens_a_picture_as_the_package_does() -> None:
    """To one level of 255, where the picture is resized; the same where it is not."""
    picture = torch.nn.functional.interpolate(image(3, 9, 12)[None].float(), (90, 131), mode="bicubic")
    pixels = picture[0].clamp(0, 255).to(torch.uint8)
    views = [
        View(image_size=40),
        View(image_size=40, crop_ratio=0.7),
        View(image_size=(50, 33), fit="letterbox"),
        View(image_size=(90, 131)),
        View(image_size=200, channels=1),
        View(image_size=(13, 40), channels=1, crop_ratio=0.9),
    ]
    with files_served(PAGE) as url, browsed() as page:
        page.goto(f"{url}/page.css")
        for view in views:
            expected = view.of(decode(BytesIO(png(pixels)), "a", view))
            seeing = {"fit": view.fit, "crop_ratio": view.crop_ratio, "max_pixels": view.max_pixels}
            facts = {"shape": view.image_shape, "dark": True, "view": seeing, "max_upload": 10**6}
            given = {"png": base64.b64encode(png(pixels)).decode(), "facts": facts, "invert": "false"}
            found = torch.tensor(page.evaluate(OPEN, given)["seen"]).view(expected.shape)
            assert (found - expected.int()).abs().max() <= (view.size != (90, 131)), view
            inverted = page.evaluate(OPEN, {**given, "invert": "true"})
            assert (255 - torch.tensor(inverted["seen"])).equal(found.flatten())
            assert inverted["inverted"]


def test_an_exported_page_reads_by_itself_below_any_folder(tmp_path: Path) -> None:
    kept = onnxruntime_web.cache() / f"{onnxruntime_web.NAME}-{onnxruntime_web.VERSION}"
    if not kept.is_dir():
        pytest.skip(f"{kept} is not there; rnnvision export format=web puts it there")
    classifier = digit()
    write_web(classifier, tmp_path / "my" / "page")
    with files_served(tmp_path) as url, opened(f"{url}/my/page/") as page:
        check_page(page, classifier)
