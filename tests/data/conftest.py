"""No test of the data touches the network, the data of this machine, or the folder that it is started from."""

import socket
import urllib.request
from typing import Any, NoReturn
from urllib.error import URLError

import pytest

from rnnvision.data import locate


@pytest.fixture(autouse=True)
def away_from_this_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError("a test reached for the network")

    connect = socket.socket.connect

    def connect_within(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:  # processes that read hand over their batches by one
            refuse()
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_within)
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
