"""What refuses a start: checked when the configuration is composed, before Hydra makes the run folder."""

import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, open_dict

from rnnvision.checks import at_least, one_line
from rnnvision.cli.frame.arguments import arguments_of, own_config_dir, plain, typed_words
from rnnvision.cli.frame.command_line.bare import NEED_CKPT, TAKE_SEVERAL, with_latest
from rnnvision.cli.frame.command_line.files import config_dir
from rnnvision.cli.frame.command_line.known import makes_sweeps
from rnnvision.cli.frame.command_line.refused import OF_SWEEPS
from rnnvision.cli.frame.command_line.words import command, override
from rnnvision.cli.frame.early.again import check_typed, end_if_done
from rnnvision.cli.frame.early.filled import check_filled, check_path_values, check_sizes, check_switches
from rnnvision.cli.frame.early.keys import check_choices, check_keys, usual_values
from rnnvision.cli.frame.early.names import check_names
from rnnvision.cli.frame.early.starting import announce_run, head, stream_of
from rnnvision.cli.frame.early.values import check_values
from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE, leave, system_error
from rnnvision.cli.frame.messages import CONFIG_ERRORS, explain, with_command
from rnnvision.cli.frame.paths import expanded
from rnnvision.cli.frame.signals import STOP
from rnnvision.cli.frame.strangers.links import refuse_links
from rnnvision.cli.frame.tracking.facts import checked_tags
from rnnvision.errors import FailureError, UsageError
from rnnvision.runs import Run, RunFolder, is_first_process
from rnnvision.runs.ranks import RANKS, name_of_ranks
from rnnvision.runs.read import CONFIG


class Start(Callback):
    """Hydra calls this. What it raises Hydra would turn into a warning, all but SystemExit."""

    is_shared = False  # whether several processes work in one folder

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check(config, multirun=False)
        if makes_sweeps(self.verb):  # what is of a sweep is not kept as if a run depended on it
            with open_dict(config):
                for key in OF_SWEEPS:
                    config.pop(key, None)
        if self.verb == "train":
            with self._refusals():
                end_if_done(config)
        announce_run(self.verb, config, config.hydra.runtime.choices)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check(config, multirun=True)

    def check(self, config: DictConfig, multirun: bool) -> None:
        """What refuses a start, as an error."""
        check_start(config, self.verb, multirun)

    def take(self, run: RunFolder) -> None:
        take(run)

    def _check(self, config: DictConfig, multirun: bool) -> None:
        with self._refusals(), as_hydra_has_it(config):
            self.check(config, multirun)
            if not multirun:
                run = RunFolder(str(config.hydra.run.dir), config.log_dir, self.verb)
                refuse_links(run.path, str(config.hydra.output_subdir or ""))
                self.take(run)
                if config.get("resume") is None and not self.is_shared:
                    check_unused(run)  # once more: another process may have ended there since

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Within, an error ends the process: Hydra would make a warning of it, and go on."""
        try:
            yield
        except CONFIG_ERRORS as error:
            leave(self.verb, explain(error, config_dir(), self.verb), EXIT_USAGE)
        except UsageError as error:
            leave(self.verb, with_command(str(error)), EXIT_USAGE)
        except FailureError as error:
            leave(self.verb, str(error), EXIT_FAILURE)
        except OSError as error:
            leave(self.verb, *system_error(error))
        except Exception:  # a defect of ours
            traceback.print_exc()
            sys.exit(EXIT_FAILURE)


@contextmanager
def as_hydra_has_it(config: DictConfig) -> Iterator[None]:
    """Within, ${hydra:...} is of this configuration, as Hydra has it for the job."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(config)
    try:
        yield
    finally:
        HydraConfig.instance().cfg = before


def check_start(config: DictConfig, verb: str, multirun: bool) -> None:
    """Refuse what cannot be the beginning of a run, or of a sweep.

    Raises:
        UsageError: with what to type instead.
    """
    _check_config(config, verb)
    if multirun:
        _check_no_resume(config)
        return
    _check_not_a_sweep(config)
    _check_ranks()
    if config.get("resume") is not None:
        _check_resume(config)
    else:
        check_unused(RunFolder(str(config.hydra.run.dir), config.log_dir, verb))
    check_values(config, _keys_to_check(config, verb))


def _check_config(config: DictConfig, verb: str) -> None:
    """What holds for a run, and for every job of a sweep alike."""
    check_keys(config, verb, config.hydra.runtime.choices)
    check_filled(config)
    check_sizes(config)
    check_path_values(config)
    check_switches(config, usual_values(verb))
    check_choices(config, verb)
    with arguments_of(""):
        for key in ("pretrain_epochs", "save_every"):
            if config.get(key) is not None or key == "pretrain_epochs" in config:
                at_least(key, plain(config.get(key)), 1)
    checked_tags(config)
    check_names(config)
    check_typed(config)


def check_job(config: DictConfig, verb: str) -> None:
    """Refuse what cannot be one of the runs of a sweep, whose folder is yet to be named.

    Raises:
        UsageError: with what to type instead.
    """
    _check_config(config, verb)
    _check_no_resume(config)
    _check_not_a_sweep(config)
    check_values(config, _keys_to_check(config, verb))


