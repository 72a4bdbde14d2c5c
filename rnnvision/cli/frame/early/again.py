"""auto_resume=true: the same command begins a run, goes on with it after any death, and lets it be once it is done."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnvision.atomic import remove_leftovers
from rnnvision.cli.frame.arguments import typed_words
from rnnvision.cli.frame.command_line.line import CommandLine
from rnnvision.cli.frame.command_line.words import NO_RUNS, key_of, override, parsed, yaml_text
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.strangers.rules import read_run_config
from rnnvision.errors import UsageError
from rnnvision.masking import masked_values
from rnnvision.runs import Run, is_first_process
from rnnvision.runs.lock import Lock
from rnnvision.runs.read import CONFIG, LOCK

KEY = "auto_resume"
OF_COMMAND = ("resume", KEY, "save_every", "name", "log_dir")  # what a run does not depend on
LEFTOVERS = ("checkpoints", "pretrain")  # folders of a start that came to nothing
TABLES = ("metrics.csv", "pretrain/metrics.csv", "pretrain/summary.csv")  # of one, without the row of an epoch


def with_resume(line: CommandLine, verb: str) -> CommandLine:
    """A command with the word resume=FOLDER, where it asks for auto_resume, and its run has got anywhere.

    Where the run has neither a checkpoint nor an epoch that ended, what it has left there is removed. From which
    checkpoint it goes on, and whether it can, is found out as for any other run that is resumed.

    Raises:
        UsageError: where the folder is not the same in each call of the command, or is not the whole of a run's.
    """
    if verb != "train" or not NO_RUNS.isdisjoint(line.flags):
        return line
    found = [read for word in line.overrides if key_of(word) == KEY and (read := parsed(word))]
    typed = found[-1] if found else None
    value = None if typed is None or typed.is_sweep_override() else typed.value()
    if typed is not None and not isinstance(value, bool):
        raise UsageError(f"{KEY}={typed.get_value_element_as_str()}: must be true or false")
    if not value:
        return line
    if line.multirun:
        raise UsageError(f"{KEY}=true: is of one run; a sweep goes on with resume_sweep=FOLDER")
    if any(key_of(word) == "resume" for word in line.overrides):
        raise UsageError(f"{KEY}=true: finds out itself whether there is a run to go on with; leave out resume=")
    folders = [read for word in line.overrides if key_of(word) == "hydra.run.dir" and (read := parsed(word))]
    text = str(folders[-1].value()) if folders and not folders[-1].is_sweep_override() else "${"
    if "${" in text:
        raise UsageError(f"{KEY}=true: needs a folder that is the same each time; add hydra.run.dir=FOLDER")
    folder = Path(expanded(text))
    run = Run(folder)
    if not (run.has_begun or run.completed):
        if is_first_process() and _clear(folder):
            print(f"resume    nothing was saved in {folder}: the run begins anew", flush=True)
        return line
    if not (folder / CONFIG).is_file():
        raise UsageError(
            f"hydra.run.dir={folder}: holds a run, but no {CONFIG}: put that back (a copy needs the hidden folders "
            f"too), or choose another folder"
        )
    return replace(line, overrides=(*line.overrides, override("resume", folder)))


def _clear(folder: Path) -> bool:
    """Remove what a start left that came to nothing, unless a process is at work there, or the folder is no run's.

    Returns:
        Whether it was.
    """
    lock = Lock(folder / LOCK)
    if not lock.path.is_file() or (folder / "metrics.json").exists() or not lock.acquire():
        return False
    with lock:
        for table in TABLES:
            with suppress(OSError):
                (folder / table).unlink()
        for part in (folder / name for name in LEFTOVERS if not (folder / name).is_symlink()):
            remove_leftovers(part, alone=True)
            with suppress(OSError):  # what else lies there somebody has put there: then the folder is one in use
                part.rmdir()
    return True


def check_typed(config: DictConfig) -> None:
    """Refuse auto_resume in a file: whether a run goes on is found out before any file is read.

    Raises:
        UsageError: with what to do instead.
    """
    if config.get(KEY) and not any(key_of(word) == KEY for word in typed_words()):
        raise UsageError(f"{KEY}: has to be typed, with hydra.run.dir=FOLDER, and cannot stand in a file; take it out")


def end_if_done(config: DictConfig) -> None:
    """End a command with auto_resume whose run, as it is configured, is completed."""
    if config.get(KEY) is not True or config.get("resume") is None:
        return
    folder = Path(str(config.resume)).expanduser()
    if Run(folder).completed and not differences(read_run_config(folder), config):
        if is_first_process():
            print(f"done      {config.resume} is completed, and {KEY}=true has nothing to go on with", flush=True)
        sys.exit(0)


def differences(before: DictConfig, now: DictConfig) -> dict[str, tuple[Any, Any]]:
    """The single values that two configurations of a run do not share, by their keys: before and now."""
    from rnnvision.report.two_runs import flat

    old, new = (flat(masked_values(OmegaConf.to_container(config, resolve=False))) for config in (before, now))
    keys = [key for key in {**old, **new} if key.partition(".")[0] not in (*OF_COMMAND, "hydra")]
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def in_words(changes: dict[str, tuple[Any, Any]]) -> str:
    """Changes of values, for people."""
    return ", ".join(f"{key} {yaml_text(old)} -> {yaml_text(new)}" for key, (old, new) in changes.items())
