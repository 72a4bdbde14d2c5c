"""KEY=A,B without -m: what to type for a run each, or for one list."""

import re
import sys
from pathlib import Path
from typing import Any

from rnnvision.checks import nearest
from rnnvision.cli.frame.arguments import takes
from rnnvision.cli.frame.command_line.files import options_of, own_folder
from rnnvision.cli.frame.command_line.groups import SEVERAL
from rnnvision.cli.frame.command_line.help import comments_of
from rnnvision.cli.frame.command_line.known import composed, makes_sweeps, refusal
from rnnvision.cli.frame.command_line.own_files import written
from rnnvision.cli.frame.command_line.words import command, parsed


def several_values(word: str, verb: str, conf: Path) -> str:
    """The message for several values of a key that a command without -m has; each command in it is whole."""
    key, listed = word.lstrip("+").partition("=")[0], as_list(word, verb, conf)
    if wrong := _no_options(key, word.partition("=")[2], conf):
        return f"{word}: {wrong}"
    whole = command(listed if typed == word else typed for typed in sys.argv[1:])
    a_list = f"write a list: {whole}" if listed != word else ""
    if not makes_sweeps(verb):
        return f"{word}: several values; {a_list or refusal(key, verb) or f'{verb} takes one'}"
    each = f"add -m for a run each: {command(['-m', *sys.argv[1:]])}"
    return f"{word}: several values; {', or '.join(filter(None, (each, a_list)))}"


def _no_options(group: str, values: str, conf: Path) -> str | None:
    """What to say of options that a group does not have, each with the nearest one; None where it has all."""
    folders = [conf, *filter(None, [own_folder()])]
    legal = options_of(folders, group)
    wrong = (
        [value for value in values.split(",") if re.fullmatch(r"\w+", value) and value not in legal] if legal else []
    )
    if not wrong:
        return None
    near = [f"{group}={found}" for value in wrong if (found := nearest(value, legal))]
    meant = f"; did you mean {', '.join(near)}?" if near else ""
    return f"there is no {', '.join(wrong)} in {group}{meant}; choose of {', '.join(legal)}"


def as_list(word: str, verb: str, conf: Path) -> str:
    """KEY=[A,B] for KEY=A,B where the key takes a list; any other word as it is."""
    found = parsed(word)
    key, _, values = word.lstrip("+").partition("=")
    if found is None or not found.is_sweep_override() or not _takes_list(key, values, verb, conf):
        return word
    return word.replace(f"={values}", f"=[{values}]")


def _takes_list(key: str, values: str, verb: str, conf: Path) -> bool:
    """Whether [VALUES] could be a value of the key: by its annotation, else by conf/ and the comment there."""
    group, _, name = key.partition(".")
    found = parsed(f"{key}=[{values}]")
    if found is None or (conf / key).is_dir() or "(" in values:
        return found is not None and key in SEVERAL
    config = composed(conf, verb, with_hydra=True)
    node: Any = written(config, but="hydra")
    functions = _made_from(group, str((node.get(group) or {}).get("name"))) if name and "." not in name else ()
    if functions:
        return takes(functions, name, found.value())
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    comments = comments_of(verb, conf, [conf, *filter(None, [own_folder()])], dict(config.hydra.runtime.choices))
    comment = comments.get(key, "")
    return isinstance(node, list) or (node is None and ("list" in comment or "[" in comment))


def _made_from(group: str, name: str) -> tuple[Any, ...]:
    """What the values of these two groups are the arguments of."""
    if group == "model":
        from rnnvision.nn import MODELS

        return (MODELS[name],) if name in MODELS else ()
    if group == "data":
        from rnnvision.data import CATALOG, ImageData

        return (ImageData, CATALOG[name].read) if name in CATALOG else ()
    return ()
