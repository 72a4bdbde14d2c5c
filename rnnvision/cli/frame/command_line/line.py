"""A command line before Hydra reads it: flags and KEY=VALUE words, in any order, each meaning what it says."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rnnvision.checks import nearest
from rnnvision.cli.frame.command_line.bare import meant_by
from rnnvision.cli.frame.command_line.groups import SEVERAL, default_options, read_group
from rnnvision.cli.frame.command_line.known import keys_of, near_key, refusal
from rnnvision.cli.frame.command_line.space import SEARCHES, with_space
from rnnvision.cli.frame.command_line.studies import with_best_trials
from rnnvision.cli.frame.command_line.words import (
    FLAGS,
    FOLDER_FLAGS,
    MULTIRUN,
    VALUE_FLAGS,
    command,
    override,
    parsed,
)
from rnnvision.cli.frame.paths import PATH_KEYS, PATH_LISTS, expanded, is_path
from rnnvision.errors import UsageError

OPEN = ("optimizer.lr_factors.",)  # mappings in which any key may be typed: they are of parts of a network
OF_ALL = ("hydra.sweep.dir", "resume_sweep")  # paths that a sweep has one of
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
CLOSED = {**dict.fromkeys(("--cfg", "-c"), ("job", "hydra", "all")), **dict.fromkeys(("--info", "-i"), INFO)}
ALONE = (("--run", "-r"), ("--multirun", "-m"), ("--cfg", "-c"), ("--info", "-i"), ("--shell-completion", "-sc"))


@dataclass(frozen=True)
class CommandLine:
    """What was typed, checked: `flags` with their values, and `overrides` that Hydra reads as they were meant."""

    flags: tuple[str, ...]
    overrides: tuple[str, ...]
    note: str | None = None  # what has been put in place of a word, for people

    @property
    def multirun(self) -> bool:
        return not set(MULTIRUN).isdisjoint(self.flags)

    @property
    def wants_help(self) -> bool:
        return not {"-h", "--help"}.isdisjoint(self.flags)


def read_command(words: Sequence[str], verb: str, conf: Path) -> CommandLine:
    """Check the words of a command.

    Raises:
        UsageError: with the corrected command, for what Hydra would refuse in words of its own, or misread.
    """
    flags, settings = _separated(words, verb, conf)
    settings, note = with_best_trials(settings)
    resumes = any(word.startswith("resume_sweep=") for word in settings)  # for which -m need not be typed
    several = CommandLine(tuple(flags), ()).multirun or resumes or verb in SEARCHES
    read = [_read(word, words, verb, conf, several) for word in settings]
    checked = [read_group(word, words, verb, conf, several) for word in read]
    overrides = with_space([word for word in checked if word is not None], verb, conf)
    return CommandLine(tuple(flags), tuple(overrides), note)


def _separated(words: Sequence[str], verb: str, conf: Path) -> tuple[list[str], list[str]]:
    flags: list[str] = []
    settings: list[str] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        flag, equals, value = word.partition("=")
        if not word.startswith("-"):
            _refuse_spaces(word, waiting, words)
            settings.append(word)
        elif flag in VALUE_FLAGS:
            if not (value if equals else waiting and waiting[0] and not waiting[0].startswith("-")):
                raise UsageError(f"{flag}: needs a value")
            flags += [flag, _flag_value(flag, value if equals else waiting.pop(0))]
        elif word in FLAGS:
            flags.append(word)
        else:
            raise UsageError(_no_such_flag(word, waiting, words, verb, conf))
    if len(typed := [next(f for f in names if f in flags) for names in ALONE if not set(names).isdisjoint(flags)]) > 1:
        raise UsageError(f"{' '.join(typed)}: exclude each other; leave out all but one")
    return flags, settings


def _flag_value(flag: str, value: str) -> str:
    if flag in CLOSED and value not in CLOSED[flag]:
        raise UsageError(f"{flag} {value}: choose one of {', '.join(CLOSED[flag])}")
    if flag not in FOLDER_FLAGS:
        return value
    folder = os.path.abspath(expanded(value))  # noqa: PTH100  # links stay as they are
    if not Path(folder).is_dir():
        raise UsageError(f"{flag} {value}: there is no such folder")
    return folder


def _refuse_spaces(word: str, following: Sequence[str], words: Sequence[str]) -> None:
    """Refuse KEY = VALUE, KEY= VALUE and KEY =VALUE, with the command without the spaces."""
    at = len(words) - len(following) - 1
    if "=" not in word and following and following[0].startswith("="):
        value = following[0][1:] or "".join(following[1:2])
        used = 2 if following[0] != "=" else min(3, len(words) - at)
    elif len(word) > 1 and word.endswith("=") and following and not re.search("^-|=", following[0]):
        value, used = following[0], 2
    else:
        return
    right = f"{word.rstrip('=')}={value}"
    wrong = " ".join(words[at : at + used])
    raise UsageError(f"{wrong}: leave out the spaces; try: {command([*words[:at], right, *words[at + used :]])}")


def _no_such_flag(word: str, following: Sequence[str], words: Sequence[str], verb: str, conf: Path) -> str:
    """A flag that there is not: another one, or a setting in the form of other programs (--epochs 3, --lr=0.1)."""
    at = len(words) - len(following) - 1
    name, equals, value = word.partition("=")
    known = [*FLAGS, *VALUE_FLAGS]
    key = name.lstrip("-").replace("-", "_")
    keys = keys_of(verb, conf)
    if instead := refusal(key, verb, keys):
        return f"{word}: there is no such flag; {instead}"
    meant = key if key in keys else near_key(key, keys)
    near_flag = next(iter(get_close_matches(name, known, n=1, cutoff=0.8)), None)
    if near_flag and not equals and key not in keys:
        right, used = [near_flag], 1
    elif meant:
        given = value if equals else following[0] if following and not _is_setting(following[0]) else "VALUE"
        right, used = [f"{meant}={given}"], 1 if equals or given == "VALUE" else 2
    else:
        return f"{word}: there is no such flag; settings are KEY=VALUE, and {command(['--help'])} lists them"
    corrected = command([*words[:at], *right, *words[at + used :]])
    return f"{word}: there is no such flag; settings are KEY=VALUE. Try: {corrected}"


def _is_setting(word: str) -> bool:
    return word.startswith("--") or "=" in word


def _read(word: str, words: Sequence[str], verb: str, conf: Path, multirun: bool) -> str:
    """The word as Hydra has to be given it: a path is any text, whatever Hydra's grammar would make of it."""
    key, equals, value = word.partition("=")
    found = parsed(word)
    if key.lstrip("+") in PATH_KEYS and equals:
        return _path_word(key, value, multirun)
    if key.startswith(OPEN) and equals and OPEN[0].partition(".")[0] in default_options(conf, verb):
        word = f"++{word}"
        found = parsed(word)
    if found is not None and found.is_delete():
        _refuse_deletion(word, key.lstrip("~"), default_options(conf, verb))
    if found is not None and (key or not equals) and not key.lstrip("+~").startswith("@"):
        return word
    raise UsageError(f"{word}: {_unreadable(word, words, verb, conf)}")


