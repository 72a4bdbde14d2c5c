"""What every verb shares: Hydra started on conf/, messages for people, exit codes, the run folder's status."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.messages import (
    CONFIG_ERRORS,
    EXIT_FAILURE,
    EXIT_INTERRUPT,
    EXIT_TERMINATED,
    EXIT_USAGE,
    UsageError,
    explain,
)
from rnnvision.runs.folder import RunFolder, read_json

OURS = "RNNVISION_SET_HYDRA_FULL_ERROR"
Task = Callable[[DictConfig, RunFolder], float | None]


class RunFailedError(Exception):
    """A run that ended badly through no fault in what was typed. The message is for the user; the exit code is 1."""


def run_verb(verb: str, task: Task) -> None:
    """Run `task` under Hydra with conf/<verb>.yaml; never returns on failure but exits.

    0 success; 1 failure, or a failed job of a sweep; 2 wrong use; 130 Ctrl-C; 143 SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminate)
    OmegaConf.register_new_resolver("run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("config_subdir", _config_subdir, replace=True)
    traceback_wanted = os.environ.get("HYDRA_FULL_ERROR") == "1" and OURS not in os.environ
    # Makes Hydra raise what it would print, so that the message is ours; OURS tells it from a user's wish.
    os.environ |= {"HYDRA_FULL_ERROR": "1"} if traceback_wanted else {"HYDRA_FULL_ERROR": "1", OURS: "1"}
    folder = config_dir()

    def job(config: DictConfig) -> float | None:
        return _run_job(verb, task, config, traceback_wanted)

    try:
        hydra.main(version_base="1.3", config_path=str(folder), config_name=verb)(job)()
    except KeyboardInterrupt:
        _exit(verb, "interrupted", EXIT_INTERRUPT)
    except CONFIG_ERRORS as error:  # before OSError, which some of Hydra's are too
        if traceback_wanted:
            traceback.print_exc()
        _exit(verb, explain(error, folder, verb), EXIT_USAGE)
    except OSError as error:
        _exit(verb, _unwritable(error), EXIT_USAGE)


def _run_job(verb: str, task: Task, config: DictConfig, traceback_wanted: bool) -> float | None:
    """One job: a plain run, or one of a sweep, where a failure is written down and the others go on."""
    hydra_config = HydraConfig.get()
    run = RunFolder(hydra_config.runtime.output_dir, config.log_dir, verb)
    if config.get("resume") is None and run.is_used():
        _exit(verb, f"{run.shown()}: already holds a run; choose another folder, or resume={run.shown()}", EXIT_USAGE)
    status_before = read_json(run.path / "status.json")  # of a run that is resumed
    try:
        run.open()
    except OSError as error:
        _exit(verb, _unwritable(error), EXIT_USAGE)
    try:
        score = task(config, run)
    except (KeyboardInterrupt, SystemExit) as error:
        run.write_status("interrupted")
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else EXIT_INTERRUPT
        _exit(verb, f"interrupted; what is done lies in {run.shown()}", code)
    except Exception as error:
        code, message = _verdict(error, verb)
        if message is None or traceback_wanted:
            traceback.print_exc()
        message = message or f"{type(error).__name__}: {error}"
        if code == EXIT_USAGE:
            run.refuse()
        if code == EXIT_USAGE and status_before:
            run.write("status.json", status_before)  # a resume that was refused changes nothing
        else:
            run.write_status("failed", message)
        if hydra_config.mode != RunMode.MULTIRUN:
            _exit(verb, message, code)
        print(f"job {hydra_config.job.num} failed: {message}", file=sys.stderr)
        return float("nan")  # a sweeper that optimises sees that the job is worth nothing, and goes on
    run.write_status("completed")
    return score


def _verdict(error: Exception, verb: str) -> tuple[int, str | None]:
    """The exit code, and the message; None where the traceback should be seen, because the defect is ours."""
    if isinstance(error, UsageError):
        return EXIT_USAGE, str(error)
    if isinstance(error, RunFailedError):
        return EXIT_FAILURE, str(error)
    if isinstance(error, CONFIG_ERRORS):
        return EXIT_USAGE, explain(error, config_dir(), verb)
    return EXIT_FAILURE, None


def _unwritable(error: OSError) -> str:
    return (
        f"{error.filename or 'the run folder'}: {error.strerror}; choose a folder that can be written: log_dir=FOLDER"
    )


def _terminate(signum: int, frame: object) -> NoReturn:
    raise SystemExit(EXIT_TERMINATED)


def _exit(verb: str, message: str, code: int) -> NoReturn:
    print(f"rnnvision {verb}: {message}", file=sys.stderr)
    sys.exit(code)


# A resumed run goes on in its own folder, and keeps the configuration it began with.


def _run_dir(resume: str | None, new: str) -> str:
    if resume is None:
        return new
    folder = Path(resume).expanduser().resolve()
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise ValueError(f"resume={resume}: is no run folder (it has no .hydra/config.yaml)")
    return str(folder)


def _config_subdir(resume: str | None) -> str:
    return ".hydra" if resume is None else ".hydra/resume"
