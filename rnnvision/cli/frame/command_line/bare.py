"""Words without KEY=: the settings that they are meant for, by what they name: a network, images, a run folder."""

import glob
import re
from collections.abc import Sequence
from pathlib import Path

from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.known import composed, keys
from rnnvision.cli.frame.command_line.words import VALUE_FLAGS, command, override, parsed
from rnnvision.cli.frame.paths import PATH_KEYS, PATH_LISTS, expanded

NEED_CKPT = ("evaluate", "predict", "watch", "export", "demo")  # verbs that do nothing without a checkpoint
TAKE_SEVERAL = ("predict",)  # verbs that take several checkpoints, and several sources
LATEST = "logs/train/latest"
MANY = 4  # files that are rather written as a pattern
Setting = tuple[str, str]  # key and value


def with_latest(words: Sequence[str], folder: str | Path = "") -> str:
    """What to type where no checkpoint is given: the command with that of the latest training in `folder`.

    Where there has been no training, it comes first.
    """
    whole = command([f"ckpt={LATEST}", *(word for word in words if not word.startswith("ckpt="))])
    if Path(folder, LATEST).exists():
        return f"try: {whole}"
    return f"train one first: rnnvision train experiment=digits_lstm; then: {whole}"


def meant_by(word: str, words: Sequence[str], verb: str, conf: Path) -> str | None:
    """What to say of a word without KEY=: the whole command, in which all such words are settings.

    None where this one may mean anything.
    """
    config = composed(conf, verb)
    legal = keys(config, conf, verb)
    given: dict[str, list[str]] = {}  # the values of each key that is a path, typed or meant
    right: list[str] = []  # the command; a key of `given` stands for its setting
    waiting = list(words)
    while waiting:
        one = waiting.pop(0)
        if one.startswith("-"):
            right += [one, waiting.pop(0)] if one in VALUE_FLAGS and waiting else [one]
            continue
        if one in legal and waiting and not re.search("^-|=", waiting[0]):
            typed = f"{one}={waiting.pop(0)}"
            one = typed if parsed(typed) else override(*typed.split("=", 1))
        if "=" in one or parsed(one) is not None:
            settings = _typed(one)
        elif not (settings := _settings(one, words, verb, legal, conf)):
            return None if one == word else f"is not KEY=VALUE, nor is {one}; {command(['--help'])} lists the keys"
        if settings is None:
            right.append(one)
        for key, value in settings or ():
            right += [] if key in given else [key]
            given.setdefault(key, []).append(value)
    whole = [_written(one, given[one], verb) if one in given else one for one in right]
    too_many = [key for key, values in given.items() if len(values) > 1 and not _takes_list(key, verb)]
    why = f", and {verb} takes one {too_many[0]}" if too_many else ""
    lacks_ckpt = verb in NEED_CKPT and config.get("ckpt") is None and "ckpt" not in given
    return f"is not KEY=VALUE{why}; {with_latest(whole) if lacks_ckpt else f'try: {command(whole)}'}"


def _typed(word: str) -> list[Setting] | None:
    """The settings in KEY=PATH or KEY=[PATH,...], none in KEY=null; None for what is no path, and stays as it is."""
    key, _, text = word.partition("=")
    found = parsed(word)
    if key not in PATH_KEYS or (found is not None and found.is_sweep_override()):
        return None
    value = text if found is None else found.value()
    if isinstance(value, list) and key in PATH_LISTS:
        return [(key, str(one)) for one in value]
    return [] if value is None else [(key, value if isinstance(value, str) else text)]


def _settings(word: str, words: Sequence[str], verb: str, legal: Sequence[str], conf: Path) -> list[Setting]:
    """The settings that a path is meant for, of those that the verb has; none if it is no path."""
    path = Path(expanded(word))
    run = next((folder for folder in (path, *path.parents) if (folder / ".hydra").is_dir()), None)
    if not word.strip() or (run is not None and not path.exists()):
        run = None
    if ("ckpt" in legal or "source" in legal) and (found := _input(word, path, run, verb, legal)):
        return [found]
    if not word.strip() or not path.exists() or "ckpt" in legal:
        return []
    if "run" in legal:
        return [("run", str(run or word))]
    if run and "resume" in legal:
        return [("resume", str(run))]
    if path.is_dir() and "data" in default_options(conf, verb):
        chosen = any(one.startswith("data=") for one in words)
        return [*([] if chosen else [("data", "image_folder")]), ("data.root", word)]
    return []


def _input(word: str, path: Path, run: Path | None, verb: str, legal: Sequence[str]) -> Setting | None:
    """A network, or the images that it is to read; both are known by their names too, as a file may be missing."""
    from rnnvision.data.images import SUFFIXES
    from rnnvision.inference.exported import SUFFIXES as EXPORTED
    from rnnvision.inference.exported import is_exported

    exists = bool(word.strip()) and path.exists()
    if path.suffix.lower() in SUFFIXES or (glob.has_magic(word) and not exists):
        return ("source", word) if "source" in legal else None
    if verb == "export" and path.suffix in EXPORTED and not exists:
        return "output", word
    if path.suffix in (".ckpt", *EXPORTED) or (exists and (is_exported(path) or path == run)):
        return "ckpt", word
    if run is not None and path == run / "checkpoints":
        return "ckpt", str(run)
    if "source" in legal and exists and not (path / "checkpoints").is_dir():
        return "source", word
    return ("ckpt", str(run or word)) if exists else None


def _takes_list(key: str, verb: str) -> bool:
    return key in PATH_LISTS and verb in TAKE_SEVERAL


def _written(key: str, values: list[str], verb: str) -> str:
    """KEY=VALUE, or KEY=[VALUE,...] where the verb takes that; what the shell made of a pattern is a pattern again."""
    first = Path(values[0])
    pattern = str(Path(glob.escape(str(first.parent)), f"*{first.suffix}"))
    if len(values) >= MANY and sorted(glob.glob(pattern)) == sorted(values):  # noqa: PTH207  # as the shell spells them
        return override(key, pattern)
    if len(values) == 1 or not _takes_list(key, verb):
        return override(key, values[0])
    return f"{key}=[{','.join(override('x', value)[2:] for value in values)}]"
