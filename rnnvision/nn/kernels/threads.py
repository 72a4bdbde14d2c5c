"""Threads beside other processes: fewer of them, or none that spin, while others need the cores. No number changes.

The threads of a recurrence on a CPU meet hundreds of times a step, and wait for each other at full speed. That is the
fastest way as long as each has a core of its own. One other busy process is enough for a thread to lose its core while
the rest spin, and a step takes ten to a hundred times as long.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch

from rnnvision.others import CHOSEN, FELT, OTHERS, Others, cores

PARALLEL = 2**18  # elements of an operation that torch shares among its threads


class Threads:
    """The OpenMP threads of this process, which give way to others between the steps of a network.

    Where the number of threads decides nothing about what is computed they become fewer, as many as others leave
    cores. Elsewhere their number stays, and while they wait for each other they sleep.

    Nothing is changed on systems other than Linux, with a single core, or where the user has set one of `CHOSEN`.

    Args:
        exact: whether the number of threads decides nothing, see `rnnvision.nn.is_exact_in_threads`. Products of
            matrices, which do depend on it, then run in one thread throughout.
        others: who else computes here.
    """

    def __init__(self, exact: bool, others: Others = OTHERS) -> None:
        self.load = 0.0  # cores that others use
        self.most = self.count = torch.get_num_threads()
        # Where MKL is not there (ARM), products are made in OpenMP's threads too, whose number then is not to change.
        self._exact = exact and torch.backends.mkl.is_available()
        self._others, self._cores = others, cores()
        self._sleepers: _Sleepers | None = None
        told = not others.seen or any(name in os.environ for name in CHOSEN)
        self._openmp = None if told or self.most == 1 else openmp()
        if self._openmp is not None and self._exact:
            torch.set_num_threads(1)  # of OpenMP and of MKL
            self._openmp.set_num_threads(self.most)
        self.look()

    def look(self) -> bool:
        """Fit the threads to what others use now; whether anything changed.

        To be called between steps, each time, by the thread that computes, whose setting the number is.
        """
        if self._openmp is None:
            return False
        self.load = self._others.load()
        if self._exact:
            return self._become(max(1, min(self.most, math.floor(self._cores - self.load + FELT))))
        return self._sleep(self.load > max(0.0, self._cores - self.most) + FELT)  # more than the threads leave

    def restore(self) -> None:
        """Back to all threads, for products too, which spin."""
        if self._openmp is not None:
            self._sleep(False)
            torch.set_num_threads(self.most)

    @property
    def gives_way(self) -> bool:
        return self.count < self.most or self._sleepers is not None

    def _become(self, count: int) -> bool:
        assert self._openmp is not None
        if count == self.count:
            return False
        self._openmp.set_num_threads(count)
        self.count = count
        return True

    def _sleep(self, sleeps: bool) -> bool:
        if sleeps == (self._sleepers is not None):
            return False
        if self._sleepers is not None:
            self._sleepers.go()
        self._sleepers = _Sleepers(self._openmp, self.most) if sleeps else None
        return True


class _Sleepers:
    """A second team of threads, idle: it makes those of the first sleep while they wait for each other.

    GNU's OpenMP lets waiting threads spin as long as it has no more of them than cores, and else but for an instant.
    It counts those that do nothing too, which is the one way to change how it waits after it has been loaded.
    """

    def __init__(self, openmp: Any, count: int) -> None:
        self._end, ready = threading.Event(), threading.Event()

        def idle() -> None:
            openmp.set_num_threads(count)  # of this thread's team
            torch.ones(PARALLEL).add_(1)  # which this starts
            ready.set()
            self._end.wait()

        self._thread = threading.Thread(target=idle, name="idle-team", daemon=True)
        self._thread.start()
        ready.wait()

    def go(self) -> None:
        self._end.set()
        self._thread.join()


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread what would depend on their number: a sum over all elements of a large tensor."""
    before, library = torch.get_num_threads(), openmp()
    if library is None or before == 1:
        yield
        return
    library.set_num_threads(1)
    try:
        yield
    finally:
        library.set_num_threads(before)


@cache
def openmp() -> Any:
    """torch's GNU OpenMP, whose `set_num_threads` leaves MKL alone; None where torch has another."""
    from threadpoolctl import ThreadpoolController

    libraries = ThreadpoolController().select(prefix="libgomp").lib_controllers
    folder = Path(torch.__file__).resolve().parent  # an environment may be reached over a link
    return next((library for library in libraries if Path(library.filepath).resolve().is_relative_to(folder)), None)
