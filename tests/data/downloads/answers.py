"""Answers to requests for files, without a network."""

import io
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.error import HTTPError, URLError

import pytest

from rnnvision.data.downloads import fetch


class Answer(io.BytesIO):
    """A response: its headers, and the rest of a file, of which `cut` bytes never come."""

    def __init__(self, content: bytes, begin: int, cut: int) -> None:
        super().__init__(content[begin : len(content) - cut])
        self.headers = Message()
        self.headers["Content-Length"] = str(len(content) - begin)
        if begin:
            self.headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"


@dataclass(frozen=True)
class Asked:
    """A request: its address, the byte that it begins with, its patience."""

    url: str
    begin: int
    timeout: float


@dataclass
class Answers:
    """In place of `urlopen`: `files` by their last name, each cut short by the next of `cuts`; else `error`.

    Attributes:
        ranges: it goes on where a transfer ended.
    """

    patch: pytest.MonkeyPatch
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    error: Exception | None = None
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patch.setattr(urllib.request, "urlopen", self._answer)
        self.patch.setattr(fetch, "PAUSE", 0)

    def _answer(self, request: Any, timeout: float) -> Answer:
        begin = int((request.get_header("Range") or "bytes=0-")[6:-1])
        self.asked.append(Asked(request.full_url, begin, timeout))
        if self.error is not None or not self.files:
            raise self.error or URLError("no route to host")
        name = request.full_url.rpartition("/")[2]
        if name not in self.files:
            raise HTTPError(request.full_url, 404, "Not Found", Message(), None)
        if self.ranges and begin >= max(1, len(self.files[name])):
            raise HTTPError(request.full_url, 416, "Range Not Satisfiable", Message(), None)
        return Answer(self.files[name], begin if self.ranges else 0, self.cuts.pop(0) if self.cuts else 0)
