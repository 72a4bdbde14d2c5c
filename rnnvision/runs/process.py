"""A command as a process of its own: its output goes to a log, and what ends this process ends it too."""

import os
import signal
import subprocess
from pathlib import Path

PATIENCE = 2.0  # seconds for a child that Ctrl-C in the terminal has reached as well
GRACE = 60.0  # seconds to write down that it was interrupted


def run_child(command: list[str], log: Path, echo: str = "epoch") -> int:
    """Run `command` to its end, its output at the end of `log`; lines that begin with `echo` are shown.

    Returns its exit code, minus the signal where one ended it.
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
    """What a process said at last, without the name of its verb; "" where it said nothing."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()] or [""]
    first, _, message = lines[-1].partition(": ")
    return message if first.startswith("rnnvision ") else lines[-1]


def _end(child: "subprocess.Popen[str]", signum: int, patience: float) -> str:
    """Let it end by itself, ask it to, and return what it still said; whoever calls this makes sure of it."""
    said = ""
    for seconds in (patience, GRACE):
        try:
            said += child.communicate(timeout=seconds)[0] or ""
            break
        except subprocess.TimeoutExpired:
            child.send_signal(signum)
    return said
