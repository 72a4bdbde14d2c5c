"""Words of commands that lie in files: those of a sweep, a study or a comparison that somebody goes on with."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rnnvision.checks import one_line
from rnnvision.cli.frame.command_line.words import command, key_of, parsed
from rnnvision.cli.frame.strangers.interpolations import check_texts
from rnnvision.cli.frame.strangers.reach import reaching
from rnnvision.cli.frame.strangers.rules import MISUSE, TRUST, is_trusted
from rnnvision.errors import UsageError
from rnnvision.masking import MASK, masked_word

HARMLESS = ("hydra.sweeper.params=null", "hydra.job.chdir=true", "hydra.job.chdir=false", "hydra.sweep.dir=")
OF_ANOTHER = ("resume", "resume_sweep")
FLAGS = ("--config-dir", "-cd")


def check_words(words: Iterable[str], flags: Sequence[str], where: Path) -> None:
    """Hold what a file would have its jobs told to the rules for configurations of others.

    Raises:
        UsageError: for Hydra's own settings, variables and functions that are not on the list, and what reaches out of
            the folder of the file.
    """
    if is_trusted():
        return
    words, shown = list(words), one_line(where)
    trusted = f"if you trust whoever wrote it: {TRUST}=1 {command(sys.argv[1:])}"
    for flag in flags[::2]:
        if flag not in FLAGS:
            raise UsageError(f"{shown}: the flag {one_line(flag)[:60]} {MISUSE}; {trusted}")
    for word in words:
        key = one_line(key_of(word))[:100]
        if parsed(word) is None:
            raise UsageError(f"{shown}: {one_line(word)[:100]} is no word of a command")
        if _is_of_hydra(key) and not word.startswith(HARMLESS):
            raise UsageError(f"{shown}: {key} is Hydra's own, which {MISUSE}; {trusted}")
        if key in OF_ANOTHER:
            raise UsageError(f"{shown}: {one_line(word)[:200]} would go on with another run; {trusted}")
        check_texts({key: word}, shown)
    for word, how in reaching(words, where.parent).items():
        refuse_unless_typed(word, how, where)


def refuse_unless_typed(word: str, how: str, where: Path) -> None:
    """Refuse a word of a file unless the user has typed its key himself.

    Raises:
        UsageError: with the command that does so.
    """
    if key_of(word) in map(key_of, sys.argv[1:]) or is_trusted():
        return
    shown, again = one_line(where), command([*sys.argv[1:], word])
    raise UsageError(f"{shown}: {one_line(word)[:200]} {how}; if it is what you want, type it too: {again}")


def _is_of_hydra(key: str) -> bool:
    return re.match(r"hydra\b", key) is not None or "@hydra" in key or ":hydra" in key


def refuse_secrets(words: Iterable[str], verb: str) -> None:
    """Refuse a secret among words that would stand in the commands and the record of several runs.

    Raises:
        UsageError: with how to give it.
    """
    for word in words:
        if masked_word(word) != word:
            key = key_of(word)
            right = f"{word.partition('=')[0]}=${{oc.env:NAME}}"
            again = command(right if typed == word else typed for typed in sys.argv[1:])
            raise UsageError(
                f"{key}={MASK}: is secret, and {verb} would write it into the commands of its runs; export it as NAME, "
                f"and type {again}"
            )
