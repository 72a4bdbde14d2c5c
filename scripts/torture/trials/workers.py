"""A worker of a data loader, or a process of a distributed training, that dies, stops, hangs or raises.

Found and mended:
"""

import json
import multiprocessing.util
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rnnvision.cli.frame.places import prepare
from rnnvision.cli.train import main
from rnnvision.data import ImageData
from rnnvision.data.streaming import StreamedImages
from torture.trial import Outcome, left_running

TITLE = "a data-loader worker or a DDP rank killed, stopped, hung or raising"
BAR = "ends within its timeout, exit 1, the cause named, nothing left running, status failed"
COUNT = 60
FOUND = 0

TIMEOUT = 3.0  # of a worker, in seconds
WITHIN = 45.0  # of the whole run: imports, the timeout, and the end of its processes
WORDS = ("data=digits", "data.format=streaming", "device=cpu", "model.hidden_size=8", "data.batch_size=64")
LIMITS = ("trainer.max_epochs=3", f"data.timeout={TIMEOUT:g}")


def run(count: int, seed: int, folder: Path) -> Outcome:
    prepare("rnnvision.cli.train", "rnnvision.training.learner", "rnnvision.data.datamodule", "hydra")
    torch.set_num_threads(1)
    outcome = Outcome()
    cases = [Case(how, part, workers) for how in HOW for part in ("train", "val", "test") for workers in (1, 2)]
    for number in range(count):
        case = cases[(number + seed) % len(cases)]
        here = folder / str(number)
        here.mkdir()
        outcome.add(case.failure(here, batch=number // len(cases)))
    return outcome


HOW: dict[str, tuple[Callable[[], object], str]] = {  # what a worker does, and what must be said of it
    "is killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "died"),
    "is stopped": (lambda: os.kill(os.getpid(), signal.SIGSTOP), "gave nothing for 3 s"),
    "hangs": (lambda: time.sleep(10_000), "gave nothing for 3 s"),
    "leaves": (lambda: os._exit(3), "died"),
    "has no memory": (lambda: _raise(MemoryError()), "memory"),
}


def _raise(error: BaseException) -> None:
    raise error


@dataclass(frozen=True)
class Case:
    """What happens to the first of `workers` processes, while it reads the first image of a batch of a split."""

    how: str
    part: str
    workers: int

    def failure(self, folder: Path, batch: int) -> str | None:
        log = folder / "log"
        words = [*WORDS, *LIMITS, f"data.num_workers={self.workers}", "hydra.run.dir=run"]
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _train(words, folder, log, partial(_break, HOW[self.how][0], self.part, batch))
        code = _wait(child, WITHIN)
        took = time.monotonic() - began
        said = log.read_text(errors="replace")
        left = left_running(child)
        for process in left:
            os.kill(process, signal.SIGKILL)
        file = folder / "run" / "status.json"
        status = json.loads(file.read_text())["status"] if file.is_file() else "no file"
        wrong = [
            *(["does not end"] if code is None else [f"exit {code}"] if code != 1 else []),
            *([f"status {status}"] if status != "failed" else []),
            *([f"leaves {len(left)} processes"] if left else []),
            *(["a traceback"] if "Traceback" in said else []),
            *([] if HOW[self.how][1] in said else ["the cause is not named"]),
        ]
        end = said.strip().splitlines()[-1:] or [""]
        return f"{self}, {took:.0f} s: {', '.join(wrong)}: {end[0][:300]}" if wrong else None


def _wait(child: int, seconds: float) -> int | None:
    """The exit code of a child; None where it had to be killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _train(words: list[str], folder: Path, log: Path, prepare: Callable[[], None]) -> None:
    """Be the command `rnnvision train`, in a process group of its own; never returns."""
    code: Any = 70
    try:
        os.setsid()
        os.chdir(folder)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(file, number)
        sys.argv = ["rnnvision-train", *words]
        prepare()
        main()
        code = 0
    except SystemExit as error:
        code = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        multiprocessing.util._exit_function()  # type: ignore[attr-defined]  # at exit, which a fork leaves out
        os._exit(code if isinstance(code, int) else 1)


def _break(act: Callable[[], object], part: str, batch: int) -> None:
    """Let the first worker of a loader of `part` do something at its n-th batch."""
    from torch.utils.data import get_worker_info

    whole, loaders = StreamedImages.__getitem__, {"train": "train_dataloader", "val": "val_dataloader"}
    make = getattr(ImageData, loaders.get(part, "test_dataloader"))

    def marked(self: ImageData) -> Any:
        loader = make(self)
        loader._streamed.breaks = True
        return loader

    def read(self: StreamedImages, request: Any) -> Any:
        worker = get_worker_info()
        if getattr(self, "breaks", False) and worker is not None and worker.id == 0:
            self.read = getattr(self, "read", -1) + 1  # type: ignore[attr-defined]
            if self.read == batch:  # type: ignore[attr-defined]
                act()
        return whole(self, request)

    setattr(ImageData, make.__name__, marked)
    StreamedImages.__getitem__ = read  # type: ignore[method-assign]
