"""From a composed configuration to arguments and objects: everything is checked before anything is made."""

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.messages import UsageError, nearest

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
        "rnnvision.training.RunLog",
    }
)
Functions = Callable[..., Any] | tuple[Callable[..., Any], ...]
_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "null"}


def config_dir() -> Path:
    """The folder conf/: inside the installed package, else at the top of the checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / "train.yaml").is_file():
            return folder
    raise UsageError(f"conf/: not found in {package} or {package.parent}; install the package anew")


def plain(node: Any) -> Any:
    """A configuration node as plain Python values, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def named_arguments(prefix: str, node: DictConfig, table: Mapping[str, Functions]) -> dict[str, Any]:
    """The arguments in `node` for the entry of `table` that its `name` says, checked against the real signatures.

    Raises:
        UsageError: for an unknown name or argument, or a value of the wrong type.
    """
    arguments = plain(node)
    name = arguments["name"]
    if name not in table:
        near = nearest(str(name), list(table))
        hint = f"; did you mean {prefix}.name={near}?" if near else ""
        raise UsageError(f"{prefix}.name={name}: choose one of {', '.join(table)}{hint}")
    entry = table[name]
    functions = entry if isinstance(entry, tuple) else (entry,)
    check_arguments(prefix, {k: v for k, v in arguments.items() if k != "name"}, *functions)
    return arguments


def optimizer_arguments(cfg: DictConfig) -> dict[str, Any]:
    """The arguments of `make_optimizer` in `cfg.optimizer`, checked."""
    from rnnvision.training import OPTIMIZERS, make_optimizer

    table: dict[str, Functions] = {name: (made, make_optimizer) for name, made in OPTIMIZERS.items()}
    return named_arguments("optimizer", cfg.optimizer, table)


def check_arguments(prefix: str, arguments: Mapping[str, Any], *functions: Callable[..., Any]) -> None:
    """Check that every argument is a parameter of one of `functions` and has the annotated type.

    Of a class every parameter counts, of a function those that are keyword-only: the others are not the user's.

    Raises:
        UsageError: that names the key, and what is legal.
    """
    parameters: dict[str, Any] = {}
    for function in functions:
        parameters |= _annotations(function)
    prefix = f"{prefix}." if prefix else ""
    for key, value in arguments.items():
        if key not in parameters:
            near = nearest(key, list(parameters))
            hint = f"; did you mean {prefix}{near}?" if near else ""
            raise UsageError(f"{prefix}{key}: there is no such key; choose one of {', '.join(parameters)}{hint}")
        if not _fits(value, parameters[key]):
            raise UsageError(f"{prefix}{key}={_text(value)}: must be {_describe(parameters[key])}")


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    # A class decorated at import (Lightning's Trainer) hides its annotations behind __wrapped__.
    called = inspect.unwrap(function.__init__) if inspect.isclass(function) else function
    signature = inspect.signature(function)
    try:
        hints = typing.get_type_hints(getattr(called, "func", called))
    except NameError:  # annotations that exist only for type checkers
        hints = {}
    mine = {
        name: p.kind is p.KEYWORD_ONLY or (p.kind is p.POSITIONAL_OR_KEYWORD and inspect.isclass(function))
        for name, p in signature.parameters.items()
    }
    return {name: hints.get(name, Any) for name in mine if mine[name]}


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
        return " or ".join(dict.fromkeys(_describe(option) for option in inner))
    if origin is typing.Literal:
        return " or ".join(map(str, inner))
    if origin in (list, tuple, Sequence):
        count = "" if origin is not tuple or inner[-1] is Ellipsis else f"{len(inner)} values, each "
        return f"a list of {count}{_describe(inner[0])}"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _text(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, list)
        else str(value)
    )


def instantiate_all(group: str, node: DictConfig | None) -> list[Any]:
    """Make every entry of a group that has a `_target_`; entries set to null are left out.

    Raises:
        UsageError: for a target that is not on the list, an argument it does not take, or a package that is missing.
    """
    return [_instantiate(f"{group}.{key}", value) for key, value in (plain(node) or {}).items() if value is not None]


def _instantiate(key: str, arguments: dict[str, Any]) -> Any:
    arguments = dict(arguments)
    target = arguments.pop("_target_", None)
    if target not in ALLOWED_TARGETS:
        raise UsageError(f"{key}._target_={target}: choose one of {', '.join(sorted(ALLOWED_TARGETS))}")
    module, _, name = target.rpartition(".")
    made = getattr(importlib.import_module(module), name)
    if not (inspect.isclass(made) and made.__name__ == name):
        raise UsageError(f"{key}._target_={target}: is no class")
    check_arguments(key, {k: v for k, v in arguments.items() if not isinstance(v, dict)}, *made.__mro__[:-1])
    try:
        return made(**arguments)
    except ImportError as error:
        extra = name.removesuffix("Logger").lower()
        raise UsageError(
            f'logger={extra}: needs a package that is not here; pip install "rnnvision[{extra}]"'
        ) from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"{key}: {error}") from error
