"""Exit codes, and the way out with one of them."""

import os
import sys
from typing import NoReturn

from rnnvision.checks import message_line

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPT = 1, 2, 130


def leave(verb: str, message: str, code: int) -> NoReturn:
    """Say why, and end the process."""
    print(f"rnnvision {verb}: {message_line(message)}", file=sys.stderr)
    sys.exit(code)


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
