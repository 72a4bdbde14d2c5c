"""The space of a study as Optuna has it: a distribution for each key, and the values of a trial.

Where the values of every key can be counted, a setting is a cell: the position of each of its values.
"""

import random
from collections import deque
from collections.abc import Collection, Iterator, Mapping
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


def sizes_of(space: Mapping[str, Axis]) -> tuple[int, ...] | None:
    """How many values each key has; None where one is any number of an interval."""
    if any(axis.kind == "float" and axis.step is None for axis in space.values()):
        return None
    return tuple(len(axis.choices) or _position(axis, axis.high) + 1 for axis in space.values())


def cell_of(params: Mapping[str, Any], space: Mapping[str, Axis]) -> tuple[int, ...]:
    """The cell of values as Optuna keeps them."""
    return tuple(_position(axis, params[key]) for key, axis in space.items())


def params_of(cell: tuple[int, ...], space: Mapping[str, Axis]) -> dict[str, Any]:
    """The values in a cell, as Optuna keeps them."""
    return {key: _value(axis, at) for (key, axis), at in zip(space.items(), cell, strict=True)}


def nearest_cell(
    cell: tuple[int, ...], taken: Collection[tuple[int, ...]], space: Mapping[str, Axis], seed: int
) -> tuple[int, ...]:
    """The cell itself, else the fewest steps away one that is not taken, by chance of several; itself if all are.

    A step changes one key: a number to the next one up or down, a choice to any other.
    """
    chance, seen, waiting = random.Random(seed), {cell}, deque([cell])
    while waiting:
        if (found := waiting.popleft()) not in taken:
            return found
        steps = [other for other in _neighbours(found, space) if other not in seen]
        chance.shuffle(steps)
        seen.update(steps)
        waiting.extend(steps)
    return cell


def _neighbours(cell: tuple[int, ...], space: Mapping[str, Axis]) -> Iterator[tuple[int, ...]]:
    for key, (axis, size) in enumerate(zip(space.values(), sizes_of(space) or (), strict=True)):
        at = cell[key]
        for other in range(size) if axis.kind == "choice" else (at - 1, at + 1):
            if other != at and 0 <= other < size:
                yield (*cell[:key], other, *cell[key + 1 :])


def _position(axis: Axis, value: Any) -> int:
    if axis.kind == "choice":
        return [_label(choice) for choice in axis.choices].index(value)
    return round((value - (axis.low or 0)) / (axis.step or 1))


def _value(axis: Axis, position: int) -> Any:
    if axis.kind == "choice":
        return _label(axis.choices[position])
    value = (axis.low or 0) + position * (axis.step or 1)
    return int(value) if axis.kind == "int" else float(f"{value:.12g}")


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _label(value: Any) -> Any:
    return value if _is_plain(value) else as_word(value)
