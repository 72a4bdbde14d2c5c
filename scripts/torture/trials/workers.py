"""A worker of a data loader, or a process of a distributed training, that dies, stops, hangs or raises.

Found and mended: a stopped or hanging process of a distributed training was waited for half an hour; one that was
killed, or had no memory, ended the others in a traceback, or in SIGKILL with the status "running"; a worker that was
killed while the first process computed was a traceback.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torture.failing import fault
from torture.trainings import forked
from torture.trial import Outcome, begin, ended

TITLE = "a data-loader worker or a DDP rank killed, stopped, hung or raising"
BAR = "ends within its timeout, exit 1, the cause named, nothing left running, status failed"
COUNT = 84
FOUND = 4

TIMEOUT = 3  # of a worker, in seconds
WITHIN = 60.0  # for the whole run: imports, the timeout, and the end of its processes
WORDS = ("data=digits", "data.batch_size=64", "model.hidden_size=8", "hydra.run.dir=run", f"data.timeout={TIMEOUT}")
STREAMED = (*WORDS, "data.format=streaming", "device=cpu", "trainer.max_epochs=3")
DISTRIBUTED = (*WORDS, "device=cpu_ddp", "trainer.max_epochs=1000")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
SCRIPT = str(Path(__file__).parents[1] / "broken_rank.py")


def run(count: int, seed: int, folder: Path) -> Outcome:
    outcome = Outcome()
    for number in range(count):
        case = CASES[(number + seed) % len(CASES)]
        here = folder / str(number)
        here.mkdir()
        outcome.add(case.failure(here, number // len(CASES)))
    return outcome


WORKERS: dict[str, tuple[Callable[[], object], str]] = {  # what a worker does, and what must be said of it
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "a worker died while it read"),
    "stopped": (lambda: os.kill(os.getpid(), signal.SIGSTOP), f"gave nothing for {TIMEOUT} s"),
    "hanging": (lambda: time.sleep(10_000), f"gave nothing for {TIMEOUT} s"),
    "leaving": (lambda: os._exit(3), "a worker died while it read"),
    "without memory": (lambda: _no_memory(), "memory"),
}
RANKS = {
    "killed": "process 1 of 2 was killed by SIGKILL",
    "stopped": f"gave nothing for {3 * TIMEOUT} s",
    "hanging": f"gave nothing for {3 * TIMEOUT} s",
    "without memory": "the memory of the device is too small to train with data.batch_size=64",
    "with a NaN": "the gradient became nan in epoch 1, batch 6 (step 6)",
}
BY_TORCHRUN = {**RANKS, "killed": "Signal 9 (SIGKILL)", "stopped": "gave nothing for", "hanging": "gave nothing for"}


def _no_memory() -> None:
    raise MemoryError


@dataclass(frozen=True)
class Worker:
    """What happens to the first of `workers` processes, while it reads a batch of a split."""

    how: str
    part: str
    workers: int

    def failure(self, folder: Path, batch: int) -> str | None:
        act, said = WORKERS[self.how]
        words = (*STREAMED, f"data.num_workers={self.workers}")
        if self.part == "test":  # which is one batch
            batch = 0
        process = forked(words, folder, partial(_break, act, self.part, batch))
        wrong = fault(folder, process, ended(process, WITHIN), said)
        return f"{self}, batch {batch + 1}: {wrong}" if wrong else None


@dataclass(frozen=True)
class Rank:
    """What happens to the second of two processes, started by Lightning or by torchrun."""

    how: str
    by: tuple[str, ...]

    def failure(self, folder: Path, _: int) -> str | None:
        said = (RANKS if self.by == (sys.executable,) else BY_TORCHRUN)[self.how]
        variables = {"BROKEN": f"{self.how},1,5", "OMP_NUM_THREADS": "1"}
        child = begin((*self.by, SCRIPT, *DISTRIBUTED), folder, folder / "log", **variables)
        try:
            code = child.wait(2 * WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            code = None
            child.wait()
        wrong = fault(folder, child.pid, code, said, by_torchrun=self.by == TORCHRUN)
        return f"{self.how}, by {self.by[-1]}: {wrong}" if wrong else None


CASES: list[Worker | Rank] = [
    *(Worker(how, part, workers) for how in WORKERS for part in ("train", "val", "test") for workers in (1, 2)),
    *(Rank(how, by) for how in RANKS for by in ((sys.executable,), TORCHRUN)),
]


def _break(act: Callable[[], object], part: str, batch: int) -> None:
    """Let the first worker of a loader of `part` do something at its n-th batch."""
    from torch.utils.data import get_worker_info

    from rnnvision.data import ImageData
    from rnnvision.data.streaming import StreamedImages

    whole, loaders = StreamedImages.__getitem__, {"train": "train_dataloader", "val": "val_dataloader"}
    make = getattr(ImageData, loaders.get(part, "test_dataloader"))

    def marked(self: ImageData) -> Any:
        loader = make(self)
        loader._streamed.breaks = True
        return loader

    def read(self: StreamedImages, request: Any) -> Any:
        worker, here = get_worker_info(), vars(self)
        if "breaks" in here and worker is not None and worker.id == 0:
            here["read"] = here.get("read", -1) + 1
            if here["read"] == batch:
                act()
        return whole(self, request)

    setattr(ImageData, make.__name__, marked)
    StreamedImages.__getitem__ = read  # type: ignore[method-assign]
