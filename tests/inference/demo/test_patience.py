"""Requests that do not end: they take neither the server from others, nor its memory."""

import asyncio
import socket
import time
import urllib.request
from contextlib import suppress
from typing import Any

import pytest

from rnnvision.inference.demo import app as demo_app
from rnnvision.inference.demo import patience
from rnnvision.inference.demo.server import MAX_OPEN
from tests.inference.demo.cases import app_of, ask, asked, digit, served


def connected(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


@pytest.mark.parametrize("said", [b"", b"GET /facts HTTP/1.1\r\nHost: 127", b"GET"])
def test_connections_that_ask_nothing_are_closed(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.5)
    with served(app_of(digit())) as url:
        idle = [connected(url) for _ in range(MAX_OPEN)]
        for one in idle:
            one.sendall(said)
        begin = time.monotonic()
        for one in idle:
            one.settimeout(10)
            assert one.recv(1) == b""
            one.close()
        assert time.monotonic() - begin < 10
        with urllib.request.urlopen(f"{url}/facts", timeout=10) as answer:
            assert answer.status == 200


def test_a_request_that_comes_slowly_is_not_waited_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.5)
    begin = time.monotonic()
    with served(app_of(digit())) as url, connected(url) as slow, suppress(ConnectionError):
        while time.monotonic() - begin < 10:
            slow.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - begin < 9


async def never_whole(app: Any, number: int) -> tuple[list[int], int]:
    """The statuses of uploads that stop after their first part, and how many of them were begun to be read at once."""
    read, most = 0, 0

    async def receive() -> dict[str, Any]:
        nonlocal read, most
        read += 1
        most = max(most, read)
        try:
            await asyncio.Event().wait()
        finally:
            read -= 1
        raise AssertionError

    answers = await asyncio.gather(*(ask(app, "/reading", b"x", receive=receive) for _ in range(number)))
    return [answer.status for answer in answers], most


def test_uploads_that_never_end_are_given_up_and_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_app, "UPLOAD_SECONDS", 0.3)
    statuses, most = asyncio.run(never_whole(app_of(digit()), 20))
    assert set(statuses) == {408, 503}
    assert statuses.count(408) >= demo_app.UPLOADS
    assert most == demo_app.UPLOADS


def test_a_client_that_goes_away_is_no_error() -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    assert asked(app_of(digit()), "/reading", b"x", receive=gone).status == 400
