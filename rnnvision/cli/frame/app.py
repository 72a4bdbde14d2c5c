"""The frame of every verb: Hydra on conf/, messages for people, exit codes, the status of the run folder."""

import gc
import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from rnnvision.cli.frame.arguments import config_dir
from rnnvision.cli.frame.messages import CONFIG_ERRORS, explain
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.cli.frame.results import unfailing_output
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import RunFolder, environment, read_json

EXIT_FAILURE, EXIT_USAGE, EXIT_INTERRUPT, EXIT_TERMINATED = 1, 2, 130, 143
FULL_ERROR = "HYDRA_FULL_ERROR"
Task = Callable[[DictConfig, RunFolder], float | None]


def run_verb(verb: str, task: Task) -> None:
    """Run `task` under Hydra with conf/<verb>.yaml; never returns on failure but exits.

    0 success; 1 failure, or a failed job of a sweep; 2 wrong use; 130 Ctrl-C; 143 SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminate)
    register_resolvers()
    wants_traceback = os.environ.get(FULL_ERROR) == "1"

    def job(config: DictConfig) -> float | None:
        with _environment_set(FULL_ERROR, "1" if wants_traceback else None):  # children inherit the user's own wish
            return _run_job(verb, task, config, wants_traceback)

    try:
        with (
            unfailing_output(),
            _environment_set(FULL_ERROR, "1"),
        ):  # Hydra raises what it would print, so that the message is ours
            hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=verb)(job)()
    except KeyboardInterrupt:
        _exit(verb, "interrupted", EXIT_INTERRUPT)
    except (*CONFIG_ERRORS, UsageError, FailureError) as error:  # before OSError, which some of Hydra's are too
        if wants_traceback:
            traceback.print_exc()
        code, message = _verdict(error, verb)
        _exit(verb, str(message), code)
    except OSError as error:
        _exit(verb, _unwritable(error), EXIT_USAGE)


def _run_job(verb: str, task: Task, config: DictConfig, wants_traceback: bool) -> float | None:
    """One job: a plain run, or one of a sweep, where a failure is written down and the others go on."""
    hydra_config = HydraConfig.get()
    run = RunFolder(hydra_config.runtime.output_dir, config.log_dir, verb)
    if config.get("resume") is None and run.is_used():
        _exit(verb, f"{run.shown()}: already holds a run; choose another folder, or resume={run.shown()}", EXIT_USAGE)
    status_before = read_json(run.path / "status.json")  # of a run that is resumed
    _import_libraries()
    try:
        run.open({**environment(), **_hardware(), "overrides": list(hydra_config.overrides.task)})
    except OSError as error:
        _exit(verb, _unwritable(error), EXIT_USAGE)
    try:
        load_plugins_of(config, hydra_config.runtime.cwd)
        score = task(config, run)
    except (KeyboardInterrupt, SystemExit) as error:
        run.write_status("interrupted")
        code = error.code if isinstance(error, SystemExit) and isinstance(error.code, int) else EXIT_INTERRUPT
        _exit(verb, f"interrupted; what is done lies in {run.shown()}", code)
    except Exception as error:
        code, message = _verdict(error, verb)
        if message is None or wants_traceback:
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


def _import_libraries() -> None:
    """Import what every verb needs, while the garbage collector rests.

    It would look through the hundreds of thousands of new objects again and again, a fifth of the time to import them.
    """
    if "lightning" in sys.modules:
        return
    gc.disable()
    try:
        importlib.import_module("rnnvision.training")
        importlib.import_module("rnnvision.data")
    finally:
        gc.freeze()  # none of them will ever be garbage
        gc.enable()


def _hardware() -> dict[str, object]:
    """What of the machine only torch knows."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"threads": torch.get_num_threads(), "gpus": gpus}


def _verdict(error: Exception, verb: str) -> tuple[int, str | None]:
    """The exit code, and the message; None where the traceback should be seen, because the defect is ours."""
    if isinstance(error, CONFIG_ERRORS):
        return EXIT_USAGE, explain(error, config_dir(), verb)
    if isinstance(error, UsageError):
        return EXIT_USAGE, str(error)
    return EXIT_FAILURE, str(error) if isinstance(error, FailureError) else None


def _unwritable(error: OSError) -> str:
    return (
        f"{error.filename or 'the run folder'}: {error.strerror}; choose a folder that can be written: log_dir=FOLDER"
    )


def _terminate(signum: int, frame: object) -> NoReturn:
    raise SystemExit(EXIT_TERMINATED)


def _exit(verb: str, message: str, code: int) -> NoReturn:
    print(f"rnnvision {verb}: {message}", file=sys.stderr)
    sys.exit(code)


@contextmanager
def _environment_set(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.get(name)
    _set_or_delete(name, value)
    try:
        yield
    finally:
        _set_or_delete(name, before)


def _set_or_delete(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


# A resumed run goes on in its own folder, and keeps the configuration it began with.


def register_resolvers() -> None:
    """Teach OmegaConf the two functions that conf/ calls by ${NAME:...}."""
    OmegaConf.register_new_resolver("run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("config_subdir", _config_subdir, replace=True)


def _run_dir(resume: str | None, new: str) -> str:
    if resume is None:
        return new
    folder = Path(resume).expanduser().resolve()
    if not (folder / ".hydra" / "config.yaml").is_file():
        raise ValueError(f"resume={resume}: is no run folder (it has no .hydra/config.yaml)")
    return str(folder)


def _config_subdir(resume: str | None) -> str:
    return ".hydra" if resume is None else ".hydra/resume"
