"""A lock that is not had in the end: how long its holder is waited for."""

import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from rnnvision.data.downloads import lock


@pytest.mark.parametrize("age", [0, 1000])
def test_a_holder_is_waited_for_until_it_has_been_silent_for_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    """The file may be an old one, of which somebody has just taken the lock."""
    monkeypatch.setattr(lock, "SILENCE", 0.5)
    path = tmp_path / ".lock"
    with FileLock(path):
        os.utime(path, (time.time() - age,) * 2)
        begin = time.monotonic()
        with lock.held(path) as alone:
            assert not alone
        assert 0.5 < time.monotonic() - begin < 10
    with lock.held(path) as alone:
        assert alone
