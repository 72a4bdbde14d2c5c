"""Who used the processor while a contender had its turn. Linux only; elsewhere nothing is known."""

import os
from dataclasses import dataclass
from pathlib import Path

BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal (neighbours on a virtual machine's host)


@dataclass(frozen=True)
class Load:
    """Processor seconds since the machine started: of everything, and of each session of processes."""

    total: float
    sessions: dict[int, float]


def measure() -> Load | None:
    if not Path("/proc/stat").is_file():
        return None
    tick = os.sysconf("SC_CLK_TCK")
    total = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    sessions: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        session, user, system = int(fields[3]), int(fields[11]), int(fields[12])
        sessions[session] = sessions.get(session, 0.0) + (user + system) / tick
    return Load(sum(total[i] for i in BUSY) / tick, sessions)


def between(before: Load, after: Load, waiting: set[int], active: int, seconds: float) -> dict[str, float]:
    """Cores used on average by the contenders that wait, and by whoever is no contender."""

    def used(session: int) -> float:
        return after.sessions.get(session, 0.0) - before.sessions.get(session, 0.0)

    idle = sum(used(session) for session in waiting)
    foreign = after.total - before.total - idle - used(active)
    return {"waiting": idle / seconds, "foreign": max(0.0, foreign) / seconds}
