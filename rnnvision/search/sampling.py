"""Samplers whose choice for a trial depends on nothing but the seed, the trial's number and the finished trials.

A sampler of Optuna's draws from one stream of random numbers: seeded, it begins it anew after a resume and repeats its
first trials. Here each choice has a sampler of its own, so that a resumed study equals one that was never stopped.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from rnnvision.runs.study import Axis
from rnnvision.search.cmaes import cma_es
from rnnvision.search.settings import Settings
from rnnvision.search.space import cell_of, distribution, nearest_cell, params_of, sizes_of
from rnnvision.seeding import derive_seed

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial, TrialState

Space = dict[str, "BaseDistribution"]


class Reseeded:
    """A sampler made anew for every choice, seeded by the trial's number and, where keys are drawn singly, the key."""

    def __init__(self, make: Callable[[int], "BaseSampler"], seed: int) -> None:
        self._make, self._seed = make, seed

    def _fresh(self, trial: "FrozenTrial", key: str = "") -> "BaseSampler":
        return self._make(derive_seed(self._seed, trial.number, key) % 2**32)  # NumPy takes 32 bits

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> Space:
        return self._fresh(trial).infer_relative_search_space(study, trial)

    def sample_relative(self, study: "Study", trial: "FrozenTrial", search_space: Space) -> dict[str, Any]:
        if (drawn := _drawn(trial)) is not None:
            return drawn
        return self._fresh(trial).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        return self._fresh(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: "Study", trial: "FrozenTrial") -> None:
        self._fresh(trial).before_trial(study, trial)

    def after_trial(
        self, study: "Study", trial: "FrozenTrial", state: "TrialState", values: Sequence[float] | None
    ) -> None:
        self._fresh(trial).after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Nothing: it has no stream."""


def _drawn(trial: "FrozenTrial") -> dict[str, Any] | None:
    """What a sampler has drawn for a trial that is taken up again; GP would count that trial among the others."""
    parts = sorted((key, value) for key, value in trial.system_attrs.items() if ":relative_params:" in key)
    try:
        found = json.loads("".join(str(value) for _, value in parts)) if parts else None
    except ValueError:  # its driver was killed while it wrote
        return None
    return found if isinstance(found, dict) else None


class Grid(Reseeded):
    """Every combination once, in order: the last key changes fastest."""

    def __init__(self, space: Mapping[str, Axis], make: Callable[[int], "BaseSampler"]) -> None:
        super().__init__(make, 0)
        self._space, self._sizes = space, sizes_of(space) or ()

    def sample_independent(
        self, study: "Study", trial: "FrozenTrial", param_name: str, param_distribution: "BaseDistribution"
    ) -> Any:
        left, cell = trial.number, list[int]()
        for size in reversed(self._sizes):
            left, at = divmod(left, size)
            cell.insert(0, at)
        return params_of(tuple(cell), self._space)[param_name]


class Distinct(Reseeded):
    """What a sampler chooses in a space of countable settings, each once: where an earlier trial has the very same
    values, the nearest ones that none has. The seed of a training is a value like any other, so that a second training
    would give the same score."""

    def __init__(self, space: Mapping[str, Axis], make: Callable[[int], "BaseSampler"], seed: int) -> None:
        super().__init__(make, seed)
        self._space = space

    def infer_relative_search_space(self, study: "Study", trial: "FrozenTrial") -> Space:
        return {key: distribution(axis) for key, axis in self._space.items()}

    def sample_relative(self, study: "Study", trial: "FrozenTrial", search_space: Space) -> dict[str, Any]:
        if search_space.keys() <= trial.params.keys():  # it is taken up again
            return dict(trial.params)
        relative = super().infer_relative_search_space(study, trial)
        drawn = super().sample_relative(study, trial, relative)
        for key, values in search_space.items():
            if key not in drawn:
                drawn[key] = self.sample_independent(study, trial, key, values)
        every = study._storage.get_all_trials(study._study_id, deepcopy=False)  # also of other brackets
        others = [other for other in every if other.number != trial.number]
        seed = derive_seed(self._seed, trial.number, "nearest")
        cell = nearest_cell(cell_of(drawn, self._space), set(cells_of(others, self._space)), self._space, seed)
        return params_of(cell, self._space)


def cells_of(trials: Iterable["FrozenTrial"], space: Mapping[str, Axis]) -> list[tuple[int, ...]]:
    """The cells of the trials that have all their values: one may have died while it drew them."""
    return [cell_of(trial.params, space) for trial in trials if space.keys() <= trial.params.keys()]


def most_trials(study: "Study", settings: Settings) -> int | None:
    """How many trials a study may have until it has tried every setting; None where they cannot be counted.

    A study of an earlier version may have tried some several times.
    """
    if settings.size is None:
        return None
    cells = cells_of(study.get_trials(deepcopy=False), settings.space)
    return settings.size + len(cells) - len(set(cells))


def make_sampler(settings: Settings) -> "BaseSampler":
    """The sampler of a study."""
    from optuna import samplers

    startup = settings.startup_trials or 1

    def tpe(seed: int) -> "BaseSampler":  # a trial that runs elsewhere counts as a bad one: two do not try the same
        return samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)

    def cmaes(seed: int) -> "BaseSampler":  # what is no number it draws at random
        return cma_es()(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)

    make: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": tpe,
        "random": lambda seed: samplers.RandomSampler(seed=seed),
        "grid": lambda seed: samplers.RandomSampler(seed=seed),
        "gp": lambda seed: samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False),
        "cmaes": cmaes,
        "nsga2": lambda seed: samplers.NSGAIISampler(seed=seed, population_size=startup),
    }
    chosen = make[settings.sampler]
    if settings.sampler == "grid":
        found: Reseeded = Grid(settings.space, chosen)
    elif settings.size is not None:
        found = Distinct(settings.space, chosen, settings.seed)
    else:
        found = Reseeded(chosen, settings.seed)
    return cast("BaseSampler", found)  # Optuna asks for its methods alone
