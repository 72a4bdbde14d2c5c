"""What a trial is, what it found, and the processes that it starts."""

import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol


@dataclass
class Outcome:
    """What a trial has found.

    Attributes:
        count: how often it was tried.
        failures: a line for each that did not end as promised.
        note: a figure beside the count, such as the peak of memory.
    """

    count: int = 0
    failures: list[str] = field(default_factory=list)
    note: str = ""

    def add(self, failure: str | None) -> None:
        """One more was tried; `failure` says how it did not end as promised."""
        self.count += 1
        if failure is not None:
            self.failures.append(failure)


class Trial(Protocol):
    """A module of `torture.trials`."""

    TITLE: str  # of its row
    BAR: str  # what is promised
    COUNT: int  # how often the long version tries
    FOUND: int  # faults of the code that it found while it was built

    def run(self, count: int, seed: int, folder: Path) -> Outcome:
        """Try `count` times within an empty folder; what is random is a function of the seed."""
        ...


@dataclass(frozen=True)
class Ended:
    """A process that has ended: its exit code (minus the signal that killed it), and what it printed."""

    code: int
    out: str
    err: str

    @property
    def has_traceback(self) -> bool:
        """Whether it ended in a defect, as those who wrote it see one."""
        return "Traceback (most recent call last)" in self.out + self.err


def command(verb: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"rnnvision.cli.{verb}", *words]


def begin(words: Sequence[str], folder: Path, log: Path, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a command in a folder and in a process group of its own; what it prints is added to the file `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            list(words),
            cwd=folder,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def end(words: Sequence[str], folder: Path, timeout: float = 120, **variables: str) -> Ended | None:
    """Run a command in a folder to its end; None where it had to be killed after `timeout` seconds."""
    process = subprocess.Popen(
        list(words),
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None
    return Ended(process.returncode, out, err)


def become(act: Callable[[], object], *, at_end: Callable[[], object] | None = None) -> NoReturn:
    """Do what a fork is for, and end it as a process of its own would: with the exit code of `act`, or a traceback."""
    code = 1
    try:
        act()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if at_end is not None:
            at_end()
        os._exit(code)


def ended(process: int, timeout: float = 120.0) -> int | None:
    """The exit code of a fork, minus the signal that killed it; None where it had to be killed after `timeout`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def left_running(group: int) -> list[int]:
    """The processes that still run in a group, which is the number of the process that `begin` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found
