"""A training is killed at random moments of its life, from its start to its test, and begun again by the same words."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnvision.training import Learner
from torture.trainings import SMALL, difference, forked, trained
from torture.trial import Outcome, ended

TITLE = "SIGKILL of a training run at random moments, restarted with the same command (auto_resume, save_every=1)"
BAR = "no completed epoch lost, at most one step repeated each, the end bit-identical"
COUNT = 100
FOUND = 1  # the row of metrics.csv of an epoch whose checkpoint was written
WORDS = (*SMALL, "save_every=1", "auto_resume=true")


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome, generator = Outcome(), random.Random(seed)
    begin = time.monotonic()
    if code := trained([*WORDS, "hydra.run.dir=whole"], folder):
        outcome.add(f"the undisturbed run ended with {code}: {(folder / 'log').read_text()[-300:]}")
        return outcome
    longest = time.monotonic() - begin
    runs = repeated = 0
    while outcome.count < count:
        runs += 1
        steps = folder / f"steps{runs}"
        steps.touch()
        while True:  # until it has come to its end
            before = _steps(steps)
            process = forked([*WORDS, f"hydra.run.dir=run{runs}"], folder, _noted(steps))
            if kills := outcome.count < count:
                time.sleep(generator.uniform(0, longest))
            code = _killed(process) if kills else ended(process)
            after = _steps(steps)[len(before) :]
            again = before[-1] - after[0] + 1 if before and after else 0
            repeated += max(0, again)
            failure = None if code in (0, -9) else f"ended with {code}: {(folder / 'log').read_text()[-300:]}"
            if again not in (0, 1) or after != list(range(after[0], after[0] + len(after)) if after else []):
                failure = f"run {runs}: after step {before[-1:]} came {after[:3]}"
            if code == -9 or failure:
                outcome.add(failure)
            if code != -9:
                break
        if not failure and (found := difference(folder / "whole", folder / f"run{runs}")):
            outcome.failures.append(f"run {runs}: {found}")
    outcome.note = f"{runs} runs, {repeated} steps repeated"
    return outcome


def _killed(process: int) -> int:
    """Kill a fork with all that it has started; its exit code, where it was no longer there."""
    found, status = os.waitpid(process, os.WNOHANG)
    if not found:
        os.killpg(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


def _noted(file: Path) -> Callable[[], None]:
    """Have each step of a training write its number into a file, before it is taken."""

    def prepare_it() -> None:
        train = Learner.training_step

        def training_step(self: Learner, *arguments: Any) -> Tensor:
            with file.open("a") as steps:
                steps.write(f"{self.trainer.global_step}\n")
            return train(self, *arguments)

        Learner.training_step = training_step  # type: ignore[assignment,method-assign]

    return prepare_it


def _steps(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()]
