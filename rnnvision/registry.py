"""Registries: names that a configuration, a checkpoint or a command can choose, and what each stands for."""

from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


class RegistrationError(ValueError):
    """A name or an entry that a registry refuses. The message is one line that says what and why."""


class Registry(dict[str, T]):
    """A dictionary in which each name is registered once.

    Args:
        kind: what its entries are, for messages: "recurrence", "network" ...
        entries: the initial ones.
        rule: returns what is wrong with an entry, in words, or None; called when one is registered.

    Examples:
        >>> orders = Registry("order", {"up": sorted})
        >>> orders.register("up")(reversed)
        Traceback (most recent call last):
        rnnvision.registry.RegistrationError: order up: is registered already, as builtins.sorted; choose another name
    """

    def __init__(
        self, kind: str, entries: Mapping[str, T] | None = None, *, rule: Callable[[T], str | None] | None = None
    ) -> None:
        super().__init__(entries or {})
        self.kind = kind
        self.rule = rule

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that registers its class, function or value as `name`.

        Raises:
            RegistrationError: for a name that is taken, or not an identifier, or an entry that breaks the rule.
        """

        def enter(entry: T) -> T:
            if not (isinstance(name, str) and name.isidentifier()):
                raise RegistrationError(f"{self.kind} {name!r}: a name is a word of letters, digits and _")
            if name in self:
                taken = f"is registered already, as {_place(self[name])}"
                raise RegistrationError(f"{self.kind} {name}: {taken}; choose another name")
            if self.rule is not None and (wrong := self.rule(entry)):
                raise RegistrationError(f"{self.kind} {name}: {wrong}")
            self[name] = entry
            return entry

        return enter


def subclass_of(base: type) -> Callable[[object], str | None]:
    """The rule that an entry is a subclass of `base`."""

    def rule(entry: object) -> str | None:
        if isinstance(entry, type) and issubclass(entry, base):
            return None
        return f"{getattr(entry, '__name__', entry)} is no subclass of {base.__module__}.{base.__name__}"

    return rule


def _place(entry: object) -> str:
    """Where an entry comes from: its module and name, or those of its type if it is a plain value."""
    named = entry if hasattr(entry, "__qualname__") else type(entry)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', named)}"
