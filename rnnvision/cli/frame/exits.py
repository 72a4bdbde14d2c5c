"""Exit codes, and the way out with one of them."""

import sys
from typing import NoReturn

from rnnvision.checks import message_line

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPT, EXIT_TERMINATED = 1, 2, 130, 143


def leave(verb: str, message: str, code: int) -> NoReturn:
    """Say why, and end the process."""
    print(f"rnnvision {verb}: {message_line(message)}", file=sys.stderr)
    sys.exit(code)