def _check_no_resume(config: DictConfig) -> None:
    if config.get("resume") is not None:
        raise UsageError(f"resume={config.resume}: continues one run; leave out -m")


def _keys_to_check(config: DictConfig, verb: str) -> list[str]:
    """The keys that were typed, or with configurations of the user's own all, whose values are for constructors."""
    choices = config.hydra.runtime.choices
    typed = (word.lstrip("+").partition("=")[0] for word in typed_words())
    keys = map(str, config) if own_config_dir() else (key for key in typed if key not in choices)
    tops = {*choices, "trainer", "seed", "label_smoothing", "loss"} - ({"model"} if verb == "compare" else set())
    return [key for key in keys if key.partition(".")[0] in tops]  # compare has several models


def check_unused(run: RunFolder) -> None:
    """Refuse a folder that holds the results of another run.

    Raises:
        UsageError: with what goes on with that run.
    """
    if run.is_used():
        again = shlex.quote(override("resume", run.shown()))
        raise UsageError(f"{run.shown()}: already holds a run; choose another folder, or {again}")


def take(run: RunFolder) -> None:
    """From now on this process alone writes into the folder, which is made.

    Raises:
        UsageError: that names another process that writes there.
        OSError: if the folder cannot be made.
    """
    if not is_first_process():
        return
    STOP.write_down = partial(_write_interrupted, run)
    if not run.take():
        STOP.write_down = None
        who = run.lock.holder() or "another process"
        raise UsageError(f"{run.shown()}: {who} is writing there; wait for it, or choose another folder")


def _write_interrupted(run: RunFolder) -> None:
    """Where the process ends at once: of a run that has a folder, and no record yet."""
    if run.lock.is_held and not (run.path / "status.json").exists():
        run.write_status("interrupted")


def _check_not_a_sweep(config: DictConfig) -> None:
    if config.hydra.sweeper.get("params"):
        sweep = config.hydra.runtime.choices.get("sweep")
        what = f"sweep={sweep}: is" if sweep else "hydra.sweeper.params: is"
        raise UsageError(f"{what} a list of runs; add -m: {command(['-m', *sys.argv[1:]])}")


def _check_ranks() -> None:
    """What the environment says of processes is read by several libraries; those that torchrun starts need a folder."""
    for name in (*RANKS, "WORLD_SIZE", "SLURM_NTASKS"):
        if not (value := os.environ.get(name, "0")).isdecimal():
            raise UsageError(f"{name}={one_line(value)}: is no whole number; unset this variable of the environment")
    if name_of_ranks() == "" and not any(word.startswith(("hydra.run.dir=", "resume=")) for word in sys.argv[1:]):
        raise UsageError(
            "torchrun has given its processes no name to call their folder by; add --standalone to torchrun, for "
            "several machines --rdzv-id=NAME, or choose hydra.run.dir=FOLDER"
        )


def _check_resume(config: DictConfig) -> None:
    typed = str(config.resume)
    folder = Path(expanded(typed)).resolve()
    if not (folder / CONFIG).is_file():
        lacks = f"it has no {CONFIG}" if folder.is_dir() else "there is no such folder"
        lacks += ", as if copied without its hidden folders" if (folder / "checkpoints").is_dir() else ""
        run = next((p for p in folder.parents if (p / CONFIG).is_file()), None)
        hint = f"; try: {command([override('resume', run)])}" if run else ""
        raise UsageError(f"resume={typed}: {'lies in a run folder' if run else f'is no run folder ({lacks})'}{hint}")
    if not (folder / CONFIG).stat().st_size:
        file = Path(typed) / CONFIG
        raise UsageError(f"{file}: is empty; put back the file that belongs there, or begin a run of its own")
    if Path(str(config.hydra.run.dir)).resolve() != folder:
        raise UsageError(f"resume={typed}: goes on in that folder; leave out hydra.run.dir={config.hydra.run.dir}")


def check_checkpoint(cfg: DictConfig, verb: str) -> None:
    """Check that a checkpoint is given where the verb needs one, and that it is one.

    Of a run folder without a checkpoint it says how the run ended; of one that is not completed that it is not.

    Raises:
        UsageError: with the status of the run, and its error.
    """
    found = cfg.get("ckpt")
    if found is None and verb in NEED_CKPT:
        instead = with_latest(sys.argv[1:], HydraConfig.get().runtime.cwd)
        raise UsageError(f"ckpt=null: give a checkpoint file or a run folder; {instead}")
    if isinstance(found, ListConfig) and verb not in TAKE_SEVERAL:
        typed = ",".join(map(str, found))
        raise UsageError(f"ckpt=[{typed}]: {verb} takes one; try one after the other: -m ckpt={typed}")
    for given in found if isinstance(found, ListConfig) else [found]:
        path = Path(str(given))
        run = Run(path.parents[1] if path.parent.name == "checkpoints" else path)
        if given is None or run.completed or not (run.path / "status.json").is_file():
            continue
        if run.path == path and not run.has_weights:
            raise UsageError(f"ckpt={given}: holds no checkpoint; the run is {run.outcome or 'unfinished'}")
        if verb in NEED_CKPT and is_first_process():
            told = f"{given}: the run is {run.state or 'unfinished'}, so its training may not be at its end"
            print(f"{head('note', verb)}{told}", file=stream_of(verb), flush=True)
