"""Child processes: a command whose output goes to a file."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

LONGEST_END = 2**16  # bytes of a log that are looked at for its last line


class Child(Protocol):
    """A process that was started."""

    def wait(self) -> int:
        """Its exit code, once it has ended, or minus the signal that ended it."""

    def poll(self) -> int | None:
        """Its exit code if it has ended."""

    def send_signal(self, signum: int) -> None: ...

    def close(self) -> None:
        """Kill it if it still runs, and forget it."""


class Process:
    """A command in a new process, which prints to `output`."""

    def __init__(self, command: Sequence[str], output: IO[Any], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )

    def wait(self) -> int:
        return self._process.wait()

    def poll(self) -> int | None:
        return self._process.poll()

    def send_signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def last_line(log: Path) -> str:
    """The last line of a log, without the name of the verb; "" where there is none."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LONGEST_END))
        end = file.read(LONGEST_END).decode(errors="replace")
    lines = [line.strip() for line in end.splitlines() if line.strip()] or [""]
    first, _, message = lines[-1].partition(": ")
    return message if first.startswith("rnnvision ") else lines[-1]
