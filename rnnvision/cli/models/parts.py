"""The parts that a command can choose: options of conf/, and what is in the registries, a plugin's included."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnvision.cli.frame.command_line.files import bases_of, heading_of, lines_of, option_file, options_of
from rnnvision.cli.models.docstrings import summary

TITLES = {  # kind -> what its parts are, and how one is chosen
    "model": "networks, model=NAME",
    "recurrence": "recurrent layers, model.recurrence=NAME in every network that reads a sequence",
    "readout": "readouts, model.readout=NAME",
    "scan": "scans, model.scan=NAME",
    "order": "orders of a scan, model.order=NAME",
    "data": "data sets, data=NAME",
    "experiment": "tried recipes, experiment=NAME",
    "network": "classes of networks, the name in a file of model/",
}
GROUPS = ("augmentation", "optimizer", "scheduler", "trainer", "device", "callbacks", "logger", "sweep", "debug")


@dataclass(frozen=True)
class Part:
    """Something that a command can choose.

    Attributes:
        kind: a key of `TITLES`, or a group of conf/.
        words: of a command that trains with it, after `rnnvision train`; empty where it needs a file of its own.
        about: one line.
        file: of an option.
        entry: of a registry.
        plugin: the module that registered it.
    """

    kind: str
    name: str
    about: str
    words: tuple[str, ...]
    file: Path | None = None
    entry: Any = None
    plugin: str = ""
    made: tuple[str, ...] = field(default=())  # of a network: the options of model that are made of it


def options(group: str, folders: Sequence[Path]) -> list[Part]:
    """The options of a group of conf/, and of the user's own folder."""
    return [_option(group, name, folders) for name in options_of(folders, group)]


def _option(group: str, name: str, folders: Sequence[Path]) -> Part:
    file = option_file(folders, group, name)
    assert file is not None
    heading, own = heading_of(file), () if file.is_relative_to(folders[0]) else ("--config-dir", str(folders[-1]))
    flags = ("-m",) if group == "sweep" else ()
    root = re.search(r"\bdata\.root=[\w/]+", " ".join(heading)) if group in ("data", "experiment") else None
    words = (*own, *flags, f"{group}={name}", *([root[0]] if root else []))
    # An experiment opens with its command; then comes the time it takes and the score.
    about = heading[1:2] if group == "experiment" and heading[:1] and "experiment=" in heading[0] else heading
    return Part(group, name, first_sentence(about), words, file=file)


def first_sentence(lines: Sequence[str]) -> str:
    """The first sentence of a comment that may go on over several lines."""
    return re.split(r"(?<=[^.]\.)\s", " ".join(lines), maxsplit=1)[0]


def registered(folders: Sequence[Path], plugins: Sequence[str]) -> list[Part]:
    """The recurrences, readouts, scans, orders and networks; of plugins their data sets too."""
    from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS
    from rnnvision.registry import Registry

    registries: list[Registry[Any]] = [RECURRENCES, READOUTS, SCANS, ORDERS, MODELS]
    if plugins:
        from rnnvision.cli.frame.plugins import load_plugins
        from rnnvision.data import CATALOG

        registries.append(CATALOG)
        before = {registry.kind: set(registry) for registry in registries}
        load_plugins(plugins, Path.cwd())
    found = []
    for registry in registries:
        for name, entry in registry.items():
            new = bool(plugins) and name not in before[registry.kind]
            if registry.kind == "data set" and not new:
                continue  # an option of conf/data
            found.append(_registered(registry.kind, name, entry, folders, plugins if new else ()))
    return found


def _registered(kind: str, name: str, entry: Any, folders: Sequence[Path], plugins: Sequence[str]) -> Part:
    """An entry of a registry; `plugins` are the modules of which one has registered it, if any."""
    if kind == "data set":  # chosen in a file of its own
        about = summary(getattr(entry.read, "func", entry.read))
        return Part("data", name, about, (), entry=entry, plugin=" ".join(plugins))
    given = [f"plugins=[{','.join(plugins)}]"] if plugins else []
    made: list[str] = []
    words = [f"model.{kind}={name}"]
    if kind == "recurrence":
        having = list(_with(folders, kind, name))
        words = [f"model={name if name in having else having[0]}"] if having else words
    elif kind == "network":
        made = list(_with(folders, "name", name))
        words = [f"model={made[0]}"] if made else []
    elif kind == "scan":
        words += [] if entry.token else ["model.patch_size=4"]
    about = describe_scan(entry) if kind == "scan" else summary(entry)
    return Part(
        kind, name, about, (*given, *words) if words else (), entry=entry, plugin=" ".join(plugins), made=tuple(made)
    )


def _with(folders: Sequence[Path], key: str, value: str) -> Iterator[str]:
    """The options of model whose files, or those that they begin with, have this value of a key."""
    for name in options_of(folders, "model"):
        if _value(folders, name, key) == value:
            yield name


def _value(folders: Sequence[Path], option: str, key: str) -> str | None:
    file = option_file(folders, "model", option)
    if file is None:
        return None
    own = next((line.value for line in lines_of(file) if line.key == key), None)
    return own or next((v for base in bases_of(file) if (v := _value(folders, base, key))), None)


def describe_scan(preset: Any) -> str:
    """A preset of `rnnvision.nn.SCANS` in words."""
    if preset.token is None:
        return f"tokens of model.patch_size, in {preset.order} order"
    return f"tokens of {preset.token[0] or 'H'} x {preset.token[1] or 'W'} pixels, in {preset.order} order"
