"""The settings of a study: what is searched, by what, for what. They are kept in its folder, and checked here."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rnnvision.atomic import whole
from rnnvision.checks import at_least, choose_one, message_line, one_of, seed_number
from rnnvision.errors import UsageError
from rnnvision.runs import read_json
from rnnvision.runs.metrics import lower_is_better
from rnnvision.runs.study import DIRECTIONS, Axis, read_axis
from rnnvision.search.objective import EPOCHS, Constraint, check_metric
from rnnvision.search.space import sizes_of

FILE = "study.json"
SAMPLERS = ("tpe", "random", "grid", "gp", "cmaes", "nsga2")
PRUNERS = ("none", "median", "hyperband", "successive_halving")
STARTUP = {"tpe": 10, "gp": 10, "cmaes": 1, "nsga2": 20}  # trials at random before the sampler chooses
CONSTRAINED = ("tpe", "gp", "nsga2")  # samplers that keep away from what breaks a constraint
OF_SEVERAL = ("tpe", "random", "grid", "gp", "nsga2")  # samplers that take several objectives


@dataclass(frozen=True)
class Settings:
    """A study, but for how many trials it has.

    Attributes:
        metrics: what is searched for; one direction (maximize, minimize) each.
        space: key -> what it may be.
        constraints: NAME<=NUMBER or NAME>=NUMBER, of the same names as metrics.
        startup_trials: at random before the sampler chooses, of nsga2 its population; None where it has none.
        pruner: none, median, hyperband or successive_halving.
        min_epochs: of a trial before it may be pruned.
        max_epochs: of every trial, where it is the same; None where it is not known.
        storage: None (a database in the folder), journal (a file in the folder), or a URL of Optuna's.
        words: what every trial is told.
        config_dir: "--config-dir" and the user's own configurations, where there are any.
    """

    name: str
    metrics: tuple[str, ...]
    directions: tuple[str, ...]
    space: Mapping[str, Axis]
    sampler: str = "tpe"
    startup_trials: int | None = None
    pruner: str = "none"
    min_epochs: int = 1
    max_epochs: int | None = None
    constraints: tuple[str, ...] = ()
    seed: int = 0
    storage: str | None = None
    words: tuple[str, ...] = ()
    config_dir: tuple[str, ...] = field(default=())

    @property
    def limits(self) -> list[Constraint]:
        return [Constraint.read(text) for text in self.constraints]

    @property
    def size(self) -> int | None:
        """The number of settings in the space; None where a number has no steps."""
        sizes = sizes_of(self.space)
        return None if sizes is None else math.prod(sizes)

    def write(self, folder: Path, n_trials: int) -> None:
        text = json.dumps({**asdict(self), "n_trials": n_trials}, indent=1)
        with whole(folder / FILE) as file:
            file.write(f"{text}\n")


def read_settings(folder: Path) -> tuple[Settings, int]:
    """The settings of the study in a folder, and its number of trials.

    Raises:
        UsageError: if it holds none.
    """
    found = read_json(folder / FILE)
    try:
        return _read(found), int(found["n_trials"])
    except (KeyError, TypeError, ValueError, AttributeError, UsageError) as error:
        reason = f"{error.args[0]} is missing" if isinstance(error, KeyError) else message_line(str(error))
        why = f"it has no {FILE}" if not (folder / FILE).is_file() else f"{FILE} is damaged: {reason}"
        raise UsageError(f"resume={folder}: holds no study ({why})") from error


def _read(found: dict[str, Any]) -> Settings:
    """Settings as they lie in a file, held to what those of a command are."""
    at_least("n_trials", found["n_trials"], 1)
    texts = {key: _texts(key, found.get(key, [])) for key in ("metrics", "directions", "constraints", "words")}
    if not texts["metrics"]:
        raise ValueError("metrics: there is none")
    for key in ("name", "storage"):
        if not isinstance(found.get(key), str) and (key == "name" or found.get(key) is not None):
            raise ValueError(f"{key}={found.get(key)}: must be text")
    if (max_epochs := found.get("max_epochs")) is not None:
        at_least("max_epochs", max_epochs, 1)
    at_least("min_epochs", min_epochs := found.get("min_epochs", 1), 1)
    pruner = found.get("pruner", "none")
    return checked(
        name=found["name"],
        space={key: read_axis(axis) for key, axis in found["space"].items()},
        metrics=texts["metrics"],
        direction=texts["directions"],
        sampler=found.get("sampler", "tpe"),
        startup_trials=found.get("startup_trials"),
        pruner=pruner,
        min_epochs=None if pruner == "none" else min_epochs,
        max_epochs=max_epochs,
        constraints=texts["constraints"],
        seed=found.get("seed", 0),
        storage=found.get("storage"),
        words=texts["words"],
        config_dir=_texts("config_dir", found.get("config_dir", [])),
    )


def _texts(key: str, found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise ValueError(f"{key}={found}: must be a list of texts")
    return found


def checked(
    *,
    name: str,
    space: Mapping[str, Axis],
    metrics: Sequence[str],
    direction: Any = None,
    sampler: str = "tpe",
    startup_trials: int | None = None,
    pruner: str | None = None,
    min_epochs: int | None = None,
    max_epochs: int | None = None,
    constraints: Iterable[str] = (),
    seed: int = 0,
    storage: str | None = None,
    words: Iterable[str] = (),
    config_dir: Iterable[str] = (),
) -> Settings:
    """The settings of a new study, those that are None by their defaults.

    Raises:
        UsageError: for what cannot be, with what is legal.
        ValueError: the same, beginning with the argument.
    """
    key = "metric" if len(metrics) == 1 else "objectives"
    for metric in metrics:
        check_metric(key, metric)
    if len(set(metrics)) < len(metrics):
        raise UsageError(f"objectives=[{','.join(metrics)}]: name each once")
    one_of("sampler", sampler, SAMPLERS)
    seed_number("search_seed", seed)
    _check_space(sampler, space)
    if len(metrics) > 1 and sampler not in OF_SEVERAL:
        others = ", ".join(OF_SEVERAL)
        raise UsageError(f"sampler={sampler}: searches for one metric; for several choose one of {others}")
    limits = [Constraint.read(str(text)) for text in constraints]
    if limits and sampler not in CONSTRAINED:
        raise UsageError(f"sampler={sampler}: knows no constraints; choose one of {', '.join(CONSTRAINED)}")
    if startup_trials is not None:
        at_least("startup_trials", startup_trials, 2 if sampler == "nsga2" else 1)
        if sampler not in STARTUP:
            raise UsageError(f"startup_trials={startup_trials}: sampler={sampler} has none; leave it out")
    chosen = pruner_of(metrics, pruner)
    if min_epochs is not None:
        at_least("min_epochs", min_epochs, 1)
        if max_epochs is not None and min_epochs > max_epochs:
            raise ValueError(f"min_epochs={min_epochs}: a trial has {max_epochs}, and nothing would be pruned")
        if chosen == "none":
            raise UsageError(f"min_epochs={min_epochs}: nothing is pruned here; leave it out")
    return Settings(
        name=name,
        metrics=tuple(metrics),
        directions=directions_of(metrics, direction),
        space=dict(space),
        sampler=sampler,
        startup_trials=STARTUP.get(sampler) if startup_trials is None else startup_trials,
        pruner=chosen,
        min_epochs=min_epochs or 1,
        max_epochs=max_epochs,
        constraints=tuple(map(str, limits)),
        seed=seed,
        storage=storage,
        words=tuple(words),
        config_dir=tuple(config_dir),
    )


def pruner_of(metrics: Sequence[str], asked: str | None) -> str:
    prunable = len(metrics) == 1 and metrics[0] in EPOCHS
    if asked is None:
        return "median" if prunable else "none"
    one_of("pruner", asked, PRUNERS)
    if asked == "none" or prunable:
        return asked
    if len(metrics) > 1:
        raise UsageError(
            f"pruner={asked}: a trial with several objectives cannot be pruned: no epoch says which is worse; leave it "
            f"out, or search for one and limit the other, for example metric={metrics[0]} "
            f'constraints=["{metrics[1]}<=1e6"]'
        )
    raise UsageError(
        f"pruner={asked}: {metrics[0]} is known at the end of a training only; choose pruner=none, or a metric of "
        f"every epoch: {', '.join(EPOCHS)}"
    )


def directions_of(metrics: Sequence[str], asked: Any) -> tuple[str, ...]:
    if asked is None:
        return tuple("minimize" if lower_is_better(metric) else "maximize" for metric in metrics)
    found = [str(one) for one in asked] if isinstance(asked, (list, tuple)) else [str(asked)]
    shown = asked if isinstance(asked, str) else f"[{','.join(found)}]"
    for one in found:
        if one not in DIRECTIONS:
            raise UsageError(f"direction={shown}: {choose_one(one, DIRECTIONS)}")
    if len(found) != len(metrics):
        raise UsageError(f"direction={shown}: give one for each of {', '.join(metrics)}")
    return tuple(found)


def _check_space(sampler: str, space: Mapping[str, Axis]) -> None:
    if not space:
        raise UsageError(
            "there is nothing to search: give a key several values, for example "
            "model.hidden_size=64,128 'optimizer.lr=tag(log,interval(1e-4,1e-2))', or search=NAME of conf/search"
        )
    for key, axis in space.items():
        if sampler == "grid" and axis.kind == "float" and axis.step is None:
            raise UsageError(f"{key}: a grid needs single values; write choice(A,B) or range(A,B,STEP), or sampler=tpe")
    numbers = [key for key, axis in space.items() if axis.kind != "choice"]
    if sampler == "cmaes" and len(numbers) < 2:
        raise UsageError("sampler=cmaes: needs two keys with numbers, interval(A,B) or range(A,B); choose sampler=tpe")
