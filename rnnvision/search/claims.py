"""Who drives which trial: each one belongs to a single living process, and one whose process has died is taken up.

Trials are made, counted and taken up under one lock of the study's folder. Whoever drives a trial holds the lock of
that trial until it has ended, and the system frees it when that process dies. So any number of processes, on any number
of machines that share the folder, make no trial too many and lose none.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.runs.lock import Lock
from rnnvision.runs.study import Axis
from rnnvision.search.space import suggested
from rnnvision.search.storage import CLAIM, held

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna import Study, Trial


@dataclass
class Claim:
    """A trial that this process drives."""

    trial: "Trial"
    params: dict[str, Any]
    lock: Lock
    again: bool  # it was begun by another process, which has died

    @property
    def number(self) -> int:
        return int(self.trial.number)


class Claims:
    """The trials of a study, as the processes share them.

    Args:
        study: of Optuna's.
        folder: of the study.
        space: key -> what it may be.
        total: how many trials there are to be.
    """

    def __init__(self, study: "Study", folder: Path, space: "Mapping[str, Axis]", total: int) -> None:
        self.study, self.folder, self.space, self.total = study, folder, space, total
        self._mine: set[int] = set()

    def next(self, *, new: bool = True) -> Claim | None:
        """A trial to drive: one whose process has died, else a new one; None where all have begun."""
        from optuna import Trial
        from optuna.trial import TrialState

        with held(self.folder / CLAIM):
            trials = self.study.get_trials(deepcopy=False)
            for frozen in trials:
                if frozen.state != TrialState.RUNNING or frozen.number in self._mine:
                    continue
                lock = self._lock(frozen.number)
                if not lock.acquire():
                    continue
                if self.study._storage.get_trial(frozen._trial_id).state == TrialState.RUNNING:
                    return self._claim(Trial(self.study, frozen._trial_id), lock, again=True)
                lock.release()  # it has ended since the look at all of them
            if not new or len(trials) >= self.total:
                return None
            trial = self.study.ask()
            lock = self._lock(trial.number)
            lock.acquire()
            return self._claim(trial, lock, again=False)

    def _claim(self, trial: "Trial", lock: Lock, *, again: bool) -> Claim:
        self._mine.add(trial.number)
        return Claim(trial, suggested(trial, self.space), lock, again)

    def release(self, claim: Claim) -> None:
        """Let go of a trial, which has ended, or which another process is to go on with."""
        self._mine.discard(claim.number)
        claim.lock.release()

    def _lock(self, number: int) -> Lock:
        return Lock(self.folder / "trials" / f"{number:04d}.lock")

    def left(self) -> tuple[int, int]:
        """(trials that have not begun, trials that run)."""
        from optuna.trial import TrialState

        trials = self.study.get_trials(deepcopy=False)
        running = sum(trial.state == TrialState.RUNNING for trial in trials)
        return max(0, self.total - len(trials)), running
