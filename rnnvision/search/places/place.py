"""What a place promises, whatever it is: jobs are started in slots, followed by their folders, and come out once."""

from typing import NamedTuple, Protocol

from rnnvision.search.job import Job


class Ended(NamedTuple):
    """A job that has ended, with its exit code, or minus the signal that ended it."""

    job: Job
    code: int


class Place(Protocol):
    """Somewhere that jobs can run. What they print goes to output.log in their folders."""

    slots: int  # jobs that may run at once

    def start(self, job: Job) -> None:
        """Run a job; there has to be a free slot.

        Raises:
            FailureError: where none can be begun now.
            OSError: if its folder cannot be made.
        """

    def runs(self, job: Job) -> bool:
        """Whether a job has been started and has not come out of `ended`."""

    def ended(self, wait: float) -> list[Ended]:
        """The jobs that have ended since the last call; waits up to `wait` seconds for the first one."""

    def stop(self, job: Job) -> None:
        """Tell a job to save and end (SIGTERM); it still comes out of `ended`."""

    def close(self, patience: float = 60.0) -> None:
        """End what still runs: tell it to, then wait up to `patience` seconds for each, then kill it."""
