"""From a composed configuration to arguments and objects: everything is checked before anything is made."""

import importlib
import inspect
import os
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import choose_one
from rnnvision.cli.frame.command_line.files import config_dir as config_dir  # for those that need more than files
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError
from rnnvision.signature import constructors, parameters

# The only things a configuration can make by `_target_`; everything else is made by name from a table.
ALLOWED_TARGETS = frozenset(
    {
        "lightning.pytorch.callbacks.EMAWeightAveraging",
        "lightning.pytorch.callbacks.EarlyStopping",
        "lightning.pytorch.callbacks.LearningRateMonitor",
        "lightning.pytorch.callbacks.ModelCheckpoint",
        "lightning.pytorch.loggers.MLFlowLogger",
        "lightning.pytorch.loggers.TensorBoardLogger",
        "lightning.pytorch.loggers.WandbLogger",
        "rnnvision.training.BestCheckpoint",
        "rnnvision.training.RunLog",
    }
)
REFUSED = {  # arguments of those that cannot do here what they promise: what to do instead
    "verbose": "would print nothing here; each epoch has its line and its row in metrics.csv",
    "log_rank_zero_only": "concerns what verbose=true would print, which is nothing here",
    "train_time_interval": "cannot be written in a configuration; choose every_n_epochs",
    "save_last": "callbacks.last does that",
    "log_graph": "would draw nothing here; rnnvision benchmark says what a network is made of",
    "root_dir": "is save_dir",
    "default_hp_metric": "would show nothing: the HParams tab has the final figures",
    "experiment": "is an object, which a configuration cannot hold",
}
Functions = Callable[..., Any] | tuple[Callable[..., Any], ...]
_PLURALS = {"a whole number": "whole numbers", "a number": "numbers"}
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def own_config_dir() -> list[str]:
    """What a command that this one starts has to be told of the user's own configurations: ["--config-dir", DIR]."""
    sources = HydraConfig.get().runtime.config_sources
    found = [source.path for source in sources if source.provider == "command-line"]
    return ["--config-dir", str(found[0])] if found else []


def typed_words() -> list[str]:
    """The words of this command as they were typed: what a ${...} stands for may be secret, or differ by trial."""
    found = OmegaConf.to_container(HydraConfig.get().overrides, resolve=False)
    assert isinstance(found, dict)
    return list(found["task"])


def plain(node: Any) -> Any:
    """A configuration node as plain Python values, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


@contextmanager
def arguments_of(prefix: str) -> Iterator[None]:
    """Turn a constructor's ValueError, which begins with the argument, into a UsageError with the config key."""
    try:
        yield
    except ValueError as error:
        text = str(error)
        separator = "." if re.match(r"[\w.]+=", text) else ": "
        raise UsageError(f"{prefix}{separator if prefix else ''}{text}") from error


def named_arguments(prefix: str, node: DictConfig, table: Mapping[str, Functions]) -> dict[str, Any]:
    """The arguments in `node` for the entry of `table` that its `name` says, checked against the real signatures.

    Raises:
        UsageError: for an unknown name or argument, or a value of the wrong type.
    """
    arguments = plain(node)
    name = arguments.get("name")
    if name is None:
        raise UsageError(f"{prefix}.name: is in no file of {prefix}=; {choose_one('', table)}")
    if not isinstance(name, str) or name not in table:
        raise UsageError(f"{prefix}.name={name}: {choose_one(name, table, f'{prefix}.name=')}")
    entry = table[name]
    functions = entry if isinstance(entry, tuple) else (entry,)
    check_arguments(prefix, {k: v for k, v in arguments.items() if k != "name"}, *functions)
    return arguments


def check_arguments(prefix: str, arguments: Mapping[str, Any], *functions: Callable[..., Any]) -> None:
    """Check that every argument is a parameter of one of `functions` and has the annotated type.

    Of a class every parameter counts, of a function those that are keyword-only: the others are not the user's.

    Raises:
        UsageError: that names the key, and what is legal.
    """
    annotations: dict[str, Any] = {}
    for function in functions:
        annotations |= annotations_of(function)
    check_types(prefix, arguments, annotations)


def check_types(
    prefix: str, arguments: Mapping[str, Any], annotations: Mapping[str, Any], *, closed: bool = True
) -> None:
    """Check that every argument has its annotated type, and that it is annotated unless others are legal too.

    Raises:
        UsageError: that names the key, and what is legal.
    """
    prefix = f"{prefix}." if prefix else ""
    for key, value in arguments.items():
        if key not in annotations:
            if not closed:
                continue
            raise UsageError(f"{prefix}{key}: there is no such key; {choose_one(key, annotations, prefix)}")
        if not _fits(value, annotations[key]):
            raise UsageError(f"{prefix}{key}={yaml_text(value)}: must be {_describe(annotations[key])}")


def takes(functions: tuple[Callable[..., Any], ...], argument: str, value: Any) -> bool:
    """Whether an argument of one of these functions may have this value."""
    annotations = {key: kind for function in functions for key, kind in annotations_of(function).items()}
    return argument in annotations and annotations[argument] is not Any and _fits(value, annotations[argument])


