"""Child processes: a command whose output goes to a log, and which is ended with this process."""

import os
import signal
import subprocess
from pathlib import Path

PATIENCE = 2.0  # seconds for a child that Ctrl-C in the terminal has reached as well
GRACE = 60.0  # seconds to record that it was interrupted


def run_child(command: list[str], log: Path, echo: str = "epoch") -> int:
    """Run `command` to its end and append its output to `log`; lines that begin with `echo` are printed too.

    Returns its exit code, or minus the signal that ended it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=environment
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                file.write(line)
                file.flush()
                if line.startswith(echo):
                    print(f"          {line}", end="", flush=True)
            return child.wait()
        except KeyboardInterrupt:
            file.write(_end(child, signal.SIGINT, PATIENCE))
            raise
        except BaseException:  # SIGTERM, which reaches this process alone
            file.write(_end(child, signal.SIGTERM, 0.0))
            raise
        finally:
            child.kill()
            child.wait()
            child.stdout.close()


def last_line(log: Path) -> str:
    """The last line of a log, without the name of the verb; "" where there is none."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] or [""]
    first, _, message = lines[-1].partition(": ")
    return message if first.startswith("rnnvision ") else lines[-1]


def _end(child: "subprocess.Popen[str]", signum: int, patience: float) -> str:
    """Wait for the child, signal it if need be, and return its remaining output; the caller makes sure that it ends."""
    said = ""
    for seconds in (patience, GRACE):
        try:
            said += child.communicate(timeout=seconds)[0] or ""
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signum)
    return said
