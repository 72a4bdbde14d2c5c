"""The space of a study as Optuna has it: a distribution for each key, and the values of a trial."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rnnvision.runs.study import Axis, as_word

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution


def distribution(axis: Axis) -> "BaseDistribution":
    """What Optuna draws from; a choice of lists or mappings is one of their texts."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.kind == "choice":
        return CategoricalDistribution([_label(value) for value in axis.choices])
    assert axis.low is not None
    assert axis.high is not None
    if axis.kind == "int":
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log, step=int(axis.step or 1))
    return FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step)


def suggested(trial: "Trial", space: Mapping[str, Axis]) -> dict[str, Any]:
    """The values of a trial, drawn or, where that has been done, read back."""
    drawn = {key: trial._suggest(key, distribution(axis)) for key, axis in space.items()}
    return values_of(drawn, space)


def values_of(params: Mapping[str, Any], space: Mapping[str, Axis]) -> dict[str, Any]:
    """The values behind what Optuna keeps."""
    found = {}
    for key, axis in space.items():
        if key in params:
            texts = {_label(value): value for value in axis.choices if not _is_plain(value)}
            found[key] = texts.get(params[key], params[key]) if texts else params[key]
    return found


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _label(value: Any) -> Any:
    return value if _is_plain(value) else as_word(value)
