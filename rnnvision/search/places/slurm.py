"""SLURM, by submitit: a job is queued again when its time is up or others come first, and then goes on."""

import os
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rnnvision.checks import at_least, positive
from rnnvision.errors import FailureError, UsageError
from rnnvision.search.job import Job
from rnnvision.search.places.command import Command
from rnnvision.search.places.place import Ended

if TYPE_CHECKING:
    from submitit.helpers import DelayedSubmission

FOLDER = ".submitit"  # beside the run folders: what submitit writes for its jobs
LOOK = {"local": 0.2, "slurm": 2.0}  # seconds between two looks at the files of all jobs
ASK = 30.0  # seconds between two questions to SLURM, what has become of jobs that left no file
LAST = 10.0  # seconds for what is killed
MOMENT = 3.0  # seconds within which a second signal says the same as the first
TERMINATED = 143  # exit code of a run that SIGTERM has ended
BY_SRUN = ("SLURM_NTASKS", "SLURM_PROCID")  # by which Lightning knows that SLURM has started its processes


class SlurmCommand(Command):
    """A job within one of SLURM's."""

    def __init__(self, job: Job, *, cpus: int, stop_file: Path, several: bool) -> None:
        super().__init__(job, cpus=cpus)
        self.stop_file, self.several = stop_file, several
        self._told_at: float | None = None

    def __call__(self) -> int:
        signal.signal(signal.SIGTERM, self._tell)
        code = super().__call__()
        if code in (TERMINATED, -signal.SIGTERM) and not self.stop_file.exists():
            # Other jobs come first, or the cluster has other reasons: it ends this one too, and may queue it again,
            # which it would not if the job seemed done.
            time.sleep(2 * ASK)
        return code

    def checkpoint(self) -> "DelayedSubmission":
        """What submitit queues again when the time is up or other jobs come first: the same, which then goes on."""
        from submitit.helpers import DelayedSubmission

        self.stop()
        return DelayedSubmission(self)

    def _on_start(self) -> None:
        if self._told_at is None and self.stop_file.exists():  # told before there was a process, or a handler
            self._tell(signal.SIGTERM, None)

    def _tell(self, signum: int, frame: object) -> None:
        """Have the process save and end; told once more a while later, end it for good."""
        if self._process is None:
            return
        is_late = self._told_at is not None and time.monotonic() - self._told_at > MOMENT
        self._process.send_signal(signal.SIGKILL if is_late else signal.SIGTERM)
        self._told_at = self._told_at or time.monotonic()

    def _child_environment(self) -> dict[str, str]:
        """A job of one task starts processes of its own, if any, and has to know nothing of those that SLURM starts."""
        found = super()._child_environment()
        return found if self.several else {name: value for name, value in found.items() if name not in BY_SRUN}


