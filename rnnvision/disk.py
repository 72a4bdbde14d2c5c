"""Space on a disk: whether there is enough, and what is said where there is not."""

import errno
import os
import shutil
from pathlib import Path

from rnnvision.errors import FailureError

# No space, no quota, no larger file: nothing is wrong with the name, and what is there stays.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEFT_FREE = 2**28  # bytes that downloads and caches, which can be had again, do not take


class DiskError(FailureError):
    """A file that could not be written. The message is one line for the user and begins with the path."""


def os_error(error: BaseException | None) -> OSError | None:
    """The OSError behind an error, which may be one itself; None where there is none.

    PyTorch fails to close a file that it could not write, and raises that.
    """
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def is_full(error: BaseException | None) -> bool:
    """Whether this is a disk without space, or an error that follows from one."""
    found = os_error(error)
    return found is not None and found.errno in FULL


def reason(error: OSError) -> str:
    """Why something could not be written, in words."""
    if error.errno in FULL:
        return "no space left on the device" if error.errno == errno.ENOSPC else f"no space left ({error.strerror})"
    return f"cannot be written ({error.strerror or error})"


def no_space(error: BaseException) -> str:
    """The message for a file for which there was no space."""
    found = os_error(error)
    assert found is not None
    return f"{found.filename or 'the run folder'}: {reason(found)}; make space"


def free(folder: Path) -> int | None:
    """The bytes that can be written into a folder, which need not exist yet; None where it is not known."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # links stay as they are
    for place in (folder, *folder.parents):
        if place.is_dir():
            try:
                return shutil.disk_usage(place).free
            except OSError:
                return None
    return None


def size(count: float) -> str:
    """A number of bytes, as people read it.

    Examples:
        >>> size(900), size(60_000_000), size(2.5e12)
        ('900 bytes', '60 MB', '2500 GB')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}" if count < 1e3 * factor else f"{count / factor:.0f} {unit}"
    return f"{count:.0f} bytes"
