"""Conditions on runs: `data=mnist and (model=lstm or model=gru) and not test/accuracy<0.9`.

condition  = KEY OP VALUE, joined by and, or, not and parentheses
OP         = (one of several: model=lstm,gru)   !=   <   <=   >   >=   ~ (contains, whatever the case)
KEY        model, data, seed, status, ... an option of a group, a dotted key, a figure; or only the end of its name
VALUE      a word, or text in quotes; null is what is not there
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from rnnvision.checks import nearest, shortened
from rnnvision.errors import UsageError
from rnnvision.runs.block_yaml import Value, scalar
from rnnvision.runs.record import FACTS, Record

Condition = Callable[[Record], bool]

TOKEN = re.compile(
    r"""\s*(?:(?P<bracket>[()])
    |(?P<key>[\w./@-]+)\s*(?P<op>!=|<=|>=|==|=|<|>|~)\s*
     (?P<value>"[^"]*"|'[^']*'|\[[^\]]*\]|[^\s()"']+)
    |(?P<word>[^\s()]+))""",
    re.VERBOSE,
)
BY_BEGINNING = ("started", "commit")  # 2026-11 is a month, and seven letters are a commit


class Keys:
    """The keys that runs have, and what a short name stands for."""

    def __init__(self, records: Sequence[Record]) -> None:
        pieces = {id(piece): piece for run in records for piece in run.config.values()}
        shared = {id(run.choices): run.choices for run in records}
        found = [*FACTS, *(key for one in shared.values() for key in one)]
        found += sorted({key for run in records for key in run.metrics})
        found += [key for piece in pieces.values() for key in piece]
        self.all = list(dict.fromkeys(found))
        self._known = set(self.all)

    def full(self, name: str, typed: str) -> str:
        """The key that `name` is, or the end of: lr is optimizer.lr.

        Args:
            name: as it was typed.
            typed: what messages begin with.

        Raises:
            UsageError: where no run has such a key, or several keys end so.
        """
        if name in self._known:
            return name
        ends = [key for key in self.all if key.endswith((f".{name}", f"/{name}"))]
        if len(ends) == 1:
            return ends[0]
        if ends:
            raise UsageError(f"{typed}: {name} may be {shortened(ends)}; write one of them")
        near = nearest(name, self.all)
        figures = [key for key in self.all if "/" in key]
        hint = f"did you mean {near}?" if near else f"figures are {shortened(figures)}" if figures else ""
        raise UsageError(f"{typed}: no run has the key {name}{f'; {hint}' if hint else ''}")


def parse_where(text: str, keys: Keys, root: str = "") -> tuple[Condition, set[str]]:
    """A condition, and the keys that it looks at.

    Args:
        text: the condition.
        keys: that runs have.
        root: the folder for run folders as it is shown before that of a run, which may be typed so too.

    Raises:
        UsageError: for what is no condition, or a key that no run has.
    """
    parser = _Parser(text, keys, root)
    return parser.whole(), parser.used


class _Parser:
    """Recursive descent; `or` binds less than `and`."""

    def __init__(self, text: str, keys: Keys, root: str) -> None:
        self.typed = f"where={text}"
        self.before = {"folder": f"{root}/"} if root else {}
        self.keys = keys
        self.used = set[str]()
        self.tokens = [match for match in TOKEN.finditer(text) if match[0].strip()]
        self.at = 0

    def whole(self) -> Condition:
        found = self._any()
        if self.at < len(self.tokens):
            raise self._error("and, or, or the end")
        return found

    def _any(self) -> Condition:
        parts = [self._all()]
        while self._takes("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda run: any(part(run) for part in parts)

    def _all(self) -> Condition:
        parts = [self._one()]
        while self._takes("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda run: all(part(run) for part in parts)

    def _one(self) -> Condition:
        if self._takes("not"):
            inner = self._one()
            return lambda run: not inner(run)
        if self._takes("("):
            inner = self._any()
            if not self._takes(")"):
                raise self._error(")")
            return inner
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if token is None or token["key"] is None:
            raise self._error("KEY OP VALUE, such as model=lstm or test/accuracy>0.9")
        self.at += 1
        key = self.keys.full(token["key"], self.typed)
        self.used.add(key)
        return partial(_holds, key, _test(key, token["op"], token["value"], self.before.get(key, "")))

    def _takes(self, word: str) -> bool:
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        found = token is not None and (token["bracket"] or (token["word"] or "").lower()) == word
        self.at += found
        return found

    def _error(self, expected: str) -> UsageError:
        there = self.tokens[self.at][0].strip() if self.at < len(self.tokens) else "the end"
        return UsageError(f"{self.typed}: {expected} is expected in place of {there}")


def _holds(key: str, test: Callable[[Value], bool], run: Record) -> bool:
    return test(run.get(key))


def _test(key: str, op: str, typed: str, before: str) -> Callable[[Value], bool]:
    """What a value of `key` has to pass; `before` may be typed before it."""
    quoted = typed[0] in "\"'"
    text = (typed[1:-1] if quoted else typed).removeprefix(before)
    by_beginning = key in BY_BEGINNING

    def seen(value: Value, wanted: Value) -> Value:
        return str(value)[: len(str(wanted))] if by_beginning and None not in (value, wanted) else value

    if op == "~":
        return lambda value: value is not None and text.lower() in as_text(value).lower()
    if op in ("=", "==", "!="):
        several = [text] if quoted or text.startswith("[") else [one.removeprefix(before) for one in text.split(",")]
        wanted: list[Value] = [one if quoted or (by_beginning and one != "null") else scalar(one) for one in several]
        equal = op != "!="
        parts = _members if key == "tags" and not text.startswith("[") else lambda value: [value]
        return lambda value: any(_equal(seen(part, one), one) for part in parts(value) for one in wanted) is equal
    bound = text if quoted or by_beginning else scalar(text)
    return lambda value: _ordered(seen(value, bound), op, bound)


def _members(tags: Value) -> list[Value]:
    """The tags of a run, of which each is one that it has; None where there is none."""
    return [*filter(None, str(tags or "").strip("[]").split(","))] or [None]


def _equal(value: Value, wanted: Value) -> bool:
    if _is_number(value) and _is_number(wanted):
        return value == wanted
    return (value is None) == (wanted is None) and as_text(value) == as_text(wanted)


def _ordered(value: Value, op: str, bound: Value) -> bool:
    """Numbers as numbers, texts by letters; anything else is in no order."""
    if _is_number(value) and _is_number(bound):
        one, other = float(value or 0), float(bound or 0)
        if math.isnan(one) or math.isnan(other):
            return False
        order = (one > other) - (one < other)
    elif isinstance(value, str) and isinstance(bound, str):
        order = (value > bound) - (value < bound)
    else:
        return False
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[op]


def _is_number(value: Value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_text(value: Value) -> str:
    """A value as it is typed."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def full_keys(names: Iterable[str], keys: Keys, typed: str) -> list[str]:
    """Several keys in full, each once."""
    return list(dict.fromkeys(keys.full(name, typed) for name in names))
