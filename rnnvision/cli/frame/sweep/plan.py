"""The plan of a sweep: its words composed and checked, and its jobs, before anything is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rnnvision.checks import at_least, counted, flags
from rnnvision.cli.frame.arguments import arguments_of
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.groups import default_options
from rnnvision.cli.frame.command_line.words import command, override, parsed
from rnnvision.cli.frame.start import as_hydra_has_it
from rnnvision.cli.frame.strangers.interpolations import allowing
from rnnvision.cli.frame.strangers.places import Places
from rnnvision.cli.frame.strangers.reach import reaching
from rnnvision.cli.frame.sweep.check import Compose, check_sweep
from rnnvision.cli.frame.sweep.command import SweepCommand
from rnnvision.cli.frame.sweep.expand import Point, Values, points_of, read_values
from rnnvision.cli.frame.sweep.record import FILE, Entry, Record, resumption
from rnnvision.errors import UsageError
from rnnvision.search import Job

NOT_OF_A_JOB = ("hydra.sweep.", "hydra.sweeper.")
OF_ONE_COMMAND = ("resume_sweep=", "retry_failed=")  # settings that are not those of whoever goes on
PARAMS = "hydra.sweeper.params"
SUBDIR = "${hydra.job.num}"  # as conf/ has it, for Hydra's own multirun


@dataclass(frozen=True)
class Plan:
    """A sweep that may begin.

    Attributes:
        sweep: what was typed.
        record: what is to lie in its folder.
        is_changed: whether that is something else than what lies there.
        config: of its first job; the settings of the sweep are read from it.
    """

    sweep: SweepCommand
    folder: Path
    record: Record
    is_changed: bool
    jobs: list[Job]
    config: DictConfig

    @property
    def verb(self) -> str:
        return self.sweep.verb

    @property
    def shown(self) -> str:
        """The folder as a person would type it."""
        return self.sweep.shown(self.folder)

    @property
    def resumption(self) -> str:
        every = [word for job in self.record.jobs for word in job.words]
        own = reaching(self.record.words, self.folder)
        return allowing(every) + resumption(self.verb, self.shown, *own)

    @property
    def slots(self) -> int:
        return int(self.config.jobs)


def plan_of(sweep: SweepCommand, hydra: Hydra, config_name: str | None) -> Plan:
    """Compose and check what was typed.

    Raises:
        UsageError: for what cannot be a sweep, with what to type instead.
    """
    of_sweep = [word for word in sweep.words if word.startswith(NOT_OF_A_JOB)]

    def compose(words: Sequence[str]) -> DictConfig:
        typed = [*sweep.settings, *of_sweep, *words]
        return hydra.compose_config(config_name, typed, RunMode.RUN, with_log_configuration=False)

    if sweep.record is not None and sweep.is_repeated:
        record = sweep.record
        config = compose(record.jobs[0].words)
    else:
        values = _values(sweep, compose, hydra.config_loader)
        points = points_of(values)
        config = check_sweep(compose, values, sweep.verb)
        record = _recorded(sweep, points)
    with as_hydra_has_it(config):
        _check_hydra(config, sweep)
        with arguments_of(""):
            at_least("jobs", config.jobs, 1)
            flags(fail_fast=config.fail_fast, retry_failed=config.retry_failed)
        folder = sweep.folder or Path(str(config.hydra.sweep.dir)).absolute()
    places = Places(compose) if "resume" in config else None
    jobs = [_job(sweep, entry, folder, places) for entry in record.jobs]
    _check_unused(sweep, folder, jobs)
    return Plan(sweep, folder, record, record != sweep.record, jobs, config)


def _values(sweep: SweepCommand, compose: Compose, loader: Any) -> list[Values]:
    """What the jobs are told, key by key; what a file in conf/sweep says of several values is in it."""
    words = [word for word in sweep.words if not word.startswith(NOT_OF_A_JOB)]
    groups = default_options(config_dir(), sweep.verb)
    chosen = compose([word for word in words if _chooses_one(word, groups)])
    params = dict(chosen.hydra.sweeper.get("params") or {})
    values = read_values(words, params, loader)
    return [*values, Values(PARAMS, (f"{PARAMS}=null",), False)] if params else values


def _chooses_one(word: str, groups: Collection[str]) -> bool:
    read = parsed(word)
    return (
        read is not None and not read.is_sweep_override() and (read.key_or_group in groups or read.is_hydra_override())
    )


def _recorded(sweep: SweepCommand, points: Sequence[Point]) -> Record:
    """The record of a sweep of these points, which extends the one that there is.

    Raises:
        UsageError: if that one has jobs which are none of them.
    """
    words = (*sweep.words, *(word for word in sweep.settings if not word.startswith(OF_ONE_COMMAND)))
    before = sweep.record
    if before is None:
        return Record(sweep.verb, str(Path.cwd()), sweep.flags, (words,)).with_points(points)
    if lacking := before.lacking(points):
        assert sweep.folder is not None
        typed = sweep.shown(sweep.folder)
        few = f"{len(lacking)} of its {counted(len(before.jobs), 'job')}, such as {lacking[0].name},"
        raise UsageError(
            f"resume_sweep={typed}: is a sweep of another configuration: {few} would be left out; values can only be "
            f"added. Go on with it as it is: {resumption(sweep.verb, typed)}"
        )
    made = before.with_points(points)
    return made if made == before else replace(made, commands=(*before.commands, words))


def _check_hydra(config: DictConfig, sweep: SweepCommand) -> None:
    """Refuse what only Hydra's own multirun could do."""
    for part in ("launcher", "sweeper"):
        if (option := config.hydra.runtime.choices.get(f"hydra/{part}")) not in (None, "basic"):
            word = f"hydra/{part}={option}"
            typed = command([*sweep.flags, "-m", *sweep.words, word])
            raise UsageError(f"{word}: a file chooses it, and only a command can: {typed}")
    subdir = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    if isinstance(subdir, dict) and subdir.get("subdir") != SUBDIR:
        raise UsageError("hydra.sweep.subdir: cannot be set; the folder of a job is named by what was swept")


def _job(sweep: SweepCommand, entry: Entry, folder: Path, places: Places | None) -> Job:
    place = folder / entry.name
    of_hydra = [word for word in entry.words if word.startswith("hydra")]
    return Job(
        entry.name,
        place,
        f"rnnvision.cli.{sweep.verb}",
        (*sweep.flags, *entry.words, override("hydra.run.dir", place)),
        () if places is None else (*sweep.flags, *of_hydra, override("resume", place), *places(entry.words)),
    )


def _check_unused(sweep: SweepCommand, folder: Path, jobs: Sequence[Job]) -> None:
    """Refuse a folder of another sweep, and jobs whose folders hold something else.

    Raises:
        UsageError: with what goes on with that sweep.
    """
    if sweep.record is None and (folder / FILE).exists():
        then = resumption(sweep.verb, sweep.shown(folder))
        raise UsageError(f"{sweep.shown(folder)}: already holds a sweep; choose another folder, or go on: {then}")
    known = {entry.name for entry in sweep.record.jobs} if sweep.record else set()
    for job in jobs:
        if job.name not in known and job.folder.exists() and any(job.folder.iterdir()):
            raise UsageError(f"{sweep.shown(job.folder)}: is not empty; choose another folder: hydra.sweep.dir=FOLDER")
