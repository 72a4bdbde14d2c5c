"""A job where a cluster runs it: a process, which this one waits for, in the folder where the command was typed."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnvision.regular import open_log
from rnnvision.search.job import OUTPUT, Job
from rnnvision.search.places.local import THREADS
from rnnvision.search.places.tied import tied

LOOK = 0.05  # seconds between two looks at the process
PATIENCE = 60.0  # seconds for it to save, then it is killed


class Command:
    """Called on a machine of the cluster, once or again after it was cut short; gives the exit code of the job.

    Args:
        job: it goes on from its last checkpoint if it has begun; one that is completed is left alone.
        cpus: threads it may use, unless OMP_NUM_THREADS was set where the command was typed.
        environment: what else the process is told.
    """

    def __init__(self, job: Job, *, cpus: int, environment: Mapping[str, str] | None = None) -> None:
        self.job = job
        self.cwd = str(Path.cwd())
        self.environment = dict.fromkeys(THREADS, os.environ.get(THREADS[0]) or str(cpus)) | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        os.chdir(self.cwd)
        if self.job.status == "completed":
            return 0
        command = tied(self.job.command())
        self.job.folder.mkdir(parents=True, exist_ok=True)
        with open_log(self.job.folder / OUTPUT) as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=self._child_environment()
            )
        try:
            self._on_start()
            while not self._has_ended():
                time.sleep(LOOK)  # waiting for the process itself, this one would not hear that it is to stop
        except KeyboardInterrupt:  # by which Ray cancels a task
            self.stop()
        except BaseException:
            self.stop()
            raise
        return self._process.wait()

    def _on_start(self) -> None:
        """Called once the process has begun."""

    def stop(self, patience: float = PATIENCE) -> None:
        """Have the process save and end, and wait for that."""
        if self._process is None:
            return
        begin = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        while not self._has_ended() and time.monotonic() - begin < patience:
            time.sleep(LOOK)
        self._process.kill()

    def _has_ended(self) -> bool:
        """Unlike Popen.poll this takes no lock, which a signal's handler might wait for in vain."""
        assert self._process is not None
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._process.poll() is not None
        try:
            return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def _child_environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.environment}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_process": None}
