"""The processes of a distributed run: which of them writes, and what all of them call its folder.

Lightning starts those of one machine itself, each with the folder in its command. torchrun and SLURM (srun) start them
all alike, so that a name with the time of day would be another one in each.
"""

import os
import signal
import sys

from rnnvision.runs.parent import end_with_parent

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")  # the first process has 0 in all that are set


def is_first_process() -> bool:
    """Whether this is the process that writes: the others of a distributed run write and print nothing."""
    return all(os.environ.get(name, "0") == "0" for name in RANKS)


def end_with_first_process() -> None:
    """Let a process that Lightning has started beside the first one not outlive it, where the system can do that.

    It writes nothing that would be lost, and a signal that it can catch would wait for the others' tensors.
    """
    if os.environ.get("LOCAL_RANK", "0") != "0" and name_of_ranks() is None and sys.platform == "linux":
        end_with_parent(signal.SIGKILL, os.getppid())


def name_of_ranks() -> str | None:
    """A name that all processes know which torchrun or srun has started for this run; None where it is one process.

    "" where torchrun was given none.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        name = os.environ["TORCHELASTIC_RUN_ID"]
        return "" if name == "none" else f"torchrun-{name}"
    if "SLURM_STEP_ID" in os.environ and int(os.environ.get("SLURM_NTASKS", "1")) > 1:
        return f"slurm-{os.environ.get('SLURM_JOB_ID')}.{os.environ['SLURM_STEP_ID']}"
    return None
