"""Checks of the cores and threads of this machine, and of who else computes on it."""

import os
import time
from collections.abc import Iterator

from rnnvision.checks import counted
from rnnvision.cli.doctor.finding import Finding
from rnnvision.others import CHOSEN, FELT, Others, cores

WATCHED_S = 0.5


def check_threads() -> Iterator[Finding]:
    """The number of threads against the cores, and the load by other processes."""
    import torch

    available, count = cores(), torch.get_num_threads()
    given = os.environ.get("OMP_NUM_THREADS")
    chosen = f"OMP_NUM_THREADS={given}" if given else "chosen by torch"
    text = f"{counted(count, 'thread')} ({chosen}), {available:g} cores"
    if given and count > max(1, available):
        fewer = f"leave out OMP_NUM_THREADS, or OMP_NUM_THREADS={max(1, int(available))} in front of the command"
        yield Finding("warn", f"{text}: more threads than cores wait for each other", fewer)
    else:
        yield Finding("ok", text)
    others = Others()
    if others.seen:
        time.sleep(WATCHED_S)
        yield shared(others.load(0.0), count, [name for name in CHOSEN if name in os.environ])


def shared(busy: float, count: int, chosen: list[str]) -> Finding:
    """What the load by others, in cores, means for so many threads of ours; `chosen` are variables that are set."""
    if busy <= FELT:
        return Finding("ok", f"other processes use {busy:.1f} cores")
    if count > 1 and chosen == ["OMP_NUM_THREADS"]:
        return Finding(
            "warn",
            f"other processes use {busy:.1f} cores: threads that spin beside them make a step 10 to 100 times slower",
            "leave out OMP_NUM_THREADS, and a training gives way; or OMP_NUM_THREADS=1 in front of the command",
        )
    gives_way = "" if chosen else "a training gives way to them; "
    return Finding(
        "warn", f"other processes use {busy:.1f} cores: {gives_way}times measured beside them are worth nothing"
    )
