"""The frame of every verb: Hydra on conf/, messages for people, exit codes, the status of the run folder."""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import hydra.version
from hydra._internal import utils as hydra_utils
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import own_config_dir, typed_words
from rnnvision.cli.frame.command_line.files import config_dir, own_folder
from rnnvision.cli.frame.command_line.help import help_text
from rnnvision.cli.frame.command_line.known import makes_sweeps
from rnnvision.cli.frame.command_line.line import CommandLine, read_command
from rnnvision.cli.frame.command_line.own_files import check_own_files
from rnnvision.cli.frame.command_line.refused import NO_SWEEPS
from rnnvision.cli.frame.command_line.several import as_list
from rnnvision.cli.frame.command_line.words import MULTIRUN, NO_RUNS, command, override
from rnnvision.cli.frame.early.again import with_resume
from rnnvision.cli.frame.early.keys import check_keys
from rnnvision.cli.frame.early.starting import announce_run, import_libraries
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE, leave, leave_if_nowhere, open_streams, system_error
from rnnvision.cli.frame.live.counts import shown_counts
from rnnvision.cli.frame.log import logged
from rnnvision.cli.frame.messages import CONFIG_ERRORS, composing_fault, verdict
from rnnvision.cli.frame.paths import locate_paths, pin_latest, register_resolvers
from rnnvision.cli.frame.plugins import load_plugins_of
from rnnvision.cli.frame.results import require_written, unfailing_output
from rnnvision.cli.frame.signals import STOP, Stopped
from rnnvision.cli.frame.start import check_checkpoint, check_unused, take
from rnnvision.cli.frame.strangers.guard import guard_hydra
from rnnvision.cli.frame.strangers.interpolations import allow_typed, allowing
from rnnvision.cli.frame.strangers.places import places_of
from rnnvision.cli.frame.strangers.reading import yaml_fault
from rnnvision.cli.frame.strangers.words import refuse_secrets
from rnnvision.cli.frame.sweep.command import SweepCommand, go_where_it_began, sweep_command
from rnnvision.cli.frame.sweep.launchers import print_table
from rnnvision.cli.frame.sweep.run import run_sweep
from rnnvision.cli.frame.tracking.facts import typed_facts
from rnnvision.cli.frame.trainer.device_type import hardware
from rnnvision.cli.frame.trainer.environment import environment_with
from rnnvision.disk import DiskError, is_full
from rnnvision.errors import FailureError, UsageError
from rnnvision.masking import shows_no_secret
from rnnvision.others import OTHERS
from rnnvision.progress import shown_by
from rnnvision.runs import Run, RunFolder, environment, is_first_process, read_json, versions
from rnnvision.runs.ranks import end_with_first_process

FULL_ERROR = "HYDRA_FULL_ERROR"
Multirun = Callable[[Hydra, str | None], None]
Task = Callable[[DictConfig, RunFolder], float | None]
LIBRARIES = ("rnnvision.training.learner", "rnnvision.data.datamodule")  # and with them Lightning


def run_verb(verb: str, task: Task, *, libraries: tuple[str, ...] = LIBRARIES) -> None:
    """Run `task` under Hydra with conf/<verb>.yaml; never returns on failure but exits.

    `libraries` are the modules that it needs, imported together.

    0 success; 1 failure, or a failed job of a sweep; 2 wrong use; 130 Ctrl-C; 129 SIGHUP; 143 SIGTERM, SIGUSR1.
    """
    with STOP.command(f"rnnvision {verb}"):
        _run_verb(verb, task, libraries)


@shows_no_secret()
def _run_verb(verb: str, task: Task, libraries: tuple[str, ...]) -> None:
    open_streams()
    leave_if_nowhere(verb)
    end_with_first_process()
    OTHERS.load()  # from here: who computes beside this process while it starts
    register_resolvers()
    guard_hydra()
    wants_traceback = os.environ.get(FULL_ERROR) == "1"

    def job(config: DictConfig) -> float | None:
        with environment_with(FULL_ERROR, "1" if wants_traceback else None):  # children inherit the user's own wish
            return _run_job(verb, task, config, libraries)

    try:
        allow_typed(sys.argv[1:])
        if (read := _read_line(verb)) is None:
            return
        line, sweep = read
        # Hydra raises what it would print, so that the message is ours.
        with unfailing_output(), environment_with(FULL_ERROR, "1"):
            multirun = None if sweep is None else partial(run_sweep, sweep, libraries=libraries)
            _run_hydra(verb, job, line, multirun)
            if not NO_RUNS.isdisjoint(line.flags):
                require_written()
    except (Stopped, KeyboardInterrupt) as error:
        leave(verb, "interrupted", STOP.code_of(error))
    except (*CONFIG_ERRORS, UsageError, FailureError) as error:  # before OSError, which some of Hydra's are too
        if wants_traceback:
            traceback.print_exc()
        code, message = verdict(error, verb)
        leave(verb, str(message), code)
    except OSError as error:
        leave(verb, *system_error(error))
    except Exception as error:
        if (fault := yaml_fault(error) or composing_fault(error)) is None:
            raise
        leave(verb, fault, EXIT_USAGE)


