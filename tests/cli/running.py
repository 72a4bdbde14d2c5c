"""A verb in this process, as a person would type it."""

import importlib
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from rnnvision.cli.frame.signals import CODES, STOP
from rnnvision.launch import BEFORE_MODULE
from rnnvision.registry import Registry
from rnnvision.search import Job
from rnnvision.search.job import OUTPUT
from rnnvision.search.places import Ended


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def message(self) -> str:
        return self.err.strip()


Verb = Callable[..., Result]
Copy = Callable[[str], Path]  # puts a run folder of this name into the current folder
TINY = ("trainer=smoke", "device=cpu", "model.hidden_size=8")  # a few steps of a few hundred weights


def one_line(verb: Verb, name: str, *words: str) -> str:
    """What a refused command is told: on one line, with nothing made."""
    result = verb(name, *words)
    assert result.code == 2, result.err
    assert len(result.message.splitlines()) == 1, result.message
    assert "Traceback" not in result.err
    assert not Path("logs").exists(), "something was left behind"
    return result.message.removeprefix(f"rnnvision {name}: ")


@contextmanager
def in_folder(folder: Path) -> Iterator[None]:
    """Work in a new folder; what a verb sets for its process is put back at the end."""
    folder.mkdir(parents=True)
    before, handlers = Path.cwd(), {signum: signal.getsignal(signum) for signum in CODES}
    os.chdir(folder)
    try:
        with warnings.catch_warnings():  # a verb sets filters of its own
            yield
    finally:
        os.chdir(before)
        for signum, handler in handlers.items():
            signal.signal(signum, handler)
        STOP.forget()
        GlobalHydra.instance().clear()
        HydraConfig.instance().cfg = None


def exit_code_of(name: str, *words: str) -> int:
    """Run the verb `name` in this process."""
    module = importlib.import_module(f"rnnvision.cli.{name}")
    GlobalHydra.instance().clear()
    before, sys.argv = sys.argv, [f"{name}.py", *words]
    try:
        module.main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    finally:
        sys.argv = before
    return 0


def run_here(job: Job) -> int:
    """A job without a process: within the verb that starts it, whose Hydra is put back."""
    module, *words = job.command()[BEFORE_MODULE:]
    module = module.removeprefix("rnnvision.cli.")
    hydra, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    with (job.folder / OUTPUT).open("a") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            with warnings.catch_warnings():
                return exit_code_of(module, *words)
        except Exception:
            traceback.print_exc()
            return 1
        finally:
            GlobalHydra.instance().clear()
            GlobalHydra.instance().hydra = hydra
            HydraConfig.instance().cfg = config


class Here:
    """A place whose jobs run in this process, when they are started."""

    def __init__(self, run: Callable[[Job], int] = run_here) -> None:
        self.slots, self._run = 1, run
        self._ended: list[Ended] = []

    def __call__(self, *_: object, **__: object) -> "Here":
        """In place of `make_place`."""
        return self

    def start(self, job: Job) -> None:
        job.folder.mkdir(parents=True, exist_ok=True)
        self._ended.append(Ended(job, self._run(job)))

    def ended(self, wait: float) -> list[Ended]:
        found, self._ended = self._ended, []
        return found

    def stop(self, job: Job) -> None:
        """None runs while somebody could stop it."""

    def close(self, patience: float = 0.0) -> None:
        """There is nothing to end."""


@contextmanager
def forgotten(registries: list[Registry[Any]]) -> Iterator[None]:
    """What is registered and imported within is taken out again at the end, as if it had been another process."""
    before = [(registry, dict(registry)) for registry in registries]
    path, modules = list(sys.path), set(sys.modules)
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if name.startswith("my_"):
                del sys.modules[name]
        for registry, entries in before:
            registry.clear()
            registry.update(entries)
