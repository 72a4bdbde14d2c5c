"""Functions and classes as they stand in their source, without the seconds that PyTorch takes to be imported.

A name of a module is found where it is defined, whatever imports lead there. A few modules without any effect are
imported; of the rest only the text is read: a function or class is a `Definition`, and what a call makes `Made`.
"""

import ast
import builtins
import importlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rnnvision.registry import Registry

# Modules of this package that need the standard library alone, and so are imported.
PLAIN = tuple(f"rnnvision.{name}" for name in ("checks", "errors", "registry", "seeding", "signature"))
# Of the standard library, what may be called before anything is checked: it neither reads nor writes anything.
PURE = ("abc", "collections", "dataclasses", "enum", "functools", "inspect", "itertools", "math", "numbers", "operator")
PURE += ("re", "string", "types", "typing")
EFFECTS = ("open", "print", "input", "exec", "eval", "breakpoint")
BUILTINS = {name: value for name, value in vars(builtins).items() if name not in EFFECTS}
READ = ("rnnvision", "torch.optim", "lightning.pytorch.trainer", "lightning.fabric.utilities.types")  # as text


class UnknownError(Exception):
    """Source does not say what a name or an expression stands for."""


@dataclass(frozen=True)
class Definition:
    """A function or class."""

    module: "Module"
    node: ast.FunctionDef | ast.ClassDef

    def __call__(self, *values: Any, **named: Any) -> "Made":
        return Made(self, values)

    @property
    def is_class(self) -> bool:
        return isinstance(self.node, ast.ClassDef)

    def decorator(self, name: str) -> ast.Call | ast.expr | None:
        """Its decorator of that name, as it is written."""
        for found in self.node.decorator_list:
            called = found.func if isinstance(found, ast.Call) else found
            if isinstance(called, (ast.Name, ast.Attribute)) and ast.unparse(called).rpartition(".")[2] == name:
                return found
        return None

    def bases(self) -> "list[Definition]":
        assert isinstance(self.node, ast.ClassDef)
        names = [base for base in self.node.bases if isinstance(base, ast.Name)]
        found = [self.module.get(base.id) for base in names if base.id in _statements(self.module)]
        return [base for base in found if isinstance(base, Definition)]

    def method(self, name: str) -> "tuple[Definition, ast.FunctionDef] | None":
        """A method, and the class that it stands in: this one or the nearest base."""
        for statement in self.node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == name:
                return self, statement
        return next((found for base in self.bases() if (found := base.method(name))), None)

    def __or__(self, other: Any) -> Any:
        return Foreign(self.node.name, (), {}) | other

    def __ror__(self, other: Any) -> Any:
        return other | Foreign(self.node.name, (), {})


class Foreign(type):
    """A name of a module that is not read, such as a Tensor: as a type, one that no value of a configuration has."""

    def __getattr__(cls, name: str) -> "Foreign":
        if name.startswith("__"):
            raise AttributeError(name)
        return Foreign(name, (), {})

    def __call__(cls, *values: Any, **named: Any) -> Any:
        raise UnknownError(cls.__name__)


class Made:
    """What the call of a `Definition` would make, of which nothing is known but the call."""

    __slots__ = ("definition", "values")

    def __init__(self, definition: Definition, values: tuple[Any, ...]) -> None:
        self.definition, self.values = definition, values

    def __bool__(self) -> bool:
        raise UnknownError(self.definition.node.name)


@dataclass(frozen=True)
class Module:
    """A module whose text is read."""

    name: str
    path: Path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def get(self, name: str) -> Any:
        """What a name stands for in this module.

        Raises:
            UnknownError: where its text does not say.
        """
        return _named(self, name)

    def value(self, expression: ast.expr, names: dict[str, Any] | None = None) -> Any:
        """What an expression is in this module, where some more `names` are known.

        Raises:
            UnknownError: where its text does not say.
        """
        if isinstance(expression, ast.Constant):
            return expression.value
        scope = Scope(self, names or {})
        try:
            if isinstance(expression, ast.Name):  # to compile it would take longer than all the rest
                return scope[expression.id] if expression.id in scope.known() else BUILTINS[expression.id]
            code = compile(ast.Expression(expression), str(self.path), "eval")
            return eval(code, scope)  # of installed packages' own text, such as a table's
        except Exception as error:
            raise UnknownError(ast.unparse(expression)) from error


