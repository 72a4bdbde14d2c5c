"""Exit codes, and the way out with one of them."""

import errno
import os
import sys
from pathlib import Path
from typing import NoReturn

from rnnvision.checks import message_line
from rnnvision.cli.frame.paths import elsewhere
from rnnvision.disk import is_full, no_space

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPT = 1, 2, 130
NO_FOLDER = (errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP)  # to write into


def leave(verb: str, message: str, code: int) -> NoReturn:
    """Say why, and end the process."""
    print(f"rnnvision {verb}: {message_line(message)}", file=sys.stderr)
    sys.exit(code)


def leave_if_nowhere(verb: str) -> None:
    """End the process where the folder that the command is typed in is gone: paths mean nothing there."""
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        leave(verb, "the folder that this is typed in has been removed; go to one that exists: cd FOLDER", EXIT_USAGE)


def system_error(error: OSError, *, of_run: bool = True) -> tuple[str, int]:
    """The message for what the system refuses, and the exit code: a run folder that cannot be written has a remedy.

    Args:
        error: which has the name of its file.
        of_run: whether that is the run folder, or lies there.
    """
    if is_full(error):
        return f"{no_space(error)}, or {elsewhere('on another disk')}", EXIT_FAILURE
    file, why = error.filename, error.strerror or str(error) or type(error).__name__
    denied = error.errno in (errno.EACCES, errno.EPERM)
    if denied and file and not _may_be_read(Path(os.fsdecode(file))):
        return f"{os.fsdecode(file)}: cannot be read ({why})", EXIT_FAILURE
    if of_run and (denied or error.errno in NO_FOLDER):
        where = os.fsdecode(file) if file else "the run folder"
        return f"{where}: {why}; {elsewhere('that can be written')}", EXIT_USAGE
    return f"{os.fsdecode(file)}: {why}" if file else f"{type(error).__name__}: {why}", EXIT_FAILURE


def _may_be_read(path: Path) -> bool:
    """Whether a file or a folder, or of one that is not there the folder that it would lie in, can be read."""
    there = next((place for place in (path, *path.absolute().parents) if os.access(place, os.F_OK)), Path("/"))
    return os.access(there, os.R_OK | os.X_OK if there.is_dir() else os.R_OK)


def open_streams() -> None:
    """Where a standard stream was closed (`>&-`), let it lead nowhere: the next file that is opened would be in its
    place, and be written into by whoever prints."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            try:
                os.fstat(number)
            except OSError:
                os.dup2(nowhere := os.open(os.devnull, os.O_RDWR), number)
                if nowhere != number:
                    os.close(nowhere)
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
