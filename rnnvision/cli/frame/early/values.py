"""The values of a configuration, checked before PyTorch is imported: a mistake is told at once.

Nothing is said twice: the types and the checks are those of the constructors, read from their source. What cannot be
read there is found a little later, by the constructors themselves.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.arguments import arguments_of, check_types, plain
from rnnvision.cli.frame.early.calls import RefusedError, annotations, check_call, defaults
from rnnvision.cli.frame.early.source import UNSET, Definition, Made, UnknownError, find
from rnnvision.cli.frame.trainer.arguments import check_trainer_values
from rnnvision.errors import UsageError

Calls = list[Definition]


def check_values(config: DictConfig, typed: Iterable[str]) -> None:
    """Check the values of a verb's configuration, in the groups that hold one of the `typed` keys.

    Those of a user's own parts, which have yet to be imported, are left to them.

    Raises:
        UsageError: as the constructors' own errors are told.
    """
    if plain(config.get("plugins")) or config.get("resume") is not None:
        return
    try:
        _check_groups(config, {key.partition(".")[0] for key in typed})
    except UsageError:
        raise
    except Exception:  # the source of another version of a library may read otherwise
        return


def _check_groups(config: DictConfig, tops: set[str]) -> None:
    learner: dict[str, Any] = {key: config[key] for key in ("seed", "label_smoothing") if key in tops & set(config)}
    if learner:  # first: data.seed is what seed is
        _check("", learner, _defined("rnnvision.training.learner:Learner"))
    for group, calls in (("model", _model), ("data", _data), ("optimizer", _optimizer), ("scheduler", _scheduler)):
        node = config.get(group)
        if group in tops and isinstance(node, DictConfig) and isinstance(node.get("name"), str):
            _check(group, plain(node), calls(node.name))
    layer = OmegaConf.select(config, "model.layer")
    if "model" in tops and layer and isinstance(config.model.get("recurrence"), str):
        given = {key: value for key, value in plain(layer).items() if value is not None}
        _check("model.layer", given, _entries("rnnvision.nn.layers.layer:RECURRENCES", config.model.recurrence))
    if "augmentation" in tops and isinstance(config.get("augmentation"), DictConfig):
        _check("augmentation", plain(config.augmentation), _defined("rnnvision.data.augment:Augmentation"))
    if "trainer" in tops and isinstance(config.get("trainer"), DictConfig):
        for trainer in _defined("lightning.pytorch.trainer.trainer:Trainer"):
            usual = defaults(trainer)
            if UNSET not in usual.values():  # else the source does not say all that a Trainer takes
                check_trainer_values(plain(config.trainer), usual, annotations(trainer))
    if "loss" in tops and isinstance(config.get("loss"), DictConfig):
        for place in ("class_weight:class_weights", "class_weight:check_class_weight", "losses:check_anytime"):
            _check("loss", plain(config.loss), _defined(f"rnnvision.training.{place}"))


def _check(prefix: str, arguments: Mapping[str, Any], calls: Calls) -> None:
    for call in calls:
        check_types(prefix, arguments, annotations(call), closed=False)
    for call in calls:
        try:
            check_call(call, arguments)
        except RefusedError:  # and no other ValueError, which would be of the reading itself
            with arguments_of(prefix):
                raise


def _model(name: str) -> Calls:
    return _entries("rnnvision.nn:MODELS", name)


def _data(name: str) -> Calls:
    found = _defined("rnnvision.data.datamodule:ImageData")
    for entry in _entries("rnnvision.data.catalog:CATALOG", name):
        read = entry.values[0] if isinstance(entry, Made) else None
        read = getattr(read, "func", read)  # of a partial
        if isinstance(read, Definition):
            found += _defined("rnnvision.data.images.view:View") if read.decorator("with_view") else []
            found.append(read)
    return found


def _optimizer(name: str) -> Calls:
    made = _entries("rnnvision.training.optim:OPTIMIZERS", name)
    return [*_defined("rnnvision.training.optim:make_optimizer"), *made]


def _scheduler(name: str) -> Calls:
    return [
        *_entries("rnnvision.training.optim:SCHEDULES", name),
        *_defined(f"rnnvision.training.optim:{'plateau' if name == 'plateau' else 'make_scheduler'}"),
    ]


def _entries(table: str, name: str) -> list[Any]:
    try:
        entry = find(table).get(name)
    except UnknownError:
        return []
    return [] if entry is None else [entry]


def _defined(place: str) -> Calls:
    try:
        found = find(place)
    except UnknownError:
        return []
    return [found] if isinstance(found, Definition) else []
