"""A process of a distributed training in which something happens: see trials/workers.py.

BROKEN=HOW,RANK,STEP python scripts/torture/broken_rank.py KEY=VALUE ...
"""

import os
import signal
import time
from typing import Any

import torch

from rnnvision.cli.train import main
from rnnvision.training import Learner


def happen(how: str, loss: Any) -> Any:
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "hanging":
        time.sleep(10_000)
    elif how == "without memory":
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory")
    elif how == "with a NaN":
        return loss * torch.nan
    return loss


if __name__ == "__main__":
    how, rank, step = os.environ["BROKEN"].split(",")
    train = Learner.training_step

    def training_step(self: Learner, *arguments: Any) -> Any:
        loss = train(self, *arguments)
        here = str(self.global_rank) == rank and self.trainer.global_step == int(step)
        return happen(how, loss) if here else loss

    Learner.training_step = training_step  # type: ignore[assignment,method-assign]
    main()
