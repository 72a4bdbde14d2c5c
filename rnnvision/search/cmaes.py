"""CMA-ES without the pickles that Optuna's keeps in a study, by which a stranger's could have anything run."""

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.samplers import CmaEsSampler
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial


@cache
def cma_es() -> "type[CmaEsSampler]":
    """Optuna's sampler, whose state is computed anew from the finished trials, one generation after the other."""
    from optuna import samplers, study

    class CmaEs(samplers.CmaEsSampler):
        _completed: "list[FrozenTrial]"

        def _restore_optimizer(self, completed_trials: "list[FrozenTrial]") -> None:
            """Unpickle nothing: Optuna then asks for a new one."""
            self._completed = completed_trials

        def _init_optimizer(self, trans: Any, direction: "StudyDirection") -> Any:
            """One that has been told all that there is, so that Optuna stores no state either."""
            found = super()._init_optimizer(trans, direction)
            sign = 1 if direction == study.StudyDirection.MINIMIZE else -1
            while True:
                told = self._get_solution_trials(self._completed, found.generation)[: found.population_size]
                if len(told) < found.population_size:
                    return found
                found.tell([(trans.transform(trial.params), sign * (trial.value or 0.0)) for trial in told])

    return CmaEs
