"""A process that does not outlive its parent."""

import ctypes
import os


def end_with_parent(signum: int) -> None:
    """Have Linux send this process a signal when its parent dies, however that dies."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, signum)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)
