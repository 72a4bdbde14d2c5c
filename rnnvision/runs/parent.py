"""A process that does not outlive its parent."""

import ctypes
import os


def end_with_parent(signum: int, parent: int) -> None:
    """Have Linux send this process a signal when its parent dies, however that dies.

    Args:
        signum: the signal.
        parent: the parent as it knew itself when it started this process; by now it may be dead.
    """
    ctypes.CDLL(None).prctl(1, signum)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)