def _refuse_deletion(word: str, key: str, groups: Iterable[str]) -> None:
    """Refuse ~KEY of a setting, in whose place a default of the code would hold, unseen; what is one of several may go.

    A group has a rule of its own, see `read_group`.
    """
    top, _, inner = key.partition(".")
    one_of_several = (top in SEVERAL and "." not in inner) or key.startswith(OPEN)
    if not (key in groups or top == "hydra" or not {"/", "@"}.isdisjoint(key) or one_of_several):
        raise UsageError(
            f"{word}: a setting cannot be taken away; give it a value, {key}=VALUE, or leave this word out"
        )


def _path_word(key: str, text: str, multirun: bool) -> str:
    found = parsed(f"{key}={text}")
    if multirun and key not in OF_ALL and not is_path(text):
        if found is not None and found.is_sweep_override() and ("(" in text or text[0] in "'\"[{"):
            return f"{key}={text}"  # choice(a,b) "a","b" [a,b],c
        if "," in text and text[0] not in "'\"[{":
            return f"{key}={','.join(_path_word('x', part, False)[2:] for part in _paths_in(text))}"
    value = found.value() if found is not None and text else None
    listed = isinstance(value, list) and key in PATH_LISTS and not Path(text).exists()
    if listed or (found is not None and value is None):
        return f"{key}={text}"
    if isinstance(value, str) and ("${" in value or not value.startswith("~")):
        return f"{key}={text}"
    return override(key, expanded(value if isinstance(value, str) else text))


def _paths_in(text: str) -> list[str]:
    """Paths between commas; those that are there may have some in their names, as the jobs of a sweep do."""
    parts, paths = text.split(","), []
    while parts:
        length = next((n for n in range(len(parts), 1, -1) if is_path(",".join(parts[:n]))), 1)
        paths.append(",".join(parts[:length]))
        del parts[:length]
    return paths


def _unreadable(word: str, words: Sequence[str], verb: str, conf: Path) -> str:
    """What to type in place of a word that cannot be parsed."""
    key, equals, value = word.partition("=")
    if not equals:
        if meant := meant_by(word, words, verb, conf):
            return meant
        near = nearest(word, ("help", "multirun"))
        hint = f"; did you mean --{near}" if near else ""
        return f"is not KEY=VALUE{hint}; {command(['--help'])} lists the keys"
    if key == "models":
        return """is not KEY=VALUE; quote each network that has options, as 'models=[gru,"lstm model.scan=columns"]'"""
    closing = {"[": "]", "{": "}"}.get(value[:1])
    if closing and value.count(value[0]) != value.count(closing):
        return f"is not KEY=VALUE; a {value[0]} is not closed"
    right = override(key, value)
    if not key.strip("+~") or key.lstrip("+~").startswith("@") or parsed(right) is None:
        return "is not KEY=VALUE; a key is made of letters, digits, _ and dots"
    return f"has characters that need quotes; try: {command(right if w == word else w for w in words)}"
