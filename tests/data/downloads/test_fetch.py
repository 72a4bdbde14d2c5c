"""A file is downloaded whole, as it was published, or not at all."""

import errno
import hashlib
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from rnnvision.data.downloads import fetch
from rnnvision.data.downloads.fetch import Source
from tests.data.downloads.answers import Answers

CONTENT = bytes(range(256)) * 40
URLS = ("http://a.example/x.bin", "http://b.example/x.bin")
SOURCE = Source("sub/x.bin", URLS, hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch, {"x.bin": CONTENT})


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_transfer_goes_on_or_begins_anew(tmp_path: Path, answers: Answers, ranges: bool) -> None:
    answers.cuts, answers.ranges = [len(CONTENT) - 100, 1], ranges
    fetch.fetch(SOURCE, tmp_path)
    assert (tmp_path / "sub/x.bin").read_bytes() == CONTENT
    assert [asked.begin for asked in answers.asked] == [0, 100, len(CONTENT) - 1]
    assert names(tmp_path) == ["x.bin"]


def test_the_next_address_is_tried(tmp_path: Path, answers: Answers) -> None:
    answers.cuts = [7, 7, 7]
    fetch.fetch(Source("x.bin", URLS, SOURCE.md5), tmp_path)
    assert [asked.url for asked in answers.asked][-1] in URLS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><p>Log in", f"a web page of 24 bytes arrived, with the MD5 .*, not {SOURCE.md5}"),
        (CONTENT[:-1] + b"x", f"another file of 10,240 bytes arrived, with the MD5 .*, not {SOURCE.md5}"),
        (b"", "nothing arrived"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(
    tmp_path: Path, answers: Answers, content: bytes, said: str
) -> None:
    answers.files = {"x.bin": content}
    with pytest.raises(OSError, match=f"^{URLS[0]}: {said}; {URLS[1]}: {said}"):
        fetch.fetch(SOURCE, tmp_path)
    assert names(tmp_path) == []


def test_a_page_is_not_the_file_though_no_md5_is_published(tmp_path: Path, answers: Answers) -> None:
    source = Source("x.bin", URLS, None)
    answers.files = {"x.bin": b"\n<HTML>Log in"}
    with pytest.raises(OSError, match=f"^{URLS[0]}: a web page of 13 bytes arrived; {URLS[1]}: a web page of 13 bytes"):
        fetch.fetch(source, tmp_path)
    assert names(tmp_path) == []
    answers.files = {"x.bin": CONTENT}
    fetch.fetch(source, tmp_path)
    assert (tmp_path / "x.bin").read_bytes() == CONTENT


def test_what_is_longer_than_the_file_is_begun_anew(
    tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = urllib.request.urlopen

    def answer(*request: Any, **options: Any) -> Any:
        answers.files = {"x.bin": CONTENT + bytes(0 if answers.asked else 1000)}  # another file at first
        return published(*request, **options)

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    answers.cuts = [100]
    fetch.fetch(SOURCE, tmp_path)
    assert (tmp_path / "sub/x.bin").read_bytes() == CONTENT
    assert [asked.begin for asked in answers.asked] == [0, len(CONTENT) + 900, 0]


def test_a_damaged_file_is_replaced_only_by_the_published_one(tmp_path: Path, answers: Answers) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/x.bin").write_bytes(b"damaged")
    answers.files = {"x.bin": b"wrong too"}
    with pytest.raises(OSError, match="another file"):
        fetch.fetch(SOURCE, tmp_path)
    assert (tmp_path / "sub/x.bin").read_bytes() == b"damaged"
    answers.files = {"x.bin": CONTENT}
    fetch.fetch(SOURCE, tmp_path)
    assert (tmp_path / "sub/x.bin").read_bytes() == CONTENT


def test_a_disk_without_room_is_told_at_once(tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LEFT_FREE", 2**60)
    with pytest.raises(OSError, match=r"no space left: 10\.2 kB are to be written, and") as error:
        fetch.fetch(SOURCE, tmp_path)
    assert error.value.errno == errno.ENOSPC
    assert len(answers.asked) == 1
    assert names(tmp_path) == []


def test_a_server_that_is_too_slow_is_given_up(
    tmp_path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10**6, 1000))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    monkeypatch.setattr(fetch, "BLOCK", 100)
    with pytest.raises(OSError, match="100 bytes in 1000 s"):
        fetch.fetch(SOURCE, tmp_path)
