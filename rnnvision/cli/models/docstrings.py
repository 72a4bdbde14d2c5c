"""Docstrings, and what they say of each argument: the source of the pages of `rnnvision models`."""

import importlib
import inspect
import re
import sys
from typing import Any

SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Examples:")
ENTRY = re.compile(r"(?P<names>\**\w+(?:, \**\w+)*): +(?P<text>.*)")
REFERENCE = re.compile(r"see `([\w.]+)`")
VALUES = re.compile(r"`(\w+)`:\n((?:    .*\n?)+)")


def summary(documented: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(_prose(documented).partition("\n\n")[0].split())


def explanation(documented: Any) -> str:
    """The rest of the prose of a docstring, as it is written: equations, initialisation, what a state is."""
    return _prose(documented).partition("\n\n")[2]


def arguments(documented: Any) -> dict[str, str]:
    """What the docstring of a class, those of its bases, and those that it refers to say of each argument."""
    found: dict[str, str] = {}
    for owner in documented.__mro__ if inspect.isclass(documented) else [documented]:
        for names, text in _entries(_doc(owner)):
            seen = REFERENCE.search(text)
            other = arguments(_named(seen[1], owner)) if seen and _named(seen[1], owner) is not None else {}
            for name in names:
                found.setdefault(name, other.get(name, text))
    return found


def values(documented: Any) -> dict[str, str]:
    """The values of an argument, a line each with its meaning, where a docstring has them under `argument`:."""
    owners = documented.__mro__ if inspect.isclass(documented) else [documented]
    blocks = dict(block for owner in reversed(owners) for block in VALUES.findall(_doc(owner)))
    joined = {name: re.sub(r"\n +", " ", inspect.cleandoc(block)) for name, block in blocks.items()}
    return {name: re.sub(r"^(\S+) +", r"\1: ", block, flags=re.MULTILINE) for name, block in joined.items()}


def _doc(owner: Any) -> str:
    text = vars(owner).get("__doc__") if inspect.isclass(owner) else getattr(owner, "__doc__", None)  # none inherited
    return inspect.cleandoc(text or "")


def _prose(documented: Any) -> str:
    """The docstring up to its first section, without the values of arguments."""
    kept = []
    for line in VALUES.sub("", _doc(documented)).splitlines():
        if line in SECTIONS:
            break
        kept.append(line)
    return "\n".join(kept).strip()


def _entries(doc: str) -> list[tuple[list[str], str]]:
    """The entries below Args: names that are explained together, and what is said of them."""
    section = doc.partition("Args:\n")[2].splitlines()
    found: list[tuple[list[str], str]] = []
    for line in section:
        if line and not line.startswith(" "):
            break
        if match := ENTRY.fullmatch(line.strip()) if re.match(r"    \S", line) else None:
            found.append(([name.lstrip("*") for name in match["names"].split(", ")], match["text"]))
        elif line.strip() and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
    return found


def _named(name: str, owner: Any) -> Any:
    """What a docstring of `owner` refers to by a full name, or one of its own module; None if there is none."""
    module, _, last = name.rpartition(".")
    try:
        place = importlib.import_module(module) if module else sys.modules[owner.__module__]
    except ImportError:
        return None
    return getattr(place, last, None)
