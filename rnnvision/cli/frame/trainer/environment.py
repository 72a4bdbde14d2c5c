"""What Lightning does to a process, put right: its environment, and the exit code of an interruption."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from rnnvision.cli.frame.exits import EXIT_INTERRUPT
from rnnvision.cli.frame.signals import STOP

# What Lightning sets to start the processes of a distributed run.
OF_PROCESSES = ("OMP_NUM_THREADS", "MASTER_ADDR", "MASTER_PORT", "NODE_RANK", "LOCAL_RANK", "WORLD_SIZE")


@contextmanager
def environment_kept(*names: str) -> Iterator[None]:
    """Within, these variables may be set; afterwards they are what they were."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def environment_with(name: str, value: str | None) -> Iterator[None]:
    """Within, a variable has this value, or none."""
    with environment_kept(name):
        os.environ.pop(name, None)
        os.environ.update({} if value is None else {name: value})
        yield


@contextmanager
def interruption_told() -> Iterator[None]:
    """Within, a signal ends with its own exit code, where Lightning makes another one of it."""
    try:
        yield
    except SystemExit as error:
        raise SystemExit(
            STOP.requested or (error.code if error.code not in (0, 1, None) else EXIT_INTERRUPT)
        ) from error
