"""Files that are the old one or the new one, never half of one, whatever happens while they are written.

A new file is written beside the old one and takes its name when it is complete. What a killed process leaves of one
that was not, `remove_leftovers` takes away.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO, cast

from rnnvision.masking import MaskedStream

# .NAME.PROCESS.RANDOM.tmp, and what earlier versions called them.
TEMPORARY = re.compile(
    r"\..+\.(?P<process>\d+)\.[0-9a-f]{4}\.tmp(\.\w+)?|\..+\.ckpt\.\d+\.tmp|(metrics|summary)\.csv\.tmp"
)


@contextmanager
def replaced(path: Path, *, suffix: str = "", durable: bool = False, keep: Path | None = None) -> Iterator[Path]:
    """A temporary file in the same folder, which is made; at the end it takes the place of `path` if nothing failed.

    Args:
        path: of the file.
        suffix: of the temporary one, for a writer that asks for it.
        durable: it is on the disk before it takes the name, and the name before this returns: a machine may lose its
            power at any moment.
        keep: the name under which the file before it stays, where the file system has hard links.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder: a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(2)}.tmp{suffix}")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        if keep is not None and path.is_file():
            with suppress(OSError):
                link(path, keep)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)  # of a write that failed Python does not say the file
        raise
    if durable:
        _sync(path.parent)


@contextmanager
def whole(path: Path) -> Iterator[TextIO]:
    """A text file that takes the place of `path` at the end; after an error the one before it is still there.

    UTF-8, with the newlines that are written; names of files may be bytes that no encoding has, and stay as they are.
    Secrets are masked.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with whole(Path(folder) / "a.json") as file:
        ...         _ = file.write("{}")
        ...     print((Path(folder) / "a.json").read_text())
        {}
    """
    with (
        replaced(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield cast(TextIO, MaskedStream(file))


def link(path: Path, name: Path) -> None:
    """Let a file have another name in the same folder too, in place of what has that name.

    Raises:
        OSError: where the file system has no hard links.
    """
    temporary = name.with_name(f".{name.name}.{os.getpid()}.{secrets.token_hex(2)}.tmp")
    os.link(path, temporary)
    try:
        temporary.replace(name)  # which does nothing where both are one file already
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path, *, alone: bool) -> list[str]:
    """Remove what processes that were killed have left of files that they wrote in a folder; returns the names.

    Args:
        folder: need not exist; folders in it are not looked into.
        alone: nobody else writes there; otherwise what a live process may still write stays.
    """
    removed = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = TEMPORARY.fullmatch(entry.name)
            if found is None or not entry.is_file(follow_symlinks=False):
                continue
            if alone or found["process"] is None or not _is_alive(int(found["process"])):
                with suppress(OSError):
                    os.unlink(entry.path)  # noqa: PTH108  # scandir gives text
                    removed.append(entry.name)
    return sorted(removed)


def _is_alive(process: int) -> bool:
    if process == os.getpid():  # which has not begun to write: processes of containers share their numbers
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
