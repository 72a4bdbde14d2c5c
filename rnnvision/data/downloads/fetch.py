"""Downloads: a file appears under its name when it is whole and is the published one, or not at all.

A cut transfer goes on where it ended, then from the other addresses; what is left of it is removed.
"""

import errno
import hashlib
import os
import time
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError

from rnnvision.atomic import replaced
from rnnvision.checks import counted
from rnnvision.disk import LEFT_FREE, free, size
from rnnvision.progress import done, work

TIMEOUT = 30.0  # seconds without a byte, after which a server is given up
SLOWEST = 2_000.0  # bytes a second over the last `PATIENCE` seconds, below which it is too
PATIENCE = 120.0
TRIES = 3  # of each address
PAUSE = 1.0  # seconds before the second try of an address, twice as many before the third
BLOCK = 2**18


@dataclass(frozen=True)
class Source:
    """A file that is downloaded.

    Attributes:
        path: below a search root.
        urls: where it can be had, tried in this order.
        md5: the published one, if any.
        packed: it is an archive, which is unpacked into the folder that it lies in.
    """

    path: str
    urls: tuple[str, ...]
    md5: str | None
    packed: bool = False

    @property
    def name(self) -> str:
        return Path(self.path).name


def fetch(source: Source, root: Path) -> None:
    """Download a file to its place below `root`, unless it is there and is the published one.

    Raises:
        OSError: that names the addresses, and why each of them failed.
    """
    path = root / source.path
    if path.is_file() and not wrong_md5(path, source.md5):
        return
    with replaced(path, durable=True) as temporary, temporary.open("w+b") as file:
        _obtain(source, file)


def _obtain(source: Source, file: BinaryIO) -> None:
    faults: dict[str, str] = {}
    for url in source.urls:
        file.truncate(0)
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE * number)
            try:
                _copy(url, file)
            except (OSError, HTTPException, ValueError) as error:  # a ValueError for an address that is none
                if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                    raise
                faults[url] = _reason(error)
                if isinstance(error, HTTPError) and error.code == 416:  # there is no more than what has arrived
                    file.truncate(0)
                if not _may_pass(error):
                    break
                continue
            if not (fault := _unlike(file, source.md5)):
                return
            faults[url] = fault
            file.truncate(0)  # none of it is used again
    raise OSError("; ".join(f"{url}: {fault}" for url, fault in faults.items()) or "no address is known")


def _copy(url: str, file: BinaryIO) -> None:
    """Add to the file what it lacks of this address.

    Raises:
        OSError, HTTPException: if the transfer fails, or ends before all is there.
    """
    have = file.seek(0, os.SEEK_END)
    begin = {"Range": f"bytes={have}-"} if have else {}
    request = urllib.request.Request(url, headers={"User-Agent": "rnnvision", **begin})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if have and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            file.truncate(0)  # it begins anew
            have = file.seek(0)
        length = answer.headers.get("Content-Length")
        rest = int(length) if length and length.isdecimal() else None
        _check_room(file, rest or 0)
        arrived, since, before = 0, time.monotonic(), 0
        with work(f"downloading {url.rpartition('/')[2]}, kB", None if rest is None else rest // 1000):
            while block := answer.read(BLOCK if rest is None else min(BLOCK, max(rest - arrived, 1))):
                file.write(block)
                done((arrived + len(block)) // 1000 - arrived // 1000)
                arrived += len(block)
                if arrived // 2**26 > (arrived - len(block)) // 2**26:
                    _check_room(file, 0)
                if (now := time.monotonic()) - since > PATIENCE:
                    if (arrived - before) / (now - since) < SLOWEST:
                        raise TimeoutError(f"{arrived - before:,} bytes in {now - since:.0f} s")
                    since, before = now, arrived
        if rest is not None and arrived != rest:
            raise ConnectionError(f"cut after {have + arrived:,} of {counted(have + rest, 'byte')}")


def _check_room(file: BinaryIO, needed: int) -> None:
    left = free(Path(file.name).parent)
    if left is not None and left < needed + LEFT_FREE:
        more = f"{size(needed)} are" if needed else "more is"
        raise OSError(errno.ENOSPC, f"no space left: {more} to be written, and {size(left)} are free")


def _unlike(file: BinaryIO, md5: str | None) -> str:
    """What is wrong with the content that has arrived; "" where nothing is."""
    if not (length := file.seek(0, os.SEEK_END)):
        return "nothing arrived"
    file.seek(0)
    is_page = file.read(512).lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))
    file.seek(0)
    found = None if md5 is None else _md5(file)
    if found == md5 and not (md5 is None and is_page):
        return ""
    what = "a web page" if is_page else "another file"
    return f"{what} of {counted(length, 'byte')} arrived" + (f", with the MD5 {found}, not {md5}" if md5 else "")


def _may_pass(error: Exception) -> bool:
    """Whether a second try of the same address may help; not where there is no network or no such file."""
    if isinstance(error, HTTPError):
        return error.code >= 500 or error.code in (408, 416, 429)
    if isinstance(error, URLError):  # it could not be reached
        return isinstance(error.reason, (ConnectionError, TimeoutError))
    return True


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def wrong_md5(path: Path, published: str | None) -> str:
    """What is wrong with a file that is there with another MD5 than published; "" where nothing is."""
    if published is None or not path.is_file():
        return ""
    with path.open("rb") as file:
        found = _md5(file)
    return "" if found == published else f"{path} is damaged or incomplete: its MD5 is {found}, not {published}"


def _md5(file: BinaryIO) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    while block := file.read(2**20):
        digest.update(block)
    return digest.hexdigest()
