"""rnnvision tune KEY=VALUES ...: search for the settings that score best; each trial is a plain run of train.

A trial is a process and an ordinary run folder, FOLDER/trials/0007; what is known of the study lies in its storage, so
that it can be killed, gone on with, extended, and shared by several processes.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from rnnvision.cli.frame.app import run_verb
from rnnvision.cli.frame.command_line.words import override
from rnnvision.cli.frame.strangers.places import Places
from rnnvision.cli.tune.axes import words_of
from rnnvision.cli.tune.check import TuneStart, place_of
from rnnvision.cli.tune.lines import Lines, first_lines
from rnnvision.cli.tune.results import report
from rnnvision.cli.tune.rows import watched
from rnnvision.cli.tune.settings import resumption, settings_from, storage_of
from rnnvision.runs import RunFolder
from rnnvision.runs.study import write_study
from rnnvision.search.claims import Claim
from rnnvision.search.job import Job
from rnnvision.search.record import record_of
from rnnvision.search.sampling import most_trials
from rnnvision.search.settings import Settings
from rnnvision.search.storage import open_study, running_in_one_line
from rnnvision.search.study import Driver

SHARE = 20  # at most this share of the time is spent on writing the record: 1 in 20


def main() -> None:
    run_verb("tune", tune, libraries=())  # its trials import what they need


def tune(cfg: DictConfig, run: RunFolder) -> float:
    """Run the trials that are left, and show what they found; returns the best score of the first metric."""
    os.chdir(HydraConfig.get().runtime.cwd)  # where relative paths are meant, for its trials too
    settings, total = settings_from(cfg)
    settings.write(run.path, total)
    study = open_study(run.path, settings, storage_of(settings))
    most = most_trials(study, settings)
    total = total if most is None else min(total, most)
    print(first_lines(settings, total, run.shown(), int(cfg.jobs)), flush=True)
    place = TuneStart.place or place_of(cfg)
    seconds = None if cfg.timeout is None else 60.0 * float(cfg.timeout)
    jobs = make_jobs(settings, run.path.absolute(), str(cfg.log_dir))
    try:
        with (
            running_in_one_line(settings.storage),
            watched(settings, record_of(study, settings, total, words_of), total) as shown,
        ):
            watcher = _Recorded(shown, lambda: write_study(run.path, record_of(study, settings, total, words_of)), run)
            Driver(study, run.path, settings, total, place, jobs, watcher, seconds).run()
    except (KeyboardInterrupt, SystemExit):
        write_study(run.path, record_of(study, settings, total, words_of))
        print(f"next      {resumption(settings, run.shown())}", flush=True)
        raise
    record = record_of(study, settings, total, words_of, whole=True)
    if len(record.trials) == most:
        print(f"ended     all {settings.size:,} settings of the space have been tried")
    return report(run, settings, record, total)


def make_jobs(settings: Settings, folder: Path, log_dir: str) -> Callable[[int, Mapping[str, Any]], Job]:
    """The job of a trial: `train` with its values, in a folder of its number."""
    places = Places(lambda words: compose("train", overrides=list(words)))

    def job(number: int, params: Mapping[str, Any]) -> Job:
        name = f"{number:04d}"
        path = folder / "trials" / name
        own = [override("name", name), override("log_dir", log_dir), override("hydra.run.dir", path)]
        fresh = (*settings.config_dir, *settings.words, *words_of(params), *own)
        resume = (*settings.config_dir, override("resume", path), *places([*settings.words, *words_of(params)]))
        return Job(name, path, "rnnvision.cli.train", fresh, resume)

    return job


class _Recorded:
    """Hands on how the trials go, and writes the record of the study as each one ends, unless that takes long."""

    def __init__(self, shown: Lines, write: Callable[[], object], run: RunFolder) -> None:
        self.began, self.scored, self.waits = shown.began, shown.scored, shown.waits
        self._shown, self._write, self._run = shown, write, run
        self._due = 0.0  # of a study of thousands of trials it is written now and then

    def look(self) -> None:
        self._shown.look()
        if self._run.lock.holder() is None and self._run.lock.acquire():  # of several processes the first one has ended
            self._run.write_status("running")

    def ended(self, claim: Claim, state: str, values: tuple[float, ...], error: str | None, epochs: int) -> None:
        self._shown.ended(claim, state, values, error, epochs)
        begin = time.monotonic()
        if begin >= self._due:
            self._write()
            self._due = begin + SHARE * (time.monotonic() - begin)
