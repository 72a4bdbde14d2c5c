"""plugins=[my_module]: a user's module that registers recurrences, networks, scans, readouts or data sets."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.signals import Stopped
from rnnvision.errors import UsageError
from rnnvision.registry import RegistrationError, Registry


@dataclass(frozen=True)
class Part:
    """What a plugin has registered."""

    registry: Registry[Any]
    name: str
    entry: Any


_imported: dict[str, list[Part]] = {}  # by this process, each module with its parts


def registries() -> list[Registry[Any]]:
    """All that a plugin may add to."""
    from rnnvision.data import CATALOG
    from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS

    return [RECURRENCES, MODELS, ORDERS, SCANS, READOUTS, CATALOG]


def load_plugins_of(cfg: DictConfig, folder: str | Path | None = None) -> None:
    """Import what a configuration names, from `folder` (by default the current one) or from what is installed."""
    load_plugins(plain(cfg.get("plugins")) or [], Path(folder or Path.cwd()))


def load_plugins(modules: Sequence[str], folder: Path) -> None:
    """Make the parts of these modules, and of no others, known by their names; each is held to its contract once.

    Raises:
        UsageError: for a module that is missing or fails, a name given twice, or a part that breaks its contract.
    """
    from rnnvision.nn.contract import check_shapes

    if not isinstance(modules, list | tuple) or not all(isinstance(module, str) for module in modules):
        raise UsageError(f"plugins={modules}: must be a list of modules, for example plugins=[my_module]")
    for module, parts in list(_imported.items()):  # those of another job of a sweep
        if module not in modules:
            _forget(parts)
        if module not in sys.modules:
            del _imported[module]
    for module in modules:
        for part in _imported.get(module, []):
            part.registry[part.name] = part.entry
        if module not in _imported:
            parts = import_plugin(module, folder)
            for part in parts:
                try:
                    check_shapes(part.registry, part.name)
                except Exception as error:
                    _forget(parts)
                    del _imported[module]
                    sys.modules.pop(module, None)
                    raise UsageError(f"plugins=[{module}]: {broken_rule(part, error, module)}") from error


def import_plugin(module: str, folder: Path) -> list[Part]:
    """Import a module, and say what it has registered.

    Raises:
        UsageError: for a module that is missing, fails, or registers nothing.
    """
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    if (near := module_name(module)) != module:  # x.py would be imported as x, and then be looked into for py
        hint = f"; did you mean {near}?" if near else ""
        raise UsageError(f"plugins=[{module}]: is no name of a module{hint}")
    known, loaded = registries(), set(sys.modules)
    before = [dict(registry) for registry in known]
    try:
        found = import_module(module)
    except Stopped:
        raise
    except (Exception, SystemExit) as error:
        for registry, entries in zip(known, before, strict=True):  # nothing of it stays
            registry.clear()
            registry.update(entries)
        for name in set(sys.modules) - loaded:
            if _lies_in(sys.modules[name], folder):
                del sys.modules[name]
        raise UsageError(f"plugins=[{module}]: {_import_failure(error, module)}") from error
    parts = [
        Part(registry, name, entry)
        for registry, entries in zip(known, before, strict=True)
        for name, entry in registry.items()
        if name not in entries or getattr(entry, "__module__", None) == module
    ]
    if not parts:
        raise UsageError(
            f"plugins=[{module}]: registers nothing ({getattr(found, '__file__', 'built in')}); a part needs "
            f"@RECURRENCES.register(NAME) or the like, see docs/extend.md"
        )
    _imported[module] = parts
    return parts


def module_name(word: str) -> str | None:
    """The module that a path to a file means: ./lay.py and parts/lay.py are lay and parts.lay; None for other words."""
    name = ".".join(Path(word).with_suffix("").parts) if word.endswith(".py") else word
    return name if name and all(part.isidentifier() for part in name.split(".")) else None


def reason(error: BaseException, module: str) -> str:
    """An error on one line: that of a contract or a registry as it is, any other with its type and the user's line."""
    message = " ".join(str(error).split())
    if isinstance(error, ValueError) and _raised_here(error):
        return message
    places = traceback.extract_tb(error.__traceback__)
    own = [place for place in places if Path(place.filename).stem == module.rpartition(".")[2]]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""  # a SyntaxError names its own
    return f"{type(error).__name__}: {message}{where}"


def broken_rule(part: Part, error: BaseException, module: str) -> str:
    """What to say of a part that breaks its contract, or fails: its kind, its name, the rule."""
    message = reason(error, module)
    named = message if message.startswith(f"{part.name}: ") else f"{part.name}: {message}"
    return f"{part.registry.kind} {named}"


def _import_failure(error: BaseException, module: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
        return f"there is no module {error.name} in this folder or among the installed packages"
    if isinstance(error, RegistrationError):
        return str(error)
    return f"cannot be imported: {reason(error, module)}"


def _raised_here(error: BaseException) -> bool:
    """Whether this package raised it, and no code of the user's."""
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename).is_relative_to(Path(__file__).parents[2])


def _lies_in(module: Any, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(folder)


def _forget(parts: list[Part]) -> None:
    for part in parts:
        if part.registry.get(part.name) is part.entry:
            del part.registry[part.name]
