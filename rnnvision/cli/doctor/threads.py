"""Checks of the cores and threads of this machine, and of who else computes on it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from rnnvision.checks import counted
from rnnvision.cli.doctor.finding import Finding

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")  # read when torch is imported; both keep threads from spinning
BUSY = 0.5  # cores that others use, from which on it is felt
WATCHED_S = 0.5


def check_threads() -> Iterator[Finding]:
    """The number of threads against the cores, and the load by other processes."""
    import torch

    cores, count = _cores(), torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS")
    text = f"{counted(count, 'thread')} ({f'OMP_NUM_THREADS={given}' if given else 'chosen by torch'}), {cores:g} cores"
    if count > max(1, cores):
        fewer = f"OMP_NUM_THREADS={max(1, int(cores))} in front of the command"
        yield Finding("warn", f"{text}: more threads than cores wait for each other", fewer)
    else:
        yield Finding("ok", text)
    busy = others()
    if busy is not None:
        yield shared(busy, count, {name: os.environ[name] for name in WAITING if name in os.environ})


def shared(busy: float, count: int, waiting: dict[str, str]) -> Finding:
    """What the load by others, in cores, means for so many threads of ours."""
    if busy < BUSY:
        return Finding("ok", f"other processes use {busy:.1f} cores")
    if count > 1 and not waiting:
        return Finding(
            "warn",
            f"other processes use {busy:.1f} cores: threads that spin beside them make a step 5 to 20 times slower",
            "OMP_NUM_THREADS=1, or OMP_WAIT_POLICY=passive, in front of the command",
        )
    return Finding("warn", f"other processes use {busy:.1f} cores: times measured beside them are worth nothing")


def others() -> float | None:
    """The cores that other processes keep busy, watched for half a second; None where /proc does not say."""
    before = _busy_and_own()
    time.sleep(WATCHED_S)
    after = _busy_and_own()
    if before is None or after is None:
        return None
    return max(0.0, (after[0] - before[0]) - (after[1] - before[1])) / WATCHED_S


def _busy_and_own() -> tuple[float, float] | None:
    """Seconds of all cores that were not idle, and those of this process."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except (OSError, IndexError):
        return None
    user, nice, system = map(int, fields[:3])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK"), time.process_time()


def _cores() -> float:
    """The cores that this process may use: those of its affinity, or fewer by the quota of a container."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else min(cores, int(quota) / int(period))
