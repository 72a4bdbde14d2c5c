"""Words that choose from a group (GROUP=OPTION): one option, none (null), or several where they add up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from hydra.core.override_parser.types import ChoiceSweep, Override
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.words import command, parsed
from rnnvision.errors import UsageError

SEVERAL = ("callbacks", "logger")  # of these a list of options is their sum
OFF = {"augmentation": "none", "callbacks": "none", "logger": "none", "scheduler": "constant"}  # what null means


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


def options_of(folders: Sequence[Path], group: str) -> list[str]:
    """The options that a user may choose; those that begin with _ are parts of others."""
    files = [file for folder in folders for file in (folder / group).glob("*.yaml")]
    return sorted({file.stem for file in files if not file.stem.startswith("_")})


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
    found = parsed(word)
    defaults = default_options(conf, verb)
    group = found.key_or_group if found is not None else ""
    if found is None or group not in defaults:
        return word
    legal = options_of([conf], group)

    def again(right: str, *flags: str) -> str:
        return command([*flags, *(right if typed == word else typed for typed in words)])

    if found.is_delete():
        return _off(word, group, defaults)
    options = options_in(found)
    for option in options:
        if isinstance(option, list) and group not in SEVERAL:
            names = ",".join(str(name) for each in options for name in (each if isinstance(each, list) else [each]))
            if "," not in names:
                raise UsageError(f"{word}: is a list, and {group} takes one option; try: {again(f'{group}={names}')}")
            each = again(f"{group}={names}", *([] if multirun else ["-m"]))
            raise UsageError(f"{word}: {group} takes one option; for a run each: {each}")
        for name in option if isinstance(option, list) else [option]:
            if str(name).startswith("_"):
                raise UsageError(f"{word}: is a part of other options; choose one of {', '.join(legal)}")
    if options == [None]:
        return _off(word, group, defaults)
    if any(option is None for option in options):
        return f"{group}=" + ",".join(_written(option, word, group, defaults) for option in options)
    if found.is_add() and not found.is_force_add():
        return word.replace("+", "", 1)  # every group is there, and to choose from it adds nothing
    return word


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
