"""Pruners: which trial is stopped after an epoch, by the scores of the others."""

from typing import TYPE_CHECKING

from rnnvision.search.settings import Settings

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

COMPLETE = 5  # trials that run to their end before the median of them says anything


def make_pruner(settings: Settings) -> "BasePruner":
    """The pruner of a study."""
    from optuna import pruners

    first = settings.min_epochs
    if settings.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=COMPLETE, n_warmup_steps=first)
    if settings.pruner == "hyperband":
        return pruners.HyperbandPruner(min_resource=first, max_resource=settings.max_epochs or "auto")
    if settings.pruner == "successive_halving":
        return pruners.SuccessiveHalvingPruner(min_resource=first)
    return pruners.NopPruner()
