"""A lock that says who writes into a folder: held by a live process, let go by a dead one.

It is a POSIX record lock: the system frees it when its holder dies, however it dies, a fork does not inherit it, and it
holds across machines on network file systems that have such locks. Where a file system has none, nothing is guarded.
"""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from rnnvision.regular import open_in_place

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_HELD: dict[str, int] = {}  # of this process: path -> file descriptor; closing any other one of the file would free it


class Lock:
    """The lock of a file, which is made, and which says who holds it. Of threads of one process it guards nothing.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     lock = Lock(Path(folder) / ".lock")
        ...     print(lock.acquire(), lock.holder() == f"process {os.getpid()}")
        ...     lock.release()
        ...     print(lock.holder())
        True True
        None
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def _key(self) -> str:
        return os.path.abspath(self.path)  # noqa: PTH100  # links stay as they are

    @property
    def is_held(self) -> bool:
        """Whether this process has it, under this path or, through a link, under another one."""
        if self._key in _HELD:
            return True
        try:
            here = self.path.stat()
        except OSError:
            return False
        return any(os.path.samestat(here, os.fstat(file)) for file in _HELD.values())

    def acquire(self) -> bool:
        """Take the lock, unless another process has it; makes its folder.

        Raises:
            FailureError: if the file is a link, and what it leads to would be written over, or no file.
            OSError: if it cannot be made.
        """
        if fcntl is None or self.is_held:
            return True
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                file = open_in_place(self.path, os.O_RDWR | os.O_CREAT)
            except FileNotFoundError:  # the folder has been removed in this moment
                continue
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            except OSError:  # a file system without locks
                os.close(file)
                return True
            if self._is_file(file):
                break
            os.close(file)  # whoever had it has removed it: of a run that came to nothing
        os.ftruncate(file, 0)
        os.pwrite(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode(), 0)
        _HELD[self._key] = file
        return True

    def _is_file(self, file: int) -> bool:
        """Whether that is the file which has the path now."""
        with suppress(OSError):
            return os.path.samestat(os.fstat(file), self.path.stat())
        return False

    def release(self) -> None:
        """Let it go; it need not be held."""
        file = _HELD.pop(self._key, None)
        if file is not None:
            os.close(file)

    def holder(self) -> str | None:
        """Who has it, as `process 123` or `process 123 on HOST`; None where it is free."""
        if self.is_held:
            return f"process {os.getpid()}"
        if fcntl is None:
            return None
        try:
            file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)  # it may be another user's
        except OSError:
            return None
        try:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _named(os.pread(file, 1000, 0))
        except OSError:
            return None
        finally:
            os.close(file)
        return None

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _named(text: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        who = json.loads(text)
        where = "" if who["host"] == socket.gethostname() else f" on {who['host']}"
        return f"process {who['pid']}{where}"
    return "another process"


def _forget() -> None:
    """In a fork: it holds nothing, and closing its copies of the files frees nothing of its parent's."""
    for file in _HELD.values():
        os.close(file)
    _HELD.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