class Scope(dict[str, Any]):
    """The names of an expression: those that are given, then those of the module. `UNSET` marks one without a value."""

    def __init__(self, module: Module, names: dict[str, Any]) -> None:
        super().__init__(names, __builtins__=BUILTINS)
        self._module = module

    def known(self) -> set[str]:
        return {*self, *_statements(self._module)}

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if found is UNSET:
            raise UnknownError(name)
        return found

    def __missing__(self, name: str) -> Any:
        if name in _statements(self._module):
            return self._module.get(name)
        raise KeyError(name)  # a builtin, or nothing


UNSET = object()


@cache
def module_of(name: str) -> Any:
    """A module: imported if it needs the standard library alone, as its text where that is of use, else `Foreign`."""
    top, *rest = name.split(".")
    if top in PURE or name in PLAIN:
        return importlib.import_module(name)
    if any(name == part or name.startswith(f"{part}.") for part in READ):
        found = find_spec(top)  # which imports nothing, of the first part of a name
        for folder in [] if found is None else found.submodule_search_locations or []:
            for path in (Path(folder, *rest, "__init__.py"), Path(folder, *rest).with_suffix(".py")):
                if path.is_file():
                    return Module(name, path)
    return OPTIM if name == "torch" else Foreign(name, (), {})


class _Torch(Foreign):
    """torch, of which nothing is read but its optimisers."""

    def __getattr__(cls, name: str) -> Any:
        return module_of("torch.optim") if name == "optim" else super().__getattr__(name)


OPTIM = _Torch("torch", (), {})


def find(place: str) -> Any:
    """What "module:name" stands for.

    Raises:
        UnknownError: where the text does not say.
    """
    module, _, name = place.partition(":")
    return getattr(module_of(module), name)


@cache
def _statements(module: Module) -> dict[str, ast.stmt]:
    """The statement that gives each name of a module its meaning."""
    found: dict[str, ast.stmt] = {}
    waiting: list[ast.stmt] = list(reversed(ast.parse(module.path.read_text(encoding="utf-8")).body))
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, (ast.If, ast.Try)):
            waiting += reversed(statement.body)
        elif isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            found[statement.name] = statement
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.partition(".")[0]: statement for alias in statement.names}
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            found[statement.target.id] = statement
        elif isinstance(statement, ast.Assign):
            found |= {target.id: statement for target in statement.targets if isinstance(target, ast.Name)}
    return found


@cache
def _named(module: Module, name: str) -> Any:
    statement = _statements(module).get(name)
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return Definition(module, statement)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
        value = module.value(statement.value)
        if isinstance(value, Registry):
            return _with_registered(value, name, module.name.rpartition(".")[0], module.path.parent)
        return value
    if isinstance(statement, ast.Import):
        alias = next(a for a in statement.names if name in (a.asname, a.name.partition(".")[0]))
        return module_of(alias.name if alias.asname else name)
    if isinstance(statement, ast.ImportFrom):
        package = module.name.split(".")
        if statement.level:
            package = package[: len(package) - statement.level + (module.path.name == "__init__.py")]
        origin = ".".join([*(package if statement.level else []), *filter(None, [statement.module])])
        original = next(alias.name for alias in statement.names if name in (alias.asname, alias.name))
        if origin != module.name:
            found = getattr(module_of(origin), original)
            if isinstance(found, Foreign) and original.startswith("_"):  # perhaps a name for several types
                raise UnknownError(original)
            return found
    part = module_of(f"{module.name}.{name}")  # of a package
    if isinstance(part, Foreign):
        raise UnknownError(f"{module.name}.{name}")
    return part


def _with_registered(table: Registry[Any], name: str, package: str, folder: Path) -> Registry[Any]:
    """A registry with what the modules of its folder register by a decorator, `@NAME.register("entry")`."""
    decorated = re.compile(rf"^@{name}\.register\(", re.MULTILINE)
    for path in sorted(folder.glob("*.py")):
        if decorated.search(path.read_text(encoding="utf-8")):
            module = Module(f"{package}.{path.stem}", path)
            for statement in _statements(module).values():
                if isinstance(statement, ast.ClassDef):
                    made = Definition(module, statement)
                    called = made.decorator("register")
                    if isinstance(called, ast.Call):
                        table[ast.literal_eval(called.args[0])] = made
    return table
