"""What a call would refuse, found in the source of what is called: its annotations, and the checks that it begins with.

A body is followed as far as its statements depend on arguments that are known. What is not known is passed over, so
that nothing is refused here that the call itself would accept.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, SimpleNamespace
from typing import Any

from rnnvision.cli.frame.early.source import UNSET, Definition, Foreign, Made, UnknownError

FOLLOWED = ("rnnvision.", "torch.optim.")  # modules whose functions are followed
DEEPEST = 6  # calls within calls
LONGEST = 100  # rounds of a loop
JUMPS = (ast.Break, ast.Continue)
SCOPES = (ast.Lambda, ast.IfExp, ast.BoolOp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class RefusedError(ValueError):
    """What the call would say of an argument, in the words of its own ValueError."""


def annotations(called: Definition) -> dict[str, Any]:
    """The type of each argument that can be given by name, those of bases that `**options` go to included.

    Of a class every argument counts, of a function those that are keyword-only; Any where the source does not say.
    """
    found: dict[str, Any] = {}
    if _is_dataclass(called):
        for field in called.node.body:
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = _known(called, field.annotation, Any)
        return found
    for owner, function in _constructors(called):
        given = function.args
        named = [*(given.args[1:] if called.is_class else ()), *given.kwonlyargs]
        found = {a.arg: Any if a.annotation is None else _known(owner, a.annotation, Any) for a in named} | found
    return found


def defaults(called: Definition) -> dict[str, Any]:
    """The default of each argument of a class; UNSET where there is none, as for `**options` that go to a base."""
    given = _constructors(called)[0][1].args
    found = _defaults(called, given)
    del found[given.args[0].arg]  # self
    return found | {more.arg: UNSET for more in (given.vararg, given.kwarg) if more is not None}


def check_call(called: Definition, named: Mapping[str, Any], values: Sequence[Any] = (), depth: int = 0) -> None:
    """Make the checks of a call with these arguments; others are not known.

    Raises:
        RefusedError: where the call would raise a ValueError.
    """
    if depth > DEEPEST:
        return
    if _is_dataclass(called):
        fields = {
            f.target.id: _known(called, f.value)
            for f in called.node.body
            if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name) and f.value is not None
        }
        known = {key: value for key, value in {**fields, **named}.items() if value is not UNSET}
        if found := called.method("__post_init__"):
            _Body(found[0], {"self": SimpleNamespace(**known)}, depth).run(found[1].body)
        return
    for owner, function in _constructors(called)[:1]:
        if _has(function, ast.Yield, ast.YieldFrom):
            return  # nothing of it runs in the call itself
        names = _given(owner, function.args, named, [UNSET, *values] if called.is_class else values)
        _Body(owner, names | dict.fromkeys(_bound(function.body) - set(names), UNSET), depth).run(function.body)


class _Body:
    """The statements of a function, with the values of its names as far as they are known."""

    def __init__(self, owner: Definition, names: dict[str, Any], depth: int) -> None:
        self._owner, self._names, self._depth = owner, names, depth

    def run(self, statements: Sequence[ast.stmt]) -> bool:
        """Follow the statements; returns whether those after them are reached."""
        return all(self._follow(statement) for statement in statements)

    def _follow(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Expr):
            self._check(statement.value)
            self._forget_changed(statement)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
            self._check(statement.value)
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            value = self._value(statement.value)
            for target in targets:
                self._bind(target, value)
        elif isinstance(statement, ast.Raise):
            if isinstance(statement.exc, ast.Call) and ast.unparse(statement.exc.func) == "ValueError":
                message = self._value(statement.exc.args[0])
                if isinstance(message, str):
                    raise RefusedError(message)
            return False
        elif isinstance(statement, ast.If):
            test = self._value(statement.test)
            if test is not UNSET:
                return self.run(statement.body if test else statement.orelse)
            return self._pass_over(statement)
        elif isinstance(statement, ast.For):
            items = self._value(statement.iter)
            listed = list(items) if hasattr(items, "__len__") and len(items) <= LONGEST else None
            if listed is None or statement.orelse or _has(statement, *JUMPS):
                return self._pass_over(statement)
            for item in listed:
                self._bind(statement.target, item)
                if not self.run(statement.body):
                    return False
        elif isinstance(statement, ast.Return):
            if statement.value is not None:
                self._check(statement.value)
            return False
        else:
            return self._pass_over(statement)
        return True

    def _pass_over(self, statement: ast.stmt) -> bool:
        """Forget what a statement that cannot be followed may change; it may also be the end."""
        self._names |= dict.fromkeys(_bound([statement]), UNSET)
        self._forget_changed(statement)
        return isinstance(statement, ast.FunctionDef) or not _has(statement, ast.Return)

    def _forget_changed(self, statement: ast.stmt) -> None:
        """Forget the objects that a statement may change: those it stores into, and those whose methods it calls."""
        self._names |= dict.fromkeys(_changed(statement) & self._names.keys(), UNSET)

    def _bind(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value if isinstance(value, (tuple, list)) and len(value) == len(target.elts) else None
            for number, part in enumerate(target.elts):
                self._bind(part, UNSET if parts is None else parts[number])
        else:  # a part of an object, which then is another one than before
            self._names |= dict.fromkeys(_roots([target]) & self._names.keys(), UNSET)

    def _value(self, expression: ast.expr) -> Any:
        found = _known(self._owner, expression, names=self._names)
        self._names |= dict.fromkeys(_bound([expression]), UNSET)  # by `:=`
        return found

    def _check(self, expression: ast.expr) -> None:
        """Make the checks that an expression calls for, or that what it calls begins with."""
        for call in _calls(expression):
            values = [self._value(value) for value in call.args if not isinstance(value, ast.Starred)]
            whole = len(values) == len(call.args)  # whether it is known which arguments are given
            named: dict[str, Any] = {}
            for word in call.keywords:
                value = self._value(word.value)
                whole = whole and (word.arg is not None or isinstance(value, dict))
                named |= {word.arg: value} if word.arg else value if isinstance(value, dict) else {}
            if not whole:
                continue
            if ast.unparse(call.func) == "super().__init__":
                for base in self._owner.bases()[:1]:
                    self._call(base, named, values)
                continue
            called = self._value(call.func)
            if isinstance(called, FunctionType) and called.__module__ == "rnnvision.checks":
                if UNSET not in values and UNSET not in named.values():
                    try:
                        called(*values, **named)
                    except ValueError as error:
                        raise RefusedError(str(error)) from error
            elif isinstance(called, Definition):
                self._call(called, named, values)

    def _call(self, called: Definition, named: Mapping[str, Any], values: Sequence[Any]) -> None:
        if called.module.name.startswith(FOLLOWED):
            check_call(called, named, values, self._depth + 1)


def _calls(expression: ast.AST) -> Iterator[ast.Call]:
    """The calls that an expression makes whatever its values are, the inner ones first."""
    if isinstance(expression, SCOPES):
        return
    for child in ast.iter_child_nodes(expression):
        yield from _calls(child)
    if isinstance(expression, ast.Call):
        yield expression


def _has(statement: ast.AST, *kinds: type[ast.AST]) -> bool:
    return any(isinstance(inside, kinds) for inside in ast.walk(statement))


def _changed(statement: ast.stmt) -> set[str]:
    """The names whose objects a statement may change in place."""
    inside = list(ast.walk(statement))
    stored = [n for n in inside if isinstance(n, (ast.Subscript, ast.Attribute)) and not isinstance(n.ctx, ast.Load)]
    return _roots(stored) | _roots(n.func for n in inside if isinstance(n, ast.Call))


def _roots(expressions: Iterable[ast.expr]) -> set[str]:
    """The names that `name.part`, `name[part]` and `name.part[part]` begin with."""
    found: set[str] = set()
    for expression in expressions:
        inner: ast.AST = expression
        while isinstance(inner, (ast.Subscript, ast.Attribute, ast.Starred)):
            inner = inner.value
        if isinstance(inner, ast.Name) and inner is not expression:
            found.add(inner.id)
    return found


def _bound(statements: Sequence[ast.AST]) -> set[str]:
    """The names that statements give a value to."""
    found: set[str] = set()
    for node in (inside for statement in statements for inside in ast.walk(statement)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return found


def _constructors(called: Definition) -> list[tuple[Definition, ast.FunctionDef]]:
    """The functions that receive the arguments of a call, see `rnnvision.signature.constructors`."""
    if isinstance(called.node, ast.FunctionDef):
        return [(called, called.node)]
    found: list[tuple[Definition, ast.FunctionDef]] = []
    waiting = called.method("__init__")
    while waiting is not None:
        found.append(waiting)
        owner, function = waiting
        waiting = next((m for base in owner.bases() if (m := base.method("__init__"))), None)
        if function.args.kwarg is None:
            break
    return found


def _is_dataclass(called: Definition) -> bool:
    return called.is_class and called.decorator("dataclass") is not None


def _defaults(owner: Definition, given: ast.arguments) -> dict[str, Any]:
    positional = [*given.posonlyargs, *given.args]
    found: dict[str, Any] = dict.fromkeys((a.arg for a in (*positional, *given.kwonlyargs)), UNSET)
    late = zip(reversed(positional), reversed(given.defaults), strict=False)
    for argument, default in (*late, *zip(given.kwonlyargs, given.kw_defaults, strict=True)):
        if default is not None:
            found[argument.arg] = _known(owner, default)
    return found


def _given(owner: Definition, given: ast.arguments, named: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """The names of a function when it is called."""
    found = _defaults(owner, given)
    found |= dict(zip((a.arg for a in (*given.posonlyargs, *given.args)), values, strict=False))
    rest = {key: value for key, value in named.items() if key not in found}
    found |= {key: value for key, value in named.items() if key in found}
    if given.kwarg is not None:
        found[given.kwarg.arg] = UNSET if UNSET in rest.values() else rest
    if given.vararg is not None:
        found[given.vararg.arg] = UNSET
    return found


def _known(
    owner: Definition, expression: ast.expr | None, other: Any = UNSET, names: dict[str, Any] | None = None
) -> Any:
    """The value of an expression, `other` where it is not known."""
    if expression is None:
        return other
    try:
        found = owner.module.value(expression, names)
    except UnknownError:
        return other
    return other if isinstance(found, (Foreign, Made)) else found
