"""What may stand at the end of a command that is being typed: verbs, keys, options, values, paths."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rnnvision.cli.completion.keys import Keys
from rnnvision.cli.frame.command_line.files import config_dir, options_of, own_folder
from rnnvision.cli.frame.command_line.plain import PLAIN
from rnnvision.cli.frame.paths import PATH_KEYS, expanded

WORD = re.compile(r"(?:\\.|\S)*$")  # the last word, in which a backslash quotes a space
FLAGS = ("--help", "--version")
HYDRA_FLAGS = ("--multirun", "-m", "--config-dir", "--cfg")
OF_FLAGS = {"--cfg": ("job", "hydra", "all"), "-c": ("job", "hydra", "all")}
FOLDER_FLAGS = ("--config-dir", "-cd")
BARE = {"completion": ("bash", "zsh"), "results": ("rm",)}
PLAIN_PATHS = {"diff": ("a", "b"), "doctor": ("log_dir", "data.root"), "results": ("folder", "log_dir")}
PLAIN_VALUES = {"json": ("true", "false"), "yes": ("true", "false"), "format": ("table", "csv", "markdown", "latex")}


def candidates(line: str, breaks: str = "") -> list[str]:
    """The words that the last one of a line may become; one that is complete ends in a space.

    Args:
        line: from its first word to the cursor.
        breaks: characters at which the shell breaks words; only what follows the last of them is given.
    """
    match = WORD.search(line)
    raw = match[0] if match else ""
    typed = _unquoted(raw)
    before = [_unquoted(word) for word in re.findall(r"(?:\\.|\S)+", line[: len(line) - len(raw)])]
    at = next((i for i, word in enumerate(before) if Path(word).name == "rnnvision"), None)
    if at is None:
        return []
    found = sorted({word for word in _words(before[at + 1 :], typed) if word.startswith(typed)})
    cut = max((typed.rfind(character) + 1 for character in breaks), default=0)
    return [_quoted(word[cut:]) for word in found]


def _words(before: Sequence[str], typed: str) -> Iterator[str]:
    """Every word that may follow those before, at least those that begin with what is typed."""
    conf = config_dir()
    if not before:
        verbs = [file.stem for file in conf.glob("[!_]*.yaml")]
        yield from _whole([*verbs, *PLAIN, *FLAGS])
        return
    verb, words = before[0], before[1:]
    flag = words[-1] if words else ""
    if flag in OF_FLAGS:
        yield from _whole(OF_FLAGS[flag])
    elif flag in FOLDER_FLAGS:
        yield from _paths(typed, folders_only=True)
    elif typed.startswith("-"):
        yield from _whole([*FLAGS, *(() if verb in PLAIN else HYDRA_FLAGS)])
    elif verb in PLAIN:
        yield from _of_plain(verb, words, typed)
    elif (conf / f"{verb}.yaml").is_file():
        yield from _of_hydra(Keys(verb, words, [conf, *filter(None, [own_folder(words)])]), words, typed)


def _of_plain(verb: str, words: Sequence[str], typed: str) -> Iterator[str]:
    """Of a verb without Hydra."""
    settings, (key, equals, _) = PLAIN[verb], typed.partition("=")
    given = {word.partition("=")[0] for word in words}
    if equals:
        if key in PLAIN_PATHS.get(verb, ()):
            yield from _prefixed(f"{key}=", _paths(typed[len(key) + 1 :], folders_only=True))
        else:
            yield from _prefixed(f"{key}=", _whole(PLAIN_VALUES.get(key, ()) if key in settings.keys else ()))
        return
    yield from (f"{name}=" for name in settings.keys if name not in given)
    if verb == "models":
        conf = config_dir()
        groups = [folder.name for folder in conf.iterdir() if folder.is_dir()]
        yield from _whole([*groups, *(name for group in groups for name in options_of([conf], group))])
    elif verb == "check":
        yield from _whole(_modules())
    elif verb in ("diff", "results"):
        yield from _paths(typed, folders_only=True)
    yield from _whole(BARE.get(verb, ()) if not words else ())


def _of_hydra(keys: Keys, words: Sequence[str], typed: str) -> Iterator[str]:
    """Of a verb under Hydra: KEY=VALUE, where a group is a key too."""
    name = typed.removeprefix("+").removeprefix("+")
    sign = typed[: len(typed) - len(name)]
    key, equals, value = name.partition("=")
    if not equals:
        given = {word.lstrip("+").partition("=")[0] for word in words}
        yield from _prefixed(sign, (word for word in keys.next(name) if word.rstrip("=") not in given))
        return
    if key in PATH_KEYS:
        yield from _prefixed(f"{sign}{key}=", _paths(value))
        return
    head = value[: max(value.rfind(mark) for mark in "[,") + 1]  # of a list, or of the values of a sweep
    values = _modules() if key == "plugins" else keys.values(key)
    whole = "" if head.startswith("[") else " "
    yield from _prefixed(f"{sign}{key}={head}", (f"{one}{whole}" for one in values))


def _prefixed(prefix: str, words: Iterable[str]) -> Iterator[str]:
    return (f"{prefix}{word}" for word in words)


def _whole(words: Iterable[str]) -> Iterator[str]:
    return (f"{word} " for word in words)


def _modules() -> list[str]:
    """The names of Python files in this folder, which may be plugins."""
    return [file.stem for file in Path().glob("*.py") if file.stem.isidentifier()]


def _paths(typed: str, *, folders_only: bool = False) -> Iterator[str]:
    """The files and folders whose paths begin like this; a folder ends in / and is not the end of the word."""
    folder, _, begun = typed.rpartition("/")
    place = expanded(f"{folder}/") if "/" in typed else "."
    try:
        entries = sorted(os.scandir(place), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith(".") and not begun.startswith("."):
            continue
        path = typed[: len(typed) - len(begun)] + entry.name
        if entry.is_dir():
            yield f"{path}/"
        elif not folders_only:
            yield f"{path} "


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)


def _quoted(word: str) -> str:
    """A word with a backslash before each character that a shell would not leave alone, but for its last space."""
    text = word.removesuffix(" ")
    return re.sub(r"([\s\"'\\$`&|;<>()*?!#{}])", r"\\\1", text) + word[len(text) :]
