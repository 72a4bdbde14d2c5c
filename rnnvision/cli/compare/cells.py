"""How the processes of a comparison begin: as forks of one that has imported what all of them need."""

import sys
from collections.abc import Sequence

from rnnvision.cli.frame.app import LIBRARIES
from rnnvision.cli.frame.early.starting import import_libraries
from rnnvision.runs.fork_server import ForkServer
from rnnvision.runs.process import Child, Process

NEEDED = (
    *LIBRARIES,
    "rnnvision.cli.train",
    "rnnvision.cli.frame.device",
    "rnnvision.cli.frame.trainer.callbacks",
    "rnnvision.insight",
    "rnnvision.nn",
)


class Cells:
    """Starts `python -m MODULE WORDS`: on Linux by a fork server, which begins with the first of them."""

    def __init__(self, *, plugins: bool) -> None:
        self._server: ForkServer | None = None
        self._words = ["whole"] if plugins else []

    def __call__(self, command: Sequence[str]) -> Child:
        if sys.platform != "linux":  # elsewhere libraries may not survive a fork
            return Process(command)
        self._server = self._server or ForkServer(f"{__name__}:prepare", *self._words)
        return self._server(command)

    def __enter__(self) -> "Cells":
        return self

    def __exit__(self, *error: object) -> None:
        if self._server is not None:
            self._server.close()


def prepare(*words: str) -> None:
    """Import what a training and a measurement need; nothing is computed, whose threads would not survive a fork."""
    import_libraries(NEEDED, whole="whole" in words)
