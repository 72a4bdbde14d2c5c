"""Words that choose from a group (GROUP=OPTION): one option, none (null), or several where they add up."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.files import options_of, own_folder
from rnnvision.cli.frame.command_line.words import command, parsed
from rnnvision.errors import UsageError

SEVERAL = ("callbacks", "logger")  # of these a list of options is their sum
OFF = {"augmentation": "none", "callbacks": "none", "logger": "none", "scheduler": "constant"}  # what null means


@cache
def default_options(conf: Path, verb: str) -> dict[str, str | None]:
    """The groups from which a verb chooses, each with its default option (None: none)."""
    found: dict[str, str | None] = {}
    node = cast(DictConfig, OmegaConf.load(conf / f"{verb}.yaml"))
    for entry in node.get("defaults", []):
        if OmegaConf.is_dict(entry):
            found |= {str(group): option for group, option in entry.items() if not str(group).startswith("override ")}
        elif entry != "_self_":
            found |= default_options(conf, str(entry))
    return found


@cache
def sections_of(conf: Path, verb: str) -> dict[str, list[str]]:
    """The keys of conf/<verb>.yaml that hold KEY: VALUE pairs and are no group, such as loss; each with its keys."""
    node = cast(DictConfig, OmegaConf.load(conf / f"{verb}.yaml"))
    found: dict[str, list[str]] = {}
    for entry in node.get("defaults", []):
        found |= sections_of(conf, entry) if isinstance(entry, str) and entry != "_self_" else {}
    content = cast(dict[Any, Any], OmegaConf.to_container(node))
    own = {str(key): list(map(str, value)) for key, value in content.items() if isinstance(value, dict)}
    return found | {key: inner for key, inner in own.items() if key != "hydra"}


def options_in(found: Override) -> list[Any]:
    """The options that a word chooses: names, None, or lists of names; of a sweep one for each run."""
    value = found.value()
    if isinstance(value, ChoiceSweep):
        return [getattr(option, "text", option) for option in value.list]
    return [value]


def read_group(word: str, words: Sequence[str], verb: str, conf: Path, multirun: bool) -> str | None:
    """The word as Hydra has to be given it; None where it asks for nothing. Other words stay as they are.

    Raises:
        UsageError: for a list of options that exclude each other, and for a group that cannot be off.
    """
    found, defaults = parsed(word), default_options(conf, verb)
    if found is None or found.key_or_group not in defaults:
        return word
    group = found.key_or_group
    if isinstance(pattern := found.value(), Glob) and multirun:
        return _matching(word, group, pattern, conf)
    options = [None] if found.is_delete() else options_in(found)
    names = [name for option in options for name in (option if isinstance(option, list) else [option])]
    if group not in SEVERAL and any(isinstance(option, list) for option in options):
        right = f"{group}={','.join(map(str, names))}"
        flags = [] if multirun or len(names) == 1 else ["-m"]
        each = command([*flags, *(right if typed == word else typed for typed in words)])
        raise UsageError(
            f"{word}: {group} takes one option, not a list; {'for a run each' if flags else 'try'}: {each}"
        )
    for name in names:
        if not isinstance(name, str | None) or str(name).startswith("_"):
            why = "is a part of other options" if isinstance(name, str) else "there is no such option"
            raise UsageError(f"{word}: {why}; choose one of {', '.join(options_of([conf], group))}")
    if options == [None]:
        return _off(word, group, defaults)
    if None in options:
        return f"{group}=" + ",".join(_written(option, word, group, defaults) for option in options)
    return word.lstrip("+")  # every group is there, and to choose from it adds nothing


def _matching(word: str, group: str, pattern: Glob, conf: Path) -> str:
    """The options that a pattern stands for, of which those are none that are parts of others."""
    own = own_folder()
    options = options_of([conf, *([own] if own else [])], group)
    if not (names := pattern.filter(options)):
        raise UsageError(f"{word}: no option of {group} is like that; choose from {', '.join(options)}")
    return f"{group}={','.join(names)}"


def _off(word: str, group: str, defaults: dict[str, str | None]) -> str | None:
    if defaults[group] is None:
        return None
    if group not in OFF:
        raise UsageError(f"{word}: {group} cannot be off; leave it out for {group}={defaults[group]}")
    return f"{group}={OFF[group]}"


def _written(option: Any, word: str, group: str, defaults: dict[str, str | None]) -> str:
    if option is None:
        return (_off(word, group, defaults) or f"{group}=[]").partition("=")[2]
    return f"[{','.join(map(str, option))}]" if isinstance(option, list) else str(option)
