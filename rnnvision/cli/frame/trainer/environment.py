"""What libraries leave in the environment of a process, put back for the next job in it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
