"""The module of a process with the words PARENT MODULE WORDS: as MODULE with its WORDS, but not beyond its parent.

When that process dies, however that dies, Linux tells it to save and end (SIGTERM). Of SIGUSR2, by which SLURM tells
every process of a job that its time is up, it hears nothing: that is for the one that waits for it.
"""

import os
import runpy
import signal
import sys

from rnnvision.launch import BEFORE_MODULE, module_command
from rnnvision.runs.parent import end_with_parent


def tied(command: list[str]) -> list[str]:
    """A command of `module_command` as one that is tied to this process, where the system can do that."""
    return module_command(__name__, str(os.getpid()), *command[BEFORE_MODULE:]) if sys.platform == "linux" else command


def main() -> None:
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    parent, module = sys.argv[1:3]
    end_with_parent(signal.SIGTERM, int(parent))
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