def annotations_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotation of each parameter that is the user's to give; Any where there is none."""
    hints: dict[str, Any] = {}
    for called in constructors(function):
        try:
            hints = typing.get_type_hints(getattr(called, "func", called)) | hints
        except NameError:  # annotations that exist only for type checkers
            continue
    is_class = inspect.isclass(function)
    given = (name for name, p in parameters(function).items() if is_class or p.kind is p.KEYWORD_ONLY)
    return {name: hints.get(name, Any) for name in given}


def _fits(value: Any, annotation: Any) -> bool:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is typing.Literal:
        return value in inner
    if annotation in (int, float):
        return isinstance(value, (int, annotation)) and not isinstance(value, bool)
    if annotation in (str, bool, type(None)):
        return isinstance(value, annotation) or (annotation is type(None) and value is None)
    if origin in (dict, Mapping):
        return isinstance(value, dict)
    if origin in (list, tuple, Sequence):
        if not isinstance(value, (list, tuple)):
            return False
        if origin is tuple and inner[-1] is not Ellipsis:
            return len(value) == len(inner) and all(map(_fits, value, inner))
        return all(_fits(item, inner[0]) for item in value)
    return isinstance(value, annotation) if inspect.isclass(annotation) else True


def _describe(annotation: Any) -> str:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        plain_ones = [option for option in inner if not _is_made_in_code(option)]
        kinds = dict.fromkeys(_describe(option) for option in plain_ones or inner)
        comma = "," if any(" of " in kind for kind in kinds) else ""
        return f"{comma} or ".join(kinds)
    if origin is typing.Literal:
        return " or ".join(map(str, inner))
    if origin in (list, tuple, Sequence):
        count = "" if origin is not tuple or inner[-1] is Ellipsis else f"{len(inner)} values, each "
        each = _describe(inner[0])
        return f"a list of {count or _PLURALS.get(each, '')}{each if count or each not in _PLURALS else ''}"
    if origin in (dict, Mapping):
        return "KEY: VALUE pairs"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _is_made_in_code(annotation: Any) -> bool:
    """Whether only code has such values, a Tensor or an object, that nobody can write in a configuration."""
    return inspect.isclass(annotation) and annotation not in _NAMES and typing.get_origin(annotation) is None


def instantiate_all(group: str, node: Any) -> list[Any]:
    """Make every entry of a group that has a `_target_`; entries set to null are left out.

    Raises:
        UsageError: for a target that is not on the list, an argument it does not take, or a package that is missing.
    """
    return [_instantiate(f"{group}.{key}", value) for key, value in (plain(node) or {}).items() if value is not None]


def _check_folder(key: str, folder: object) -> None:
    """Check that a folder is there or can be made; it is made when something is written."""
    if not isinstance(folder, str):
        raise UsageError(f"{key}={yaml_text(folder)}: must be text, a folder")
    path = Path(folder).absolute()
    there = next(part for part in (path, *path.parents) if part.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"{key}={folder}: {there} is no folder that can be written; choose another")


def check_target(key: str, arguments: Any) -> type[Any]:
    """The class that an entry with a `_target_` makes, its other arguments checked against the signature.

    Raises:
        UsageError: for a target that is not on the list, or an argument that it does not take or cannot obey here.
    """
    if not isinstance(arguments, dict):
        raise UsageError(f"{key}={yaml_text(arguments)}: must be null, or KEY: VALUE pairs with a _target_")
    target = str(arguments.get("_target_"))
    if target not in ALLOWED_TARGETS:
        raise UsageError(f"{key}._target_={target}: choose one of {', '.join(sorted(ALLOWED_TARGETS))}")
    module, _, name = target.rpartition(".")
    made = getattr(importlib.import_module(module), name)
    if not (inspect.isclass(made) and made.__name__ == name):
        raise UsageError(f"{key}._target_={target}: is no class")
    for argument, instead in REFUSED.items():
        if arguments.get(argument):
            raise UsageError(f"{key}.{argument}={yaml_text(arguments[argument])}: {instead}")
    check_arguments(key, {k: v for k, v in arguments.items() if k != "_target_"}, made)
    for folder in ("save_dir", "dirpath"):
        if arguments.get(folder) is not None:
            _check_folder(f"{key}.{folder}", arguments[folder])
    return made


def check_targets(config: DictConfig, groups: Sequence[str] = ("callbacks", "logger")) -> None:
    """Check the classes that a configuration chooses by `_target_` and their arguments, without making any.

    Raises:
        UsageError: as `check_target` does.
    """
    for group in groups:
        if (node := config.get(group)) is None:
            continue
        for name, made_of in cast(dict[str, Any], OmegaConf.to_container(node)).items():
            if isinstance(made_of, dict):  # what a run folder is part of is known when there is one
                made_of = {k: v for k, v in made_of.items() if v is not None and "${" not in str(v)}
            if made_of is not None:
                check_target(f"{group}.{name}", made_of)


def _instantiate(key: str, arguments: Any) -> Any:
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    made = check_target(key, arguments)
    try:
        return made(**{k: v for k, v in arguments.items() if k != "_target_"})
    except ImportError as error:
        raise missing_package(made) from error
    except (MisconfigurationException, TypeError, ValueError) as error:
        raise UsageError(f"{key}: {' '.join(str(error).split())}") from error


def missing_package(made: type[Any]) -> UsageError:
    """What to say of a logger whose package is not installed."""
    extra = made.__name__.removesuffix("Logger").lower()
    return UsageError(f'logger={extra}: needs a package that is not here; pip install "rnnvision[{extra}]"')
