"""Verbs without Hydra: they compose no configuration and make no run folder; their few settings are read here."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rnnvision.checks import choose_one
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE, leave, leave_if_nowhere, open_streams, system_error
from rnnvision.cli.frame.paths import is_path
from rnnvision.cli.frame.results import require_written, unfailing_output
from rnnvision.cli.frame.signals import STOP, Stopped
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import versions

HELP = ("-h", "--help")


@dataclass(frozen=True)
class Settings:
    """The settings of a verb: its keys, and those of them that words without KEY= are for, in order."""

    keys: tuple[str, ...]
    bare: tuple[str, ...] = ()


PLAIN = {
    "models": Settings(("name", "plugins"), ("name",)),
    "doctor": Settings(("log_dir", "data.root")),
    "diff": Settings(("a", "b", "json"), ("a", "b")),
    "results": Settings(
        ("folder", "where", "by", "metric", "columns", "sort", "last", "format", "output", "log_dir", "yes"),
        ("folder",),
    ),
    "completion": Settings(("shell", "line", "breaks"), ("shell",)),
    "check": Settings(()),  # any number of modules, which it reads itself
}


def run_plain(verb: str, usage: str, task: Callable[[list[str]], None]) -> None:
    """Run `task` on the words of the command, with the exit codes of every verb."""
    with STOP.command(f"rnnvision {verb}"):
        _run_plain(verb, usage, task)


def _run_plain(verb: str, usage: str, task: Callable[[list[str]], None]) -> None:
    open_streams()
    leave_if_nowhere(verb)
    words = sys.argv[1:]
    try:
        with unfailing_output(), STOP.at_work():
            if not set(HELP).isdisjoint(words):
                print(usage)
            elif "--version" in words:
                print(versions().get("rnnvision", "not installed"))
            else:
                task(words)
            require_written()
    except (Stopped, KeyboardInterrupt) as error:
        leave(verb, "interrupted", STOP.code_of(error))
    except UsageError as error:
        leave(verb, str(error), EXIT_USAGE)
    except FailureError as error:
        leave(verb, str(error), EXIT_FAILURE)
    except PermissionError as error:
        leave(verb, *system_error(error, of_run=False))


def read_settings(verb: str, words: Sequence[str], flags: Sequence[str] = ()) -> dict[str, str]:
    """The settings among the words of a verb in `PLAIN`, each KEY=VALUE or the next bare one.

    Args:
        verb: which one.
        words: of the command, after the verb.
        flags: those that the verb takes, each with a value; they are left to it.

    Raises:
        UsageError: for a key or a flag that there is not, and for a word too many.
    """
    known, found = PLAIN[verb], dict[str, str]()
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        key, equals, value = word.partition("=")
        if key in flags:
            if not equals:
                del waiting[:1]
            continue
        if word.startswith("-"):
            raise UsageError(f"{word}: there is no such flag; {_settings(verb)}")
        if not equals or (key not in known.keys and known.bare and is_path(word)):
            key, value = next((bare for bare in known.bare if bare not in found), ""), word
            if not key:
                raise UsageError(f"{word}: is one word too many; {_settings(verb)}")
        if key not in known.keys:
            raise UsageError(f"{key}: there is no such key; {choose_one(key, known.keys)}")
        if key in found:
            raise UsageError(f"{key}: is given twice, as {found[key]} and as {value}")
        found[key] = value
    return found


def _settings(verb: str) -> str:
    return f"settings are KEY=VALUE, and rnnvision {verb} --help lists them"
