"""plugins=[my_module]: a user's module that registers recurrences, networks, scans, readouts or data sets."""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from rnnvision.errors import UsageError
from rnnvision.registry import Registry


@dataclass(frozen=True)
class Part:
    """What a plugin has registered."""

    registry: Registry[Any]
    name: str


def registries() -> list[Registry[Any]]:
    """All that a plugin may add to."""
    from rnnvision.data import CATALOG
    from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS

    return [RECURRENCES, MODELS, ORDERS, SCANS, READOUTS, CATALOG]


def load_plugins(modules: Sequence[str], folder: Path) -> list[Part]:
    """Import each module, from `folder` or from what is installed, and check what it registers.

    Returns:
        What was registered; nothing for a module that is imported already.

    Raises:
        UsageError: for a module that is missing or fails, a name given twice, or a part that breaks its contract.
    """
    if not isinstance(modules, list | tuple) or not all(isinstance(module, str) for module in modules):
        raise UsageError(f"plugins={modules}: must be a list of modules, for example plugins=[my_module]")
    if modules and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return [part for module in modules if module not in sys.modules for part in _load(module)]


def _load(module: str) -> list[Part]:
    known = registries()
    before = [dict(registry) for registry in known]
    try:
        import_module(module)
        parts = [Part(r, name) for r, names in zip(known, before, strict=True) for name in r if name not in names]
        for part in parts:
            check_quickly(part)
    except Exception as error:
        for registry, entries in zip(known, before, strict=True):  # nothing of it stays
            registry.clear()
            registry.update(entries)
        sys.modules.pop(module, None)
        raise UsageError(f"plugins=[{module}]: {_reason(error, module)}") from error
    return parts


def check_quickly(part: Part) -> None:
    """The rules of a part that take no data and milliseconds; `rnnvision check` asks for the others too.

    Raises:
        ValueError: that names the part and the rule.
    """
    from rnnvision.nn import contract

    contract.check_shapes(part.registry, part.name)


def _reason(error: Exception, module: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and module.startswith(error.name):
        return f"there is no module {error.name} in this folder or among the installed packages"
    places = traceback.extract_tb(error.__traceback__)
    if isinstance(error, ValueError) and Path(places[-1].filename).is_relative_to(Path(__file__).parents[2]):
        return str(error)  # of a registry, or of the contract
    own = [place for place in places if Path(place.filename).stem == module.rpartition(".")[2]]
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""  # a SyntaxError says its own
    return f"cannot be imported: {type(error).__name__}: {error}{where}"
