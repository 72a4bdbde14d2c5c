"""Child processes: a command whose output goes to a log, and which is ended with this process."""

import io
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import IO, Any, Protocol, TextIO

PATIENCE = 2.0  # seconds for a child that Ctrl-C in the terminal has reached as well
GRACE = 60.0  # seconds to record that it was interrupted


class Child(Protocol):
    """A process that was started; `output` is what it prints, errors among it, and ends with it."""

    output: IO[str]

    def wait(self) -> int:
        """Its exit code, once it has ended, or minus the signal that ended it."""

    def poll(self) -> int | None:
        """Its exit code if it has ended."""

    def send_signal(self, signum: int) -> None: ...

    def close(self) -> None:
        """Kill it if it still runs, and forget it."""


class Process:
    """A command in a new process."""

    def __init__(
        self, command: Sequence[str], output: IO[Any] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._process = subprocess.Popen(
            command,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        self.output: IO[str] = self._process.stdout or io.StringIO()

    def wait(self) -> int:
        return self._process.wait()

    def poll(self) -> int | None:
        return self._process.poll()

    def send_signal(self, signum: int) -> None:
        self._process.send_signal(signum)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self.output.close()


def run_child(
    command: list[str], log: Path, start: Callable[[list[str]], Child] = Process, *, echo: str = "epoch"
) -> int:
    """Run `command` to its end and append its output to `log`; lines that begin with `echo` are printed too.

    Returns its exit code, or minus the signal that ended it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        child = start(command)
        try:
            for line in child.output:
                file.write(line)
                file.flush()
                if line.startswith(echo):
                    print(f"          {line}", end="", flush=True)
            return child.wait()
        except KeyboardInterrupt:
            _end(child, signal.SIGINT, PATIENCE, file)
            raise
        except BaseException:  # SIGTERM, which reaches this process alone
            _end(child, signal.SIGTERM, 0.0, file)
            raise
        finally:
            child.close()


def last_line(log: Path) -> str:
    """The last line of a log, without the name of the verb; "" where there is none."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] or [""]
    first, _, message = lines[-1].partition(": ")
    return message if first.startswith("rnnvision ") else lines[-1]


def _end(child: Child, signum: int, patience: float, file: TextIO) -> None:
    """Wait until the child has said its last, signal it if need be; the caller makes sure that it ends."""

    def read() -> None:
        with suppress(ValueError):  # closed, after `GRACE`
            file.write(child.output.read())

    reader = Thread(target=read, daemon=True)
    reader.start()
    reader.join(patience)
    if reader.is_alive():
        child.send_signal(signum)
        reader.join(GRACE)
