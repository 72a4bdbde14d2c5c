"""The server of the demo: readings that are the network's own, and requests that it refuses."""

import asyncio
import base64
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.data import DataError, ImageData
from rnnvision.data.downloads.fetch import Source
from rnnvision.data.sets.locate import nothing_downloaded, obtain
from rnnvision.errors import UsageError
from rnnvision.inference.demo import app as demo_app
from rnnvision.inference.demo.facts import MAX_UPLOAD, PAGE, facts_of
from rnnvision.inference.demo.guard import Guard, is_loopback
from rnnvision.inference.demo.reading import read
from rnnvision.inference.demo.server import address, everybody, listen
from rnnvision.nn import MODELS
from tests.data.pictures import bomb
from tests.inference.demo.cases import app_of, ask, asked, digit, image, make_classifier, png

FILES = sorted(path.name for path in PAGE.iterdir())


def floats(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32)


def test_a_picture_is_read_as_the_classifier_reads_it_after_each_token() -> None:
    classifier, pixels = digit(), image(1, 28, 28)
    found = asked(app_of(classifier), "/reading", png(pixels))
    assert found.status == 200
    assert base64.b64decode(found.json["seen"]) == pixels.numpy().tobytes()
    expected = classifier.anytime(pixels)[0]
    torch.testing.assert_close(floats(found.json["probabilities"]).view(28, 10), expected, rtol=0, atol=1e-6)
    assert len(expected.argmax(dim=1).unique()) > 1
    assert (found.json["attention"], found.json["inverted"]) == (None, False)


def test_light_and_dark_are_exchanged_where_it_helps_or_is_asked_for() -> None:
    app, pixels = app_of(digit()), image(1, 28, 28)
    found = {
        (light, choice): asked(app, f"/reading?invert={choice}", png(255 - pixels if light else pixels)).json
        for light in (False, True)
        for choice in ("auto", "true", "false")
    }
    inverted = {key: one["inverted"] for key, one in found.items()}
    assert [key for key, is_inverted in inverted.items() if is_inverted] == [
        (False, "true"),
        (True, "auto"),
        (True, "true"),
    ]
    assert found[True, "auto"]["seen"] == found[False, "auto"]["seen"] != found[True, "false"]["seen"]


@pytest.mark.parametrize("name", MODELS)
def test_every_network_has_its_facts_and_a_reading(name: str) -> None:
    classifier = make_classifier(name)
    facts = json.loads(json.dumps(facts_of(classifier)))
    channels, height, width = facts["shape"]
    reading = read(image(channels, height, width), classifier)
    classes = len(facts["classes"])
    times = {"end": 1, "glimpses": getattr(classifier.network, "num_glimpses", 0)}.get(facts["mode"])
    times = len(facts["tokens"]["order"]) if times is None else times
    assert reading.probabilities.shape == (times, classes)
    assert (
        (facts["why"] is not None) == (facts["mode"] == "end") == (not hasattr(classifier.network, "forward_anytime"))
    )
    assert (reading.attention is not None) == (facts["mode"] == "glimpses")
    torch.testing.assert_close(reading.probabilities[-1:], classifier.probabilities(reading.seen))


@pytest.mark.parametrize(
    ("arguments", "unit"),
    [
        ({"scan": "rows"}, "row"),
        ({"scan": "columns"}, "column"),
        ({"scan": "row_pairs"}, "band"),
        ({"scan": "spiral"}, "pixel"),
        ({"scan": "hilbert", "patch_size": 4}, "patch"),
        ({"scan": "rows", "margin": 2}, "row"),
    ],
)
def test_tokens_lie_where_the_scan_reads_them(arguments: dict[str, Any], unit: str) -> None:
    classifier = digit(**arguments)
    facts = facts_of(classifier)
    where = facts["tokens"]
    assert facts["unit"] == unit
    scan = classifier.network.scan
    for t, cell in enumerate(where["order"]):
        image_of_token = torch.zeros(1, 1, 28, 28)
        top, left = (
            where["margin"] + i * side
            for i, side in zip(divmod(cell, where["columns"]), (where["height"], where["width"]), strict=True)
        )
        image_of_token[..., top : top + where["height"], left : left + where["width"]] = 1
        assert scan(image_of_token)[0].sum(dim=1).nonzero().flatten().tolist() == [t]


def test_a_network_that_would_take_too_many_passes_answers_at_the_end_and_says_why() -> None:
    assert facts_of(digit(bidirectional=True))["mode"] == "tokens"
    facts = facts_of(digit(bidirectional=True, scan="pixels"))
    assert facts["mode"] == "end"
    assert "two directions" in facts["why"]


def test_only_small_grey_images_are_drawn() -> None:
    assert facts_of(digit())["drawing"] is not None
    assert facts_of(make_classifier(input_shape=[3, 28, 28]))["drawing"] is None
    assert facts_of(make_classifier(input_shape=[1, 96, 96]))["drawing"] is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no picture", "this file: cannot be read as an image (its content is none)"),
        (b" ", "this file: cannot be read as an image"),
        (png(image(1, 28, 28))[:300], "this file: cannot be read as an image"),
        (bomb(20_000), "this file: 400000000 pixels, more than data.max_pixels=64000000 allows"),
    ],
)
def test_what_is_no_picture_gets_one_line(content: bytes, reason: str) -> None:
    found = asked(app_of(digit()), "/reading", content)
    assert found.status == 422
    assert found.json["error"].startswith(reason)
    assert "\n" not in found.json["error"]
    assert "would read it" not in found.json["error"]  # on a page there is no such key to set


