"""Command lines as people mistype them, and files that they write, through every verb.

A third of the tries are a value that a key cannot have, a third words that are no settings, a third files of the user's
own. A try is a fork of this process; what would train or take long ends it as accepted. A command that a message
advises is tried too.

Faults found, all mended:
FAULTS
"""

import random
from pathlib import Path

from torture.fuzz import files, values, words
from torture.fuzz.cases import Case
from torture.fuzz.forked import BY_ARGPARSE, VERBS, Tried, import_all, tried
from torture.fuzz.given import fresh, make_given
from torture.fuzz.judge import advice, advice_fault, fault
from torture.trial import Outcome

TITLE = "command lines mistyped, and files that a user writes"
BAR = "each ends in one line that names what is wrong, or is legal"
COUNT = 2_000
FOUND = 0


def run(count: int, seed: int, folder: Path) -> Outcome:
    make_given(folder)
    import_all()
    outcome, advised, accepted = Outcome(), 0, 0
    for case in cases(count, seed):
        here = fresh(folder)
        case.write(here)
        found = tried(case.verb, list(case.words), here)
        wrong = fault(case, found)
        accepted += found.accepted
        if wrong is None and not found.accepted and (again := _advised(found, here)):
            advised += 1
            wrong = advice_fault(found, again)
        outcome.add(None if wrong is None else f"{str(case)!a}: {wrong!a}")
    outcome.note = f"{accepted} legal ones; {advised} advised commands tried"
    return outcome


def cases(count: int, seed: int) -> list[Case]:
    """So many commands: a third each of values, words and files."""
    chosen = random.Random(seed)
    verbs = (*VERBS, "train", "train", "train")
    made = (lambda: values.random_value(chosen.choice(verbs), chosen), lambda: words.random_words(chosen))
    kinds = (*made, lambda: files.random_file(chosen))
    return [kinds[number % len(kinds)]() for number in range(count)]


def _advised(found: Tried, folder: Path) -> Tried | None:
    command = advice(found)
    if (
        command is None
        or command[:1] != ["rnnvision"]
        or command[1:2] == []
        or command[1] not in (*VERBS, *BY_ARGPARSE)
    ):
        return None
    return tried(command[1], command[2:], folder)
