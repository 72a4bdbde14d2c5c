"""Signatures of functions and of classes, where a class may pass `**options` on to its base."""

import inspect
from collections.abc import Callable
from typing import Any


def constructors(kind: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The functions that receive the arguments of a call of `kind`.

    A function itself; of a class its `__init__`, and as long as that takes `**options` the next base's.
    """
    if not inspect.isclass(kind):
        return [kind]
    found = []
    for base in kind.__mro__[:-1]:
        if "__init__" in vars(base):
            found.append(inspect.unwrap(vars(base)["__init__"]))
            if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(found[-1]).parameters.values()):
                break
    return found


def parameters(kind: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters that can be given by name, including those of bases that `**options` are passed to.

    Examples:
        >>> class Base:
        ...     def __init__(self, *, size: int = 1) -> None: ...
        >>> class Below(Base):
        ...     def __init__(self, *, depth: int, **options: int) -> None: ...
        >>> list(parameters(Below))
        ['depth', 'size']
    """
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found: dict[str, inspect.Parameter] = {}
    for called in constructors(kind):
        own = list(inspect.signature(called).parameters.values())
        own = own[1:] if inspect.isclass(kind) else own  # without self
        found |= {p.name: p for p in own if p.kind in named and p.name not in found}
    return found
