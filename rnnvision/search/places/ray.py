"""Ray: each job is a task of a Ray cluster, or of one that is begun on this machine."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from rnnvision.checks import at_least, number
from rnnvision.errors import UsageError
from rnnvision.launch import ROOT
from rnnvision.search.job import Job
from rnnvision.search.places.command import Command
from rnnvision.search.places.place import Ended

# Ray tells its makers how it is used unless it is told not to; where a job has no GPU it need not hide them, we do.
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
QUIET: Any = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False, "include_dashboard": False}
TERMINATED = 143  # exit code of a run that SIGTERM has ended


class Ray:
    """Jobs of a Ray cluster, whose machines see the same files under the same paths.

    Args:
        slots: jobs that it is given at once, waiting or running.
        address: of its head, or auto for the one that runs on this machine; None for a cluster of this machine alone.
        cpus: of each job, which gets as many threads.
        gpus: of each job; a share where several use one.

    Raises:
        UsageError: where Ray is missing.
        ValueError: for a value that cannot be; it begins with the argument.
    """

    def __init__(self, slots: int, /, *, address: str | None = None, cpus: int = 1, gpus: float = 0.0) -> None:
        at_least("cpus", cpus, 1)
        number("gpus", gpus)
        self._ray = _begin(address)
        self._task = self._ray.remote(_run)
        self.slots = slots
        self._cpus, self._gpus = cpus, gpus
        self._running: dict[Any, Job] = {}  # Ray's reference -> job

    def start(self, job: Job) -> None:
        told = {} if self._gpus else {"CUDA_VISIBLE_DEVICES": ""}
        task = self._task.options(num_cpus=self._cpus, num_gpus=self._gpus, max_retries=0, name=job.name)
        self._running[task.remote(Command(job, cpus=self._cpus, environment=told))] = job

    def runs(self, job: Job) -> bool:
        return job in self._running.values()

    def ended(self, wait: float) -> list[Ended]:
        if not self._running:
            return []
        waiting = list(self._running)
        done, _ = self._ray.wait(waiting, num_returns=1, timeout=wait)
        if done:
            done, _ = self._ray.wait(waiting, num_returns=len(waiting), timeout=0)
        return [Ended(self._running.pop(one), self._code(one)) for one in done]

    def _code(self, one: Any) -> int:
        try:
            return int(self._ray.get(one))
        except self._ray.exceptions.TaskCancelledError:
            return TERMINATED
        except self._ray.exceptions.RayError:  # its worker or its machine has gone
            return -signal.SIGKILL

    def stop(self, job: Job) -> None:
        for one, ours in self._running.items():
            if ours == job:
                self._ray.cancel(one)

    def close(self, patience: float = 60.0) -> None:
        for job in list(self._running.values()):
            self.stop(job)
        begin = time.monotonic()
        while self._running and (left := patience - (time.monotonic() - begin)) > 0:
            self.ended(left)
        for one in self._running:
            self._ray.cancel(one, force=True)
        self._running.clear()
        self._ray.shutdown()


def _run(command: Command) -> int:
    return command()


def _begin(address: str | None) -> Any:
    """Ray, connected to a cluster."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise UsageError('where=ray: needs Ray, which is not here; pip install "rnnvision[ray]"') from error
    typed_in = Path.cwd()
    os.chdir(ROOT)  # which Ray puts on the path of its workers; each job goes where it was typed, see Command
    try:
        ray.init(address=address or "local", **QUIET)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"address={address}: no Ray cluster answers there; begin one with ray start --head, or leave it out"
        ) from error
    finally:
        os.chdir(typed_in)
    return ray