def _read_line(verb: str) -> tuple[CommandLine, SweepCommand | None] | None:
    """The command that was typed and the sweep that it asks for; None where it asks for words alone, which are told."""
    line = read_command(sys.argv[1:], verb, config_dir())
    if line.multirun and not makes_sweeps(verb):
        once = command(as_list(word, verb, config_dir()) for word in sys.argv[1:] if word not in MULTIRUN)
        raise UsageError(f"-m: {verb} {NO_SWEEPS[verb]}; leave out -m: {once}")
    if "--version" in line.flags:
        print(versions().get("rnnvision", "not installed"))
        return None
    if typed := [word for word in line.overrides if word.startswith("hydra.mode=")]:
        raise UsageError(f"{typed[0]}: cannot be set; -m makes several runs, and nothing else does")
    sweep = sweep_command(line, verb)
    if sweep is not None:
        go_where_it_began(sweep)
        line = sweep.line
    line = with_resume(line, verb)
    if line.multirun or verb in ("tune", "compare"):
        refuse_secrets(line.overrides, verb)
    check_own_files(line.overrides, own_folder(), config_dir(), verb)
    if line.wants_help:
        with unfailing_output():
            print(help_text(verb, config_dir()))
            require_written()
        return None
    if line.note and is_first_process():
        print(line.note, flush=True)
    return line, sweep


def _run_hydra(
    verb: str, job: Callable[[DictConfig], float | None], line: CommandLine, multirun: Multirun | None
) -> None:
    """What `hydra.main` does, but for the words: it would take sys.argv, which stays as it was typed."""
    hydra.version.setbase("1.3")
    words = [*line.flags, *map(pin_latest, line.overrides)]
    if not any(word.startswith("hydra/job_logging=") for word in words):
        words = [*words, "hydra/job_logging=stdout"]  # the log of a run is <verb>.log, see log.py
    parser = hydra_utils.get_args_parser()
    with _hydra_runs(multirun):
        hydra_utils._run_hydra(
            args=parser.parse_args(words),
            args_parser=parser,
            task_function=job,
            config_path=str(config_dir()),
            config_name=verb,
        )


@contextmanager
def _hydra_runs(multirun: Multirun | None) -> Iterator[None]:
    """Within, `multirun` makes the runs of -m, None for Hydra's own; -m says what it says.

    Hydra would compose the configuration once more to look for `hydra.mode`.
    """

    def run(hydra: Hydra, config_name: str | None, *_: Any, **__: Any) -> None:
        if multirun is not None:
            multirun(hydra, config_name)

    replaced: dict[str, Any] = {"get_mode": lambda self, config_name, overrides: None}
    replaced |= {} if multirun is None else {"multirun": run}
    before = {name: getattr(Hydra, name) for name in replaced}
    for name, function in replaced.items():
        setattr(Hydra, name, function)
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(Hydra, name, function)


