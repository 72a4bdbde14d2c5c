"""Command lines as people mistype them, and files that they write, through every verb.

A third of the tries are a value that a key cannot have, a third words that are no settings, a third files of the user's
own. A try is a fork of this process; what would train or take long ends it as accepted. A command that a message
advises is tried too.

Faults found, all mended:
- of messages: control characters and line breaks of a value; 100,000 characters of one; eight lines for --info nope;
  the correction of one network of compare, and of data=digit,digits; a seed's without the key; paths quoted twice;
- of ${...} and ???: found when the folder was made, in several lines, without the key;
- of paths: log_dir=null, empty ones, names too long, a data.root that nothing is read from, export's data.root;
- accepted: lr, alpha, momentum, weight decay, shares of a schedule, EMA's decay, patience, save_top_k, timeouts, noise,
  pixels, limits of batches and class weights without a range; report=2, embed=maybe; pretrain_epochs=many; devices of
  predict and watch; min_epochs above max_epochs of tune; budget without an end; a group chosen twice in a file;
  callbacks, schedules and added keys of compare and tune; labels with a zero byte;
- tracebacks: whole numbers above 2**63; a name that is a mapping; storage=-1; max_time of a million years; @KEY;
  --run with -m; a defaults list that is none, or of numbers, lists, nulls; files that begin with each other; NUL in
  YAML; # @x as a header; a network or a batch that does not fit into memory; images that are made up without a limit;
- no end: a scan of images of a billion pixels, networks of 100,000 layers;
- lost or left: ~KEY in best.yaml, startup_trials=null on resume, the line `next` of a run by steps, the nearest value
  of a condition of results, answers in predict.log.
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
FOUND = 55


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
