"""The user's own YAML files: what is wrong in one, with its line."""

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.command_line.groups import OFF, SEVERAL, default_options, options_in, sections_of
from rnnvision.cli.frame.command_line.words import parsed, yaml_text
from rnnvision.cli.frame.strangers.reading import read_pairs
from rnnvision.errors import UsageError

PACKAGE = re.compile(r"^(?:\s*#.*\n|\s*\n)*?\s*#\s*@package\s+(\S+)")  # among the comments at the top
HEADER = re.compile(r"#\s*@")  # which Hydra reads as a KEY VALUE of its own


def check_own_files(words: Iterable[str], folder: Path | None, conf: Path, verb: str) -> None:
    """Read every option of the user's own that the words choose, so that a fault in one is told before anything runs.

    Raises:
        UsageError: with the file, and the line where the parser says it.
    """
    if folder is None:
        return
    for word in words:
        found = parsed(word)
        if found is None or found.is_delete():
            continue
        for option in options_in(found):
            for name in option if isinstance(option, list) else [option]:
                file = folder / found.key_or_group / f"{name}.yaml"
                if isinstance(name, str) and file.is_file():
                    _check_option(file, package_of(found.key_or_group, conf), verb, conf, [])


def _check_option(file: Path, package: str | None, verb: str, conf: Path, seen: list[Path]) -> None:
    """Check a file of an option, and those of its folder that it begins with."""
    content = written(read_pairs(file))
    _check_package(file, package)
    for key, value in content.items() if package == "_global_" else ():
        if why := misplaced(key, value, verb, conf):
            raise UsageError(f"{file}: {key}: {_shown(value)}: {why}")
    defaults = content.get("defaults", [])
    if not isinstance(defaults, list) or not all(map(_is_default, defaults)):
        wrong = defaults if not isinstance(defaults, list) else next(d for d in defaults if not _is_default(d))
        raise UsageError(
            f"{file}: defaults: {_shown(wrong)}: "
            f"has to be a list, of names and of GROUP: OPTION, as - override /model: gru"
        )
    groups = [str(next(iter(entry))) for entry in defaults if isinstance(entry, dict)]
    if twice := next((group for group in groups if groups.count(group) > 1), None):
        raise UsageError(f"{file}: defaults: {twice}: stands there more than once; leave in one of them")
    for name in defaults:
        base = file.parent / f"{name}.yaml"
        if not isinstance(name, str) or not base.is_file():
            continue
        if base in (*seen, file):
            raise UsageError(f"{file}: defaults: {name}: begins with this file again; leave it out")
        _check_option(base, package, verb, conf, [*seen, file])


def _is_default(entry: Any) -> bool:
    """Whether this can be an entry of a defaults list: a name, or a group with an option, several or none."""
    if isinstance(entry, dict) and len(entry) == 1:
        (group, option), *_ = entry.items()
        options = option if isinstance(option, list) else [option]
        return isinstance(group, str) and all(one is None or isinstance(one, str) for one in options)
    return isinstance(entry, str)


def misplaced(key: str, value: Any, verb: str, conf: Path) -> str | None:
    """Why a value of a configuration cannot stand where KEY: VALUE pairs have to; None where it can.

    A group is chosen in the defaults list of a file: model: gru beside it would put a word in place of the network.
    """
    groups = default_options(conf, verb)
    if isinstance(value, dict) or str(value).startswith("${"):
        return None
    if key in groups:
        if value is None:
            can_be_off = key in (*SEVERAL, "augmentation") or groups[key] is None
            off = f"a group is chosen under defaults: - override /{key}: {OFF[key]}" if key in OFF else None
            return None if can_be_off else off or f"{key} cannot be off; leave it out for {key}={groups[key]}"
        return f"a group is chosen under defaults: - override /{key}: {_shown(value)}"
    inner = sections_of(conf, verb).get(key)
    if inner is None or value is None:
        return None
    example = "" if isinstance(value, (int, float)) else f", for example {key}.{inner[0]}={_shown(value)}"
    return f"has to be KEY: VALUE pairs, of {', '.join(inner)}{example}"


def written(config: DictConfig, but: str = "") -> dict[str, Any]:
    """A configuration as plain values, its interpolations as they are written."""
    content = cast(dict[Any, Any], OmegaConf.to_container(config))
    return {str(key): value for key, value in content.items() if key != but}


def _shown(value: Any) -> str:
    """A value as it is written in a file."""
    return f"[{', '.join(map(_shown, value))}]" if isinstance(value, list) else yaml_text(value)


@cache
def package_of(group: str, conf: Path) -> str | None:
    """Where the values of a group's options belong, if not under the group's own name."""
    for file in sorted((conf / group).glob("*.yaml")):
        if found := PACKAGE.search(file.read_text(encoding="utf-8")):
            return found[1]
    return None


def _check_package(file: Path, package: str | None) -> None:
    text = file.read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if HEADER.match(line) and not PACKAGE.match(line):
            raise UsageError(f"{file}: {line[:80]}: a line that begins with # @ has to be # @package NAME")
    found = PACKAGE.match(text)
    if package and (found is None or found[1] != package):
        raise UsageError(f"{file}: its values would be of no use; its first line has to be: # @package {package}")
