"""From `jobs=` and `where=` to the place where the jobs of a sweep, a study or a comparison run."""

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from omegaconf import DictConfig

from rnnvision.checks import at_least
from rnnvision.cli.frame.arguments import arguments_of, named_arguments
from rnnvision.cli.frame.early.starting import import_libraries
from rnnvision.search.places import Local, Place
from rnnvision.search.places.ray import Ray
from rnnvision.search.places.slurm import Slurm

LIBRARIES = (  # of a training and of what is measured of it
    "rnnvision.training.learner",
    "rnnvision.data.datamodule",
    "rnnvision.cli.train",
    "rnnvision.cli.frame.device",
    "rnnvision.cli.frame.trainer.callbacks",
    "rnnvision.insight",
    "rnnvision.nn",
)
PREPARE = f"{__name__}:prepare"


def make_place(where: DictConfig, *, jobs: int, prepare: str = PREPARE, words: Sequence[str] = ()) -> Place:
    """Where jobs run, which is the caller's to close.

    Args:
        where: an option of conf/where; its values are checked here.
        jobs: how many at once.
        prepare: "module:function" that imports what jobs of this machine need.
        words: what it is called with.

    Raises:
        UsageError: for a value that cannot be, a package that is missing, or a cluster that is not here.
    """

    def local(*, gpus: Sequence[int | str] | None = None) -> Place:
        found = [str(gpu) for gpu in gpus] if gpus is not None else gpus_here() if jobs > 1 else []
        return Local(jobs, prepare=prepare, words=words, gpus=found)

    with arguments_of(""):
        at_least("jobs", jobs, 1)
    arguments = named_arguments("where", where, {"local": local, "slurm": Slurm, "ray": Ray})
    name = arguments.pop("name")
    with arguments_of("where"):
        return local(**arguments) if name == "local" else (Slurm if name == "slurm" else Ray)(jobs, **arguments)


def gpus_here() -> list[str]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them; without torch, whose GPUs do not survive a fork."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [gpu for gpu in visible.split(",") if gpu]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.split()
    return []


def prepare(*words: str) -> None:
    """Import these modules, by default what a training needs; with "whole" also what a user's own modules may.

    The process that does this becomes each of the jobs by a fork: nothing is computed, whose threads would not survive.
    """
    modules = tuple(word for word in words if word != "whole")
    import_libraries(modules or LIBRARIES, whole="whole" in words)
