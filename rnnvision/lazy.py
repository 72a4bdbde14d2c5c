"""Names of a package that are imported when they are first asked for, so that importing it costs next to nothing."""

import importlib
import sys
from collections.abc import Callable
from typing import Any


def lazily(package: str, **names: str) -> Callable[[str], Any]:
    """The `__getattr__` (PEP 562) of a package.

    Args:
        package: its `__name__`.
        **names: by module, as seen from the package, the names that it gives, with spaces between them.
    """
    modules = {name: module for module, given in names.items() for name in given.split()}

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
