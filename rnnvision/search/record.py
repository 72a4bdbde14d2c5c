"""A study of Optuna's as the record that people and pictures read."""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rnnvision.checks import message_line
from rnnvision.runs.study import StudyRecord, TrialRow
from rnnvision.search.settings import Settings
from rnnvision.search.space import values_of
from rnnvision.search.storage import shown

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

STATES = {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running", "WAITING": "running"}
ERROR, SECONDS = "error", "seconds"  # what a trial is noted with
FEWEST = 5  # completed trials that say anything of what matters
Words = Callable[[Mapping[str, Any]], tuple[str, ...]]


def record_of(study: "Study", settings: Settings, total: int, words: Words, *, whole: bool = False) -> StudyRecord:
    """The study as it stands, `words` made of the values of a trial; `whole`: with importances, which take a while."""
    trials = study.get_trials(deepcopy=False)
    return StudyRecord(
        name=settings.name,
        metrics=settings.metrics,
        directions=settings.directions,
        space=settings.space,
        trials=tuple(row_of(trial, settings, words) for trial in trials),
        words=settings.words,
        config_dir=settings.config_dir,
        importances=importances(study) if whole else {},
        settings={
            "trials": str(total),
            "sampler": settings.sampler,
            "pruner": settings.pruner,
            "seed of the search": str(settings.seed),
            **({"constraints": ", ".join(settings.constraints)} if settings.constraints else {}),
            **({"storage": shown(settings.storage)} if settings.storage else {}),
        },
    )


def row_of(trial: "FrozenTrial", settings: Settings, words: Words) -> TrialRow:
    params = values_of(trial.params, settings.space)
    state = STATES[trial.state.name]
    seconds, error = trial.user_attrs.get(SECONDS), trial.user_attrs.get(ERROR)
    return TrialRow(
        number=trial.number,
        state=state,
        values=tuple(trial.values or ()) if state == "completed" else (),
        params=params,
        overrides=words(params),
        steps=dict(sorted(trial.intermediate_values.items())),
        seconds=seconds if isinstance(seconds, (int, float)) else None,
        error=None if error is None else message_line(str(error)),
        feasible=all(value <= 0 for value in trial.constraints.values()),
    )


def importances(study: "Study") -> dict[str, float]:
    """How much each key matters for the first metric, as shares; {} where the trials do not say."""
    from optuna.importance import get_param_importances
    from optuna.trial import TrialState

    completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(completed) < FEWEST or len(completed[0].params) < 2:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = get_param_importances(study, target=lambda trial: trial.values[0])
    except (RuntimeError, ValueError):  # too few trials, or all with one score
        return {}
    return {key: float(share) for key, share in found.items()}
