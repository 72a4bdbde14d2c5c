"""Memory that this machine does not have: refused before any of it is written, or said when it has run out."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnvision.errors import UsageError
from rnnvision.others import free_memory

ASKED = re.compile(r"allocate (?:about )?(\d+) bytes")
TOO_LARGE = ("overflow", "negative dimension", "invalid size")  # sizes that are no numbers of bytes any more


@contextmanager
def network_fits() -> Iterator[None]:
    """Within, a network is made, on the CPU.

    Linux promises more memory than it has, and ends the process that takes it up. So that it says no at once, this
    process may for the time being have no more addresses than there is free memory.

    Raises:
        UsageError: for a network that does not fit.
    """
    from rnnvision.training.failures import ran_out

    free = free_memory()
    try:
        with _no_more_than(free):
            yield
    except (MemoryError, OverflowError, RuntimeError, TypeError) as error:
        if not (ran_out(error) or any(word in str(error).lower() for word in TOO_LARGE)):
            raise
        asked = ASKED.search(str(error))
        need = f"{int(asked[1]) / 1e9:,.1f} GB for one of its tensors" if asked else "more memory than there is"
        left = "" if free is None else f", and {free / 1e9:,.1f} GB are free"
        raise UsageError(f"model: this network needs {need}{left}; choose a smaller one") from error


@contextmanager
def _no_more_than(free: int | None) -> Iterator[None]:
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # another system
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if free is None or 0 <= soft <= used + free:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def memory_ran_out(error: Exception) -> str | None:
    """What to say of an error that means that, wherever it was raised; None for others."""
    if not isinstance(error, MemoryError) and "torch" not in sys.modules:
        return None
    from rnnvision.training.failures import ran_out

    if not ran_out(error):
        return None
    asked = ASKED.search(str(error))
    at_once = f" ({int(asked[1]) / 1e9:,.1f} GB at once)" if asked else ""
    return f"the memory of this machine is too small{at_once}; choose smaller batches, images, or a smaller network"