class Slurm:
    """Jobs of a SLURM cluster, whose machines see the same files under the same paths.

    Args:
        slots: jobs in its queue, waiting or running.
        cluster: slurm, or local for submitit's stand-in on this machine.
        partition, account, qos: as sbatch knows them.
        minutes: of each job; one that needs longer is queued again, and goes on from its last checkpoint.
        requeues: how often it may need longer.
        cpus: of each process, which get as many threads.
        gpus, memory_gb: of each node.
        nodes: of each job.
        tasks: processes of each node that SLURM starts.
        setup: lines of shell before each job.

    Raises:
        UsageError: where submitit or SLURM is missing.
        ValueError: for a value that cannot be; it begins with the argument.
    """

    def __init__(
        self,
        slots: int,
        /,
        *,
        cluster: Literal["slurm", "local"] = "slurm",
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        minutes: int = 60,
        requeues: int = 20,
        cpus: int = 1,
        gpus: int = 0,
        memory_gb: float | None = None,
        nodes: int = 1,
        tasks: int = 1,
        setup: Sequence[str] = (),
    ) -> None:
        for name, number, least in (
            ("minutes", minutes, 1),
            ("requeues", requeues, 0),
            ("cpus", cpus, 1),
            ("gpus", gpus, 0),
            ("nodes", nodes, 1),
            ("tasks", tasks, 1),
        ):
            at_least(name, number, least)
        if memory_gb is not None:
            positive("memory_gb", memory_gb)
        of_slurm = {"partition": partition, "account": account, "qos": qos, "memory_gb": memory_gb}
        if cluster == "local":
            for name, value in {**of_slurm, "setup": setup or None, "nodes": None if nodes == 1 else nodes}.items():
                if value is not None:
                    raise ValueError(f"{name}={value}: is SLURM's; leave it out with cluster=local")
        _require(cluster)
        self.slots = slots
        self._cluster, self._cpus, self._several = cluster, cpus, nodes * tasks > 1
        self._requeues = requeues
        self._parameters: dict[str, Any] = {
            "timeout_min": minutes,
            "cpus_per_task": cpus,
            "gpus_per_node": gpus,
            "mem_gb": memory_gb,
            "nodes": nodes,
            "tasks_per_node": tasks,
            "stderr_to_stdout": True,
            "slurm_partition": partition,
            "slurm_account": account,
            "slurm_qos": qos,
            "slurm_setup": list(setup) or None,
        }
        self._executors: dict[Path, Any] = {}
        self._running: dict[Any, Job] = {}  # submitit's job -> ours
        self._look_at = 0.0
        self._asked = time.monotonic()

    def start(self, job: Job) -> None:
        from submitit.core.utils import FailedJobError

        folder = job.folder.absolute().parent / FOLDER
        command = SlurmCommand(job, cpus=self._cpus, stop_file=self._stop_file(folder, job), several=self._several)
        command.stop_file.unlink(missing_ok=True)
        executor = self._executor(folder)
        executor.update_parameters(name=job.name)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # also in what submitit starts here: Ctrl-C
        try:  # is for this process, which tells them
            self._running[executor.submit(command)] = job
        except FailedJobError as error:  # a limit of the queue, or SLURM does not answer
            raise FailureError(f"where=slurm: sbatch takes no job: {' '.join(str(error).split())}") from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _executor(self, folder: Path) -> Any:
        import submitit

        if folder not in self._executors:
            times = {f"{self._cluster}_max_num_timeout": self._requeues}
            made = submitit.AutoExecutor(folder=folder, cluster=self._cluster, **times)
            made.update_parameters(**{k: v for k, v in self._parameters.items() if v is not None})
            self._executors[folder] = made
        return self._executors[folder]

    def _stop_file(self, folder: Path, job: Job) -> Path:
        return folder / f"{job.folder.name}.stop"

    def runs(self, job: Job) -> bool:
        return job in self._running.values()

    def ended(self, wait: float) -> list[Ended]:
        end = time.monotonic() + wait
        while self._running:
            time.sleep(max(0.0, min(end, self._look_at) - time.monotonic()))
            if time.monotonic() >= self._look_at:
                self._ask()
                done = [one for one in self._running if one.done()]
                self._look_at = time.monotonic() + LOOK[self._cluster]
                if done:
                    return [Ended(self._running.pop(one), self._end(one)) for one in done]
            if time.monotonic() >= end:
                break
        return []

    def _ask(self) -> None:
        """Ask SLURM for all jobs at once, more often than submitit would by itself."""
        if self._cluster == "slurm" and self._running and time.monotonic() - self._asked > ASK:
            next(iter(self._running)).watcher.update()
            self._asked = time.monotonic()

    def _end(self, one: Any) -> int:
        """The exit code of a job that is done, after which what submitit wrote of it is needed no more."""
        try:
            code = next((code for code in one.results() if code), 0)
        except Exception:  # it left none: it was killed, or cancelled before it began
            return -signal.SIGKILL
        for path in one.paths.folder.glob(f"{one.job_id}_*"):
            path.unlink(missing_ok=True)
        return int(code)

    def stop(self, job: Job) -> None:
        for one, ours in self._running.items():
            if ours == job:
                self._stop_file(one.paths.folder, job).touch()
                self._cancel(one)

    def _cancel(self, one: Any) -> None:
        if self._cluster == "slurm":
            one.cancel(check=False)
        else:  # where submitit's own `cancel` leaves a job a second to save
            with suppress(ProcessLookupError):
                os.kill(int(one.job_id), signal.SIGTERM)

    def close(self, patience: float = 60.0) -> None:
        for job in list(self._running.values()):
            self.stop(job)
        self._wait(patience)
        for one in self._running:
            self._cancel(one)  # for good
        self._wait(LAST)
        self._running.clear()

    def _wait(self, patience: float) -> None:
        begin = time.monotonic()
        while self._running and time.monotonic() - begin < patience:
            self.ended(1.0)


def _require(cluster: str) -> None:
    """Refuse a place that is not here."""
    try:
        import submitit  # noqa: F401
    except ImportError as error:
        raise UsageError('where=slurm: needs submitit, which is not here; pip install "rnnvision[slurm]"') from error
    if cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise UsageError(
            "where=slurm: this machine has no sbatch; type it on a login node of the cluster, or try it here: "
            "where=slurm where.cluster=local"
        )
