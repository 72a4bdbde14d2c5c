"""No test of the data touches the network, the data of this machine, or the folder that it is started from."""

import socket
import urllib.request
from typing import NoReturn
from urllib.error import URLError

import pytest

from rnnvision.data.sets import locate


@pytest.fixture(autouse=True)
def away_from_this_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a test reached for the network")

    # Nor a socket of this machine: torch hands tensors from process to process by one, which a worker that dies leaves
    # open. Batches lie in memory that is shared from the start.
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(locate, "SYSTEM_ROOT", tmp_path_factory.mktemp("system"))
    monkeypatch.delenv(locate.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