def _run_job(verb: str, task: Task, config: DictConfig, libraries: tuple[str, ...]) -> float | None:
    """One job: a plain run, or one of a sweep, where a failure is written down and the others go on."""
    hydra_config = HydraConfig.get()
    locate_paths(config, hydra_config.runtime.cwd)
    run = RunFolder(hydra_config.runtime.output_dir, config.log_dir, verb, seen_from=hydra_config.runtime.cwd)
    in_a_sweep = hydra_config.mode == RunMode.MULTIRUN
    if in_a_sweep:
        try:
            check_unused(run)
            take(run)
        except UsageError as error:
            leave(verb, str(error), EXIT_USAGE)
    status_before = read_json(run.path / "status.json")  # of a run that is resumed
    if in_a_sweep:  # a single run has been announced by `Start`, before Hydra writes its files
        announce_run(verb, config, hydra_config.runtime.choices)
    STOP.begin(partial(_write_interrupted, run, status_before))
    with run.lock, ExitStack() as until_its_end:
        try:
            import_libraries(libraries, whole=bool(config.get("plugins")))  # a plugin may use any part of torchmetrics
            log = until_its_end.enter_context(logged(run.path / f"{verb}.log", write=is_first_process()))
            found = hardware() if libraries else {}  # a verb without PyTorch does not import it for that
            run.open({**environment(), **found, **typed_facts(config, run)})
        except FailureError as error:  # too little memory, or the log is no file
            leave(verb, str(error), EXIT_FAILURE)
        except OSError as error:
            leave(verb, *system_error(error))
        try:
            with STOP.at_work():
                if in_a_sweep:
                    check_keys(config, verb, hydra_config.runtime.choices)
                load_plugins_of(config, hydra_config.runtime.cwd)
                check_checkpoint(config, verb)
                with shown_by(shown_counts if is_first_process() else None):
                    score = task(config, run)
        except BaseException as error:
            # After a signal any error is taken to be of it: the system may have told the workers, too.
            if STOP.requested is not None or not isinstance(error, Exception):
                _leave_interrupted(verb, config, run, STOP.code_of(error))
            log.keep, code, message = _write_failed(verb, config, run, error, status_before)
            STOP.write_down = None
            if not in_a_sweep:
                leave(verb, message, code)
            print(f"job {hydra_config.job.num} failed: {message}", file=sys.stderr)
            return float("nan")  # a sweeper that optimises sees that the job is worth nothing, and goes on
        _write_status(run, "completed")
        STOP.write_down = None
        return score


def _leave_interrupted(verb: str, config: DictConfig, run: RunFolder, code: int) -> NoReturn:
    hydra_config = HydraConfig.get()
    _write_status(run, "interrupted")
    done = f"; what is done lies in {run.shown()}{_resumption(run, config)}" if run.is_used() else ""
    if not done:
        run.refuse()
    rest = ""
    if hydra_config.mode == RunMode.MULTIRUN:
        print_table(Path(hydra_config.sweep.dir))
        rest = "; the jobs after it have not begun"
    leave(verb, f"interrupted{done}{rest}", code)


def _write_interrupted(run: RunFolder, status_before: dict[str, Any]) -> None:
    """Where the process ends at once; a run that it had yet to go on with stays as it was."""
    if not status_before or read_json(run.path / "status.json") != status_before:
        _write_status(run, "interrupted")


def _write_status(run: RunFolder, status: str) -> None:
    """Of a folder that several processes share, as those of a study do, the holder of its lock writes the record.

    One that has been told to go on with a run, and ends before it has changed anything, leaves the record as it was.
    """
    if run.is_as_found:
        run.put_back()
    elif run.lock.is_held or run.lock.holder() is None:
        run.write_status(status)


def _write_failed(
    verb: str, config: DictConfig, run: RunFolder, error: Exception, status_before: dict[str, Any]
) -> tuple[bool, int, str]:
    """Record how a run failed: whether it was one, its exit code, and what to tell.

    A resume that changed nothing leaves the folder as it was; wrong use in a folder of its own leaves none.
    """
    code, told = verdict(error, verb)
    if told is None or os.environ.get(FULL_ERROR) == "1":
        traceback.print_exception(error)
    message = told or f"{type(error).__name__}: {error}"
    message += _resumption(run, config) if isinstance(error, DiskError) or is_full(error) else ""
    if code == EXIT_USAGE or run.is_as_found or not run.is_used():
        run.refuse()
    was_one = not (run.is_as_found or (code == EXIT_USAGE and status_before))
    if was_one:
        run.write_status("failed", message)
    else:
        run.put_back()
    if code == EXIT_USAGE and not status_before and HydraConfig.get().mode != RunMode.MULTIRUN:
        run.leave_nothing(f"{verb}.log")
    return was_one, code, message


def _resumption(run: RunFolder, config: DictConfig) -> str:
    """What to type to go on with a run that has got as far as a checkpoint."""
    if "resume" not in config or Run(run.path).last_checkpoint is None:
        return ""
    again = [*own_config_dir(), override("resume", run.shown()), *places_of(config)]
    return f"; go on: {allowing(typed_words())}{command(again)}"
