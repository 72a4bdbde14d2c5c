"""This machine: slots side by side, each with its share of the threads and with GPUs of its own."""

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO

from rnnvision.others import cores
from rnnvision.regular import open_log
from rnnvision.runs.fork_server import Fork, ForkServer
from rnnvision.runs.process import Child, Process
from rnnvision.search.job import OUTPUT, Job
from rnnvision.search.places.place import Ended

LOOK = 0.02  # seconds between two looks at what runs
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Slot:
    """Room for one job at a time. On Linux its jobs are forks of one process, which has imported what they need."""

    def __init__(self, prepare: str, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._prepare, self._words, self._environment = prepare, words, environment
        self._server: ForkServer | None = None
        self._output: IO[str] | None = None
        self.job: Job | None = None
        self.child: Child | None = None

    def start(self, job: Job) -> None:
        command = job.command()
        job.folder.mkdir(parents=True, exist_ok=True)
        self._output = open_log(job.folder / OUTPUT)
        try:
            self.job, self.child = job, self._child(command, self._output)
        except BaseException:  # Ctrl-C: it may have begun
            self.close()
            raise

    def _child(self, command: list[str], output: IO[str]) -> Child:
        if sys.platform != "linux":  # elsewhere libraries may not survive a fork
            return Process(command, output, self._environment)
        if self._server is not None and self._server.has_ended:  # killed, for want of memory
            self._end_server()
        if self._server is None:
            self._server = ForkServer(self._prepare, *self._words, environment=self._environment)
        return self._server(command, output)

    def stop(self) -> None:
        """Tell the job to save and end; one that has not begun, while the server imports, never does."""
        if isinstance(self.child, Fork) and self._server is not None and not self.child.has_begun:
            self._server.kill()
        elif self.child is not None:
            self.child.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Forget the job, killed if it still runs."""
        if self.child is not None:
            self.child.close()
        if self._output is not None:
            self._output.close()
        self.job = self.child = self._output = None

    def close(self) -> None:
        self.end()
        self._end_server()

    def _end_server(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.close()
            self._server = None


class Local:
    """Jobs in processes of this machine; made, used and closed by one thread, with which all of them end.

    Args:
        slots: jobs at once. The threads of this machine are divided among them, unless OMP_NUM_THREADS is set.
        prepare: "module:function" that imports what the jobs need, called with `words`.
        gpus: as CUDA_VISIBLE_DEVICES has them, of which each of several slots gets its share.
    """

    def __init__(self, slots: int, *, prepare: str, words: Sequence[str] = (), gpus: Sequence[str] = ()) -> None:
        self.slots = slots
        self._slots = [Slot(prepare, words, environment) for environment in environments(slots, gpus)]

    def start(self, job: Job) -> None:
        next(slot for slot in self._slots if slot.job is None).start(job)

    def runs(self, job: Job) -> bool:
        return any(slot.job == job for slot in self._slots)

    def ended(self, wait: float) -> list[Ended]:
        begin = time.monotonic()
        while True:
            found = []
            for slot in self._slots:
                if slot.job is not None and slot.child is not None and (code := slot.child.poll()) is not None:
                    found.append(Ended(slot.job, code))
                    slot.end()
            left = wait - (time.monotonic() - begin)
            if found or left <= 0 or all(slot.job is None for slot in self._slots):
                return found
            time.sleep(min(LOOK, left))

    def stop(self, job: Job) -> None:
        for slot in self._slots:
            if slot.job == job:
                slot.stop()

    def close(self, patience: float = 60.0) -> None:
        for slot in self._slots:
            slot.stop()
        begin = time.monotonic()
        while any(slot.job for slot in self._slots) and time.monotonic() - begin < patience:
            self.ended(LOOK)
        for slot in self._slots:
            slot.close()


def environments(slots: int, gpus: Sequence[str] = (), of: float | None = None) -> list[dict[str, str]]:
    """What each slot is told: its share of the threads, and its GPUs, dealt out in turn. One slot has all of both.

    Examples:
        >>> [told["CUDA_VISIBLE_DEVICES"] for told in environments(2, ["0", "1", "2"], of=8)]
        ['0,2', '1']
    """
    has_all = slots == 1 or THREADS[0] in os.environ
    threads = {} if has_all else dict.fromkeys(THREADS, str(max(1, int((of or cores()) // slots))))
    dealt = [",".join(gpus[i::slots]) or gpus[i % len(gpus)] for i in range(slots)] if gpus else []
    return [{**threads, **({"CUDA_VISIBLE_DEVICES": dealt[i]} if dealt else {})} for i in range(slots)]
