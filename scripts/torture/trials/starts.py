"""Simultaneous starts in one folder: one runs, the others are refused and write nothing.

Each start is a fork of a process that has imported the libraries; all wait for one moment. In every second round the
folder is not there yet, in the others it is, and empty. Found and mended:

- a start that looked at the folder before another run ended there, and took its lock afterwards, ran over its results
- a folder of a run that was refused stayed behind, with a status "failed"
"""

import json
import os
import random
import time
from functools import partial
from pathlib import Path

from torture.trainings import forked
from torture.trial import Outcome, ended

TITLE = "10 simultaneous starts in one folder"
BAR = "one runs to its end, nine exit 2 with one line; every file is that of the one"
COUNT = 50  # rounds
FOUND = 2
STARTS = 10
LIMIT = 240.0  # seconds for all of a round
SMALL = ("data=digits", "data.batch_size=512", "model.hidden_size=8", "trainer.max_epochs=1", "device=cpu")


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome = Outcome()
    for number in range(count):
        where = folder / str(number)
        where.mkdir()
        outcome.add(fault(where, random.Random(f"{seed}-{number}"), is_there=bool(number % 2)))
    return outcome


def fault(folder: Path, chance: random.Random, *, is_there: bool) -> str | None:
    """What was wrong with one round."""
    if is_there:
        (folder / "run").mkdir()
    begin = time.monotonic() + 0.5
    started = []
    for number in range(STARTS):
        wait = begin + chance.choice((0.0, 0.0, chance.random() * 0.5, chance.random() * 5))
        words = (*SMALL, f"seed={number}", "hydra.run.dir=run")
        started.append(forked(words, folder, partial(wait_for, wait, Path(f"{number}.log"))))
    codes = [ended(process, LIMIT) for process in started]
    winners, others = ([number for number in range(STARTS) if codes[number] == code] for code in (0, 2))
    if len(winners) != 1 or len(others) != STARTS - 1:
        return f"{len(winners)} ran, {len(others)} were refused: exit codes {codes}"
    for number in others:
        said = (folder / f"{number}.log").read_text().splitlines()
        if len(said) != 1 or not said[0].startswith("rnnvision train: run: "):
            return f"was told: {said}"
    record = json.loads((folder / "run" / "environment.json").read_text())
    status = json.loads((folder / "run" / "status.json").read_text())["status"]
    kept = (folder / "run" / ".hydra" / "overrides.yaml").read_text()
    if f"seed={winners[0]}" not in record["overrides"] or f"seed={winners[0]}\n" not in kept or status != "completed":
        return f"the folder holds {record['overrides']}, {kept}, {status}; seed={winners[0]} ran"
    return None


def wait_for(moment: float, log: Path) -> None:
    """In a start: have a log of its own, and wait."""
    with log.open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    time.sleep(max(0.0, moment - time.monotonic()))
