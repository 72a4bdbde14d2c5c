"""Words of a file that would reach beyond its folder: programs, machines, and places where something is written."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override

from rnnvision.cli.frame.command_line.words import parsed
from rnnvision.cli.frame.paths import expanded

# Of where.*: numbers, and names that a cluster gives; all else names a machine, or is shell.
OF_A_PLACE = (
    *("name", "cluster", "partition", "account", "qos", "minutes", "requeues"),
    *("cpus", "gpus", "memory_gb", "nodes", "tasks"),
)
NAME = re.compile(r"[\w.,:+@/-]*")
CACHE = "data.cache"
WRITTEN = ("log_dir", "output", "save", "to", CACHE)  # keys of what is written
FOLDERS = ("save_dir", "dirpath", "dir")  # arguments of loggers and callbacks
NAMES = ("name", "version", "sub_dir", "filename", "id")  # of what lies in these
SERVERS = ("tracking_uri", "artifact_location")


def reaching(words: Iterable[str], folder: Path) -> dict[str, str]:
    """The words that reach out of the folder of the sweep, study or comparison that they lie in, each with how."""
    hows = {word: [_reach(key, value, folder) for key, value in _values(word)] for word in words}
    return {word: next(filter(None, found)) for word, found in hows.items() if any(found)}


def _values(word: str) -> Iterator[tuple[str, Any]]:
    """Every plain value of a word, with its dotted key."""
    read = parsed(word)
    if read is None or read.is_delete():
        return
    value: Any = read.value()
    values = map(Override._convert_value, value.list) if isinstance(value, ChoiceSweep) else [value]
    for one in values:
        yield from _leaves(read.key_or_group, one)


def _leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _leaves(f"{key}.{inner}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(key, item)
    else:
        yield key, value


def _reach(key: str, value: Any, folder: Path) -> str:
    """How a value reaches out; "" where it does not."""
    top, _, rest = key.partition(".")
    if top == "where" and rest and value is not None:
        plain = not isinstance(value, str) or NAME.fullmatch(value)
        return "" if rest in OF_A_PLACE and plain else "would start a program, or speak to a machine"
    if not isinstance(value, str):
        return ""
    if key == "name":
        return "leads out of its folder" if "/" in value or "\\" in value else ""
    below = key.rpartition(".")[2] if top in ("logger", "callbacks") else ""
    if below in NAMES:
        return "leads out of its folder" if leads_out(value) else ""
    if key in WRITTEN or below in (*FOLDERS, *SERVERS):
        own = key == "log_dir" and _is_where(value, folder)
        return "would write outside of its folder" if _is_outside(value) and not own else ""
    return ""


def _is_outside(path: str) -> bool:
    return bool(Path(path).is_absolute() or path[:1] == "~" or "${" in path or ":" in path or ".." in Path(path).parts)


def leads_out(name: str) -> bool:
    """Whether a name, of a folder or a file in another one, is a path out of that."""
    return Path(name).is_absolute() or ".." in Path(name).parts


def _is_where(log_dir: str, folder: Path) -> bool:
    """Whether the folder of a sweep lies in this one, where every sweep lies unless it is told otherwise."""
    above = folder.resolve().parents
    return len(above) > 2 and above[0].name == "multiruns" and Path(expanded(log_dir)).resolve() == above[2]
