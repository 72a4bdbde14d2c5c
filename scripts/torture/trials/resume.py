"""A training is killed at one step after the other, once or twice, and resumed where it was moved to.

One that a limit of steps ends is told to end (SIGTERM) the first time: it takes the step, and saves what follows it.

Faults that it found:
- a row of metrics.csv was lost by a kill between a checkpoint and the row
- of an epoch that max_steps had cut the rest was never trained
- the validation was lost where the run was stopped in the last step, and max_steps ended an epoch
- the last row was lost where max_steps had cut an epoch, and a resume had nothing left to train
"""

import random
import signal
from pathlib import Path

from torture.trainings import BATCHES, SMALL, STEPS, difference, killed_in_step, killed_in_validation, trained
from torture.trial import Outcome

TITLE = "single and double resume from every position of a 48-step run, 0 and 2 workers, max_steps, moved in between"
BAR = "weights, optimiser, schedule, averages, best checkpoint, metrics and answers bit-identical"
FOUND = 4
LIMITED = ("trainer.max_epochs=-1", f"trainer.max_steps={STEPS}")
WAYS = {
    "0 workers": ("augmentation.mixup=0.2",),
    "2 workers": ("augmentation=flip_shift", "data.format=streaming", "data.num_workers=2"),
    "a limit that ends an epoch": LIMITED,
    "a limit that cuts an epoch": (*LIMITED, "trainer.limit_train_batches=10"),
}
COUNT = len(WAYS) * 2 * STEPS


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome, generator = Outcome(), random.Random(seed)
    for name, words in WAYS.items():
        code = trained([*SMALL, *words, "save_every=1", f"hydra.run.dir={name}"], folder)
        if code:
            outcome.add(f"{name}: the undisturbed run ended with {code}: {(folder / 'log').read_text()[-300:]}")
            return outcome
    cases = [(position, name, twice) for position in range(STEPS) for name in WAYS for twice in (False, True)]
    for number in range(count):
        position, name, twice = cases[(number * len(cases)) // count if count < len(cases) else number % len(cases)]
        place = folder / f"{number}"
        failure = _tried(place, position, WAYS[name], generator.randrange(STEPS) if twice else None)
        failure = failure or difference(folder / name, place / "moved")
        outcome.add(f"{name}, killed in step {position}{', twice' if twice else ''}: {failure}" if failure else None)
    return outcome


def _tried(folder: Path, position: int, words: tuple[str, ...], again: int | None) -> str | None:
    """Train in folder/run, kill in a step, move, resume, kill in the step `again` after it, resume; what went wrong."""
    by, expected = (signal.SIGTERM, 143) if {*LIMITED} <= {*words} else (signal.SIGKILL, -9)
    code = trained([*SMALL, *words, "save_every=1", "hydra.run.dir=run"], folder, killed_in_step(position, by))
    if code != expected:
        return f"it ended with {code} before it was killed"
    (folder / "run").rename(folder / "moved")
    begin = [*SMALL, *words, "save_every=1", "auto_resume=true", "hydra.run.dir=moved"]
    if again is not None:
        kill = killed_in_validation(BATCHES) if again < BATCHES else killed_in_step(max(position, again))
        code = trained(begin, folder, kill)
        if code not in (-9, 0):
            return f"resumed, it ended with {code}: {(folder / 'log').read_text()[-300:]}"
    code = trained(begin, folder)
    return f"resumed, it ended with {code}: {(folder / 'log').read_text()[-300:]}" if code else None