def test_a_network_that_reads_no_pictures_says_so() -> None:
    found = asked(app_of(make_classifier(input_shape=[2, 4, 4])), "/reading", png(image(1, 28, 28)))
    assert found.status == 422
    assert found.json["error"].startswith("image: an image is grey or RGB, and this network reads (2, 4, 4)")


def test_a_large_upload_is_given_up_before_it_is_read() -> None:
    app = app_of(digit())
    said = asked(app, "/reading", b"x", content_length=str(MAX_UPLOAD + 1))
    streamed = asked(app, "/reading", *[bytes(MAX_UPLOAD // 2)] * 3)  # without a length
    assert (said.status, streamed.status) == (413, 413)
    assert said.json == {"error": "this file is larger than 20 MB; choose a smaller one"}


def test_the_page_is_served_while_the_network_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert goes_on.wait(20)
        return read(*arguments)

    monkeypatch.setattr(demo_app, "read", slow)

    async def both() -> tuple[int, bool, int]:
        app = app_of(digit())
        reading = asyncio.create_task(ask(app, "/reading", png(image(1, 28, 28))))
        await asyncio.to_thread(begun.wait, 20)
        page = await ask(app, "/")
        was_waiting = not reading.done()
        goes_on.set()
        return page.status, was_waiting, (await reading).status

    assert asyncio.run(both()) == (200, True, 200)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8000"}, 403),
        ({"host": "192.168.1.2"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(headers: dict[str, str], status: int) -> None:
    found = asked(app_of(digit()), "/facts", **headers)
    assert found.status == status
    assert found.headers["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self'"
    )
    assert not any(name.startswith("access-control") for name in found.headers)


def test_for_others_an_address_is_enough_but_no_foreign_name() -> None:
    guard = Guard(lambda *_: None, "0.0.0.0")  # type: ignore[arg-type,return-value]
    assert [guard.knows(host) for host in ("192.168.1.2:8000", "[fe80::1]", "localhost", "evil.example", "a b")] == [
        *(True, True, True, False, False)
    ]
    assert Guard(lambda *_: None, "my.host").knows("my.host:80")  # type: ignore[arg-type,return-value]
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "my.host")] == [
        *(True, True, True, False, False)
    ]
    assert everybody("127.0.0.1") is None
    assert everybody("0.0.0.0") == "host=0.0.0.0: everybody who reaches this machine can use the page"


def test_the_page_takes_nothing_from_elsewhere() -> None:
    app = app_of(digit())
    text = asked(app, "/").content.decode()
    wanted = set(re.findall(r'(?:src|href)="([^"#]+)"', text))
    for file in FILES:
        content = (PAGE / file).read_text()
        wanted |= set(re.findall(r'from "\./([^"]+)"', content)) if file.endswith(".js") else set()
        addresses = [a for a in re.findall(r"https?://[^\"'\s]+", content) if a != "http://www.w3.org/2000/svg"]
        assert addresses == [], file
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|eval\(", content), file
    assert " style=" not in text
    assert " on" not in re.sub(r">[^<]*<", "><", text)  # no handler
    served = {file for file in FILES if asked(app, f"/{file}").status == 200}
    assert served == set(FILES) - demo_app.OF_FOLDERS
    assert wanted - {"ort.js", "opening.js"} <= served
    assert asked(app, "/facts.py").status == 404


def test_test_images_come_with_their_class_where_they_are_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = digit()
    classifier.description["class_names"] = list(ImageData(**classifier.description["data"]).class_names)
    app = app_of(classifier)
    assert asked(app, "/examples").json["count"] > 0
    found = asked(app, "/example").json
    assert found["truth"] in classifier.description["class_names"]
    assert len(base64.b64decode(found["seen"])) == 28 * 28
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RNNVISION_DATA", raising=False)
    classifier.description["data"] = {"name": "mnist", "root": str(tmp_path / "gone")}
    elsewhere = app_of(classifier)
    assert asked(elsewhere, "/examples").json == {"count": 0}
    assert asked(elsewhere, "/example").status == 404


def test_within_nothing_downloaded_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnvision.data.downloads.fetch.fetch", lambda *_: pytest.fail("something was fetched"))
    with nothing_downloaded(), pytest.raises(DataError, match=f"^things is not in {tmp_path}$"):
        obtain(
            "things", str(tmp_path), ("things",), lambda _: False, [Source("things.gz", ("http://localhost/",), None)]
        )


def test_an_address_that_cannot_be_taken_is_told_with_another() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address(taken, "127.0.0.1") == f"http://127.0.0.1:{port}"
        assert address(taken, "0.0.0.0") == f"http://localhost:{port}"
        with pytest.raises(UsageError, match=rf"^port={port}: is in use; try port=\d+$"):
            listen("127.0.0.1", port)
    with pytest.raises(UsageError, match=r"^host=192\.0\.2\.1: is no address of this machine \("):
        listen("192.0.2.1", 0)
