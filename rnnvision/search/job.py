"""A job: one plain run of a verb, in a process and a folder of its own, that may be begun, killed and gone on with."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from rnnvision.errors import FailureError
from rnnvision.launch import module_command
from rnnvision.runs import Run, is_first_process
from rnnvision.runs.lock import Lock
from rnnvision.runs.read import LOCK, TRACKING

OUTPUT = "output.log"  # in the folder: all that the process prints, also what comes before the run's own log
PATIENCE = 120.0  # seconds for a process that outlives whoever has started it, while it saves


@dataclass(frozen=True)
class Job:
    """One run of a verb.

    Attributes:
        name: of its folder, for people.
        folder: its run folder.
        module: of the verb, such as rnnvision.cli.train.
        fresh: the words that begin it, hydra.run.dir among them.
        resume: the words that go on from its last checkpoint; () where the verb has none.
    """

    name: str
    folder: Path
    module: str
    fresh: tuple[str, ...]
    resume: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """ "" (not begun), running, completed, failed, interrupted or killed."""
        return Run(self.folder).state

    @property
    def goes_on(self) -> bool:
        """Whether it has a checkpoint to go on from: its last, or of epochs that ended another one."""
        run = Run(self.folder)
        return bool(self.resume) and (run.last_checkpoint is not None or (run.has_saved and bool(run.epochs)))

    def command(self) -> list[str]:
        """What runs it now: from its last checkpoint, else from its start, without what an earlier start has left.

        Called by whatever runs the job when it runs it, since by then the folder may hold more than when it was made.
        Where SLURM has started several processes for it, the first one alone waits for the folder and clears it.
        """
        if self.folder.is_symlink():
            raise FailureError(f"{self.folder}: is a link, and its run would write elsewhere; remove it")
        if is_first_process():
            self._wait()
        goes_on = self.goes_on
        if not goes_on and is_first_process():
            self._clear()
        return module_command(self.module, *(self.resume if goes_on else self.fresh))

    def _wait(self) -> None:
        """Wait for a process that is about to end; whom it waits for in vain the run itself names."""
        lock, begin = Lock(self.folder / LOCK), time.monotonic()
        while lock.holder() is not None and time.monotonic() - begin < PATIENCE:
            time.sleep(0.05)

    def _clear(self) -> None:
        """Remove what a start left that came to nothing, but the lock, which somebody may be about to take, and its run
        at the trackers, of which each job has one."""
        lock = Lock(self.folder / LOCK)
        if not self.folder.is_dir() or not lock.acquire():
            return
        with lock:
            for path in self.folder.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path, ignore_errors=True)
                elif path.name not in (LOCK, TRACKING):
                    path.unlink(missing_ok=True)
