"""A lock that saves work and guards nothing: who cannot have it in the end goes on without it.

The system frees it when its holder dies. A holder that is only stopped (Ctrl-Z) gives no more signs of life.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import FileLock

WAIT = 0.1  # seconds between two looks at a lock
BEAT = 5.0  # between signs of life of its holder
SILENCE = 60.0  # without one, after which it is not waited for any longer


@contextmanager
def held(path: Path, waiting: str | None = None) -> Iterator[bool]:
    """Hold the lock of this file, or go on without it where there can be none, or its holder gives no sign of life.

    It yields whether it is held. `waiting` is printed once where another process has it.
    """
    lock = _acquired(path, waiting)
    try:
        with _signs_of_life(path) if lock is not None else nullcontext():
            yield lock is not None
    finally:
        if lock is not None:
            lock.release()


def _acquired(path: Path, waiting: str | None) -> "FileLock | None":
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, mode=0o600)
    begin = time.monotonic()
    while True:
        try:
            lock.acquire()
            return lock
        except Timeout:
            if min(_silence(path), time.monotonic() - begin) > SILENCE:  # a lock may just have been taken
                return None
        except (OSError, NotImplementedError):  # no such folder, or a file system without locks
            return None
        if waiting is not None:
            print(waiting, flush=True)
            waiting = None
        time.sleep(WAIT)


def _silence(path: Path) -> float:
    """Seconds since the holder of a lock gave a sign of life."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


@contextmanager
def _signs_of_life(path: Path) -> Iterator[None]:
    end = Event()

    def beat() -> None:
        while True:
            with suppress(OSError):
                os.utime(path)
            if end.wait(BEAT):
                return

    thread = Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
