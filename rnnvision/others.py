"""What other processes use of this machine, and leave of it."""

import os
import time
from pathlib import Path

LOOK_S = 0.25  # between two looks at the machine, whose clock ticks in hundredths of a second
FELT = 0.3  # cores that others use, from which on it is felt
CGROUP = "/sys/fs/cgroup"
CHOSEN = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # how a user says what threads do beside others


def cores() -> float:
    """The cores that this process may use: those of its affinity, or fewer by the quota of a container."""
    count = _affinity()
    try:
        quota, period = Path(CGROUP, "cpu.max").read_text().split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else min(count, int(quota) / int(period))


def free_memory() -> int | None:
    """Bytes of memory that can be had, of the machine or of the container, whichever has less."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        most, used = (int(Path(CGROUP, name).read_text()) for name in ("memory.max", "memory.current"))
        parts = dict(line.split() for line in Path(CGROUP, "memory.stat").read_text().splitlines())
        cached = int(parts.get("inactive_file", 0))  # files that were read, which give way
    except (OSError, ValueError):  # no container, or "max"
        return free
    return min(free, most - used + cached)


def _affinity() -> float:
    return float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def _seconds() -> tuple[float, float, float] | None:
    """A clock, the seconds that all of this process's cores were busy, and its own; None where /proc does not say."""
    try:
        wanted = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        rows = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
        # user, nice, system, (idle, waiting for a disk,) interrupts, soft ones, and what the host of a machine took
        busy = sum(sum(map(int, row[i])) for row in rows if row[0] in wanted for i in (slice(1, 4), slice(6, 9)))
    except (AttributeError, OSError, ValueError):
        return None
    return time.monotonic(), busy / os.sysconf("SC_CLK_TCK"), time.process_time()


class Others:
    """What other processes use of the cores that this one may use, watched from when this object is made.

    In a container with a quota of fewer cores than the machine has, the rest is for others and not counted.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._seen = _seconds()
        self._rest = _affinity() - cores()
        self._process = os.getpid()
        self._load = 0.0

    @property
    def seen(self) -> bool:
        """Whether the system says anything of them."""
        return self._seen is not None

    def load(self, least_s: float = LOOK_S) -> float:
        """Cores that they kept busy, from one look to the next; looks at most once in `least_s` seconds."""
        if self._process != os.getpid():  # forked, with a clock of its own that begins at 0
            self._begin()
        if self._seen is not None and time.monotonic() - self._seen[0] >= least_s and (now := _seconds()) is not None:
            elapsed, busy, own = (new - old for new, old in zip(now, self._seen, strict=True))
            self._seen, self._load = now, max(0.0, (busy - own) / max(elapsed, 1e-9) - self._rest)
        return self._load


OTHERS = Others()  # since this process began: the first step has to know already
