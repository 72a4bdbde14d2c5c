"""A study as it runs: trials are begun in the slots of a place, followed by their epochs, pruned, and told to Optuna.

A trial writes its run folder and knows nothing of the study. Its epochs are read from metrics.csv one by one, whatever
it has done meanwhile, so that what is pruned, and after which epoch, does not depend on who is quicker.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rnnvision.errors import FailureError
from rnnvision.runs import Run, last_line
from rnnvision.runs.lock import Lock
from rnnvision.runs.read import LOCK
from rnnvision.search.claims import Claim, Claims
from rnnvision.search.job import OUTPUT, Job
from rnnvision.search.objective import epoch_scores, figure
from rnnvision.search.places import Place
from rnnvision.search.record import ERROR, SECONDS
from rnnvision.search.settings import Settings

if TYPE_CHECKING:
    from optuna import Study

LOOK = 0.05  # seconds between two looks at the trials that run: a trial that is pruned goes on until the next one
ELSEWHERE = 1.0  # seconds between two looks at those of other processes
STARTS = 3  # of a trial that somebody interrupts, before it has failed
HOPELESS = 3  # failed trials, and no other, after which something else must be wrong
INTERRUPTED = (129, 130, 143, -1, -2, -10, -15)  # exit codes: SIGHUP, Ctrl-C, SIGTERM and SIGUSR1, heard or not


class Watcher(Protocol):
    """Whoever is told how the trials go."""

    def began(self, claim: Claim) -> None: ...
    def scored(self, claim: Claim, epoch: int, score: float) -> None: ...
    def ended(self, claim: Claim, state: str, values: tuple[float, ...], error: str | None, epochs: int) -> None: ...
    def look(self) -> None:
        """Now and then, while trials run."""

    def waits(self, running: int) -> None:
        """For trials of other processes: nothing is left to begin."""


@dataclass
class Active:
    """A trial that this process drives, from its claim until its job is out of the way."""

    claim: Claim
    job: Job
    reported: set[int] = field(default_factory=set)
    started: int = 0  # how often; 0 also while a process runs that an earlier driver has started
    told: bool = False  # Optuna knows how it ended
    seen: tuple[int, int] = (0, 0)  # of metrics.csv: time of change and size


class Driver:
    """Runs the trials of a study, as one of any number of processes that do.

    Args:
        study: of Optuna's.
        folder: of the study.
        settings: of the study.
        total: how many trials there are to be, those before this process among them.
        place: where they run.
        make_job: a trial's number and values -> its job.
        watcher: who is told.
        deadline: seconds after which no further trial begins.
    """

    def __init__(
        self,
        study: "Study",
        folder: Path,
        settings: Settings,
        total: int,
        place: Place,
        make_job: Callable[[int, Mapping[str, Any]], Job],
        watcher: Watcher,
        deadline: float | None = None,
    ) -> None:
        self.study, self.settings, self.place = study, settings, place
        self.claims = Claims(study, folder, settings.space, total)
        self._make_job, self._watcher = make_job, watcher
        self._active: list[Active] = []
        self._end = None if deadline is None else time.monotonic() + deadline
        self._failed: list[str] = []
        self._waits = False
        self._ask_at = 0.0  # no trial is there to be had before

    def run(self) -> None:
        """Until all trials have ended, here or in other processes, or the time is over.

        Raises:
            FailureError: when trials only fail.
        """
        try:
            while self._fill() or not self._is_over():
                if self._active and not any(active.started for active in self._active):
                    time.sleep(LOOK)  # nothing runs in this place: the processes are those of a driver that has died
                for job, code in self.place.ended(LOOK):
                    self._job_ended(next(active for active in self._active if active.job == job), code)
                for active in list(self._active):
                    self._look(active)
                self._watcher.look()
        finally:
            self.place.close()
            for active in self._active:
                self.claims.release(active.claim)

    # Trials begin -----------------------------------------------------------------------------------------------------

    def _fill(self) -> bool:
        """Take trials until every slot has one; whether there are any."""
        while len(self._active) < self.place.slots and time.monotonic() >= self._ask_at:
            in_time = self._end is None or time.monotonic() < self._end
            claim = self.claims.next(new=in_time)
            if claim is None:
                self._ask_at = time.monotonic() + ELSEWHERE
                break
            self._begin(claim)
        return bool(self._active)

    def _begin(self, claim: Claim) -> None:
        active = Active(claim, self._make_job(claim.number, claim.params))
        active.reported = set(claim.trial.storage.get_trial(claim.trial._trial_id).intermediate_values)
        self._active.append(active)
        self._watcher.began(claim)
        if active.reported and self._is_to_be_pruned(active, max(active.reported)):
            self._prune(active)  # its process died before it said so
        self._look(active)

    def _look(self, active: Active) -> None:
        """Follow a trial; start its job, unless the process that an earlier driver has started still runs."""
        if not active.told:
            self._follow(active)
        if active.started or Lock(active.job.folder / LOCK).holder() is not None:
            return
        if active.told:
            self._forget(active)
        elif active.job.status == "completed":
            self._complete(active)
            self._forget(active)
        else:
            active.started += 1
            self.place.start(active.job)

    def _forget(self, active: Active) -> None:
        self._active.remove(active)
        self.claims.release(active.claim)

    def _is_over(self) -> bool:
        """Whether no trial is left, of any process; waits a moment where some are."""
        left, running = self.claims.left()
        if self._end is not None and time.monotonic() >= self._end:
            left = 0
        if not left and not running:
            return True
        if running and not self._waits:
            self._waits = True
            self._watcher.waits(running)
        time.sleep(ELSEWHERE)
        return False

    # Epochs -----------------------------------------------------------------------------------------------------------

    def _follow(self, active: Active) -> None:
        """Report the epochs that have not been, one by one, until one is the last that the trial gets."""
        if len(self.settings.metrics) > 1:
            return
        file = active.job.folder / "metrics.csv"
        try:
            stat = file.stat()
        except OSError:
            return
        if active.seen == (stat.st_mtime_ns, stat.st_size):
            return
        active.seen = (stat.st_mtime_ns, stat.st_size)
        for epoch, score in epoch_scores(active.job.folder, self.settings.metrics[0]):
            if epoch in active.reported:
                continue
            active.claim.trial.report(score, epoch)
            active.reported.add(epoch)
            self._watcher.scored(active.claim, epoch, score)
            if self._is_to_be_pruned(active, epoch):
                self._prune(active)
                return

    def _is_to_be_pruned(self, active: Active, epoch: int) -> bool:
        last = self.settings.max_epochs is not None and epoch >= self.settings.max_epochs
        return not last and active.claim.trial.should_prune()

    def _prune(self, active: Active) -> None:
        from optuna.trial import TrialState

        self._tell(active, TrialState.PRUNED)
        if active.started:
            self.place.stop(active.job)

    # Trials end -------------------------------------------------------------------------------------------------------

    def _job_ended(self, active: Active, code: int) -> None:
        if not active.told:
            active.seen = (0, 0)
            self._follow(active)
        if active.told:
            self._forget(active)
            return
        if code in INTERRUPTED and active.started < STARTS:  # somebody ended it who is not the study
            active.started += 1
            self.place.start(active.job)
            return
        if code == 0:
            self._complete(active)
        elif Lock(active.job.folder / LOCK).holder() is not None:  # refused: an earlier driver's job was in the queue
            active.started = 0
            return
        else:
            self._fail(active, _reason(active.job, code))
        self._forget(active)

    def _complete(self, active: Active) -> None:
        from optuna.trial import TrialState

        metrics = Run(active.job.folder).metrics
        try:
            values = tuple(figure(metrics, name) for name in self.settings.metrics)
            limits = {str(limit): limit.violation(figure(metrics, limit.metric)) for limit in self.settings.limits}
        except ValueError as error:
            self._fail(active, str(error))
            return
        trial = active.claim.trial
        for name, violation in limits.items():
            if name not in trial.constraints:
                trial.set_constraint(name, violation)
        self._tell(active, TrialState.COMPLETE, values)

    def _fail(self, active: Active, error: str) -> None:
        from optuna.trial import TrialState

        active.claim.trial.set_user_attr(ERROR, error)
        self._tell(active, TrialState.FAIL, error=error)
        self._failed.append(error)
        if len(self._failed) < HOPELESS or any(t.state != TrialState.FAIL for t in self._finished()):
            return
        raise FailureError(f"every trial so far has failed, {len(self._failed)} here, the last one because: {error}")

    def _finished(self) -> list[Any]:
        return [trial for trial in self.study.get_trials(deepcopy=False) if trial.state.is_finished()]

    def _tell(self, active: Active, state: Any, values: tuple[float, ...] = (), error: str | None = None) -> None:
        seconds = Run(active.job.folder).training_seconds
        if seconds is not None:
            active.claim.trial.set_user_attr(SECONDS, round(seconds, 3))
        self.study.tell(active.claim.trial, list(values) or None, state=state)
        active.told = True
        words = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed"}
        self._watcher.ended(active.claim, words[state.name], values, error, len(active.reported))


def _reason(job: Job, code: int) -> str:
    """Why a job has failed, in one line."""
    run = Run(job.folder)
    if code > 0 and run.status == "failed" and run.error:
        return run.error
    log = job.folder / OUTPUT
    said = last_line(log) if log.is_file() and code > 0 else ""
    return said or (f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}")
