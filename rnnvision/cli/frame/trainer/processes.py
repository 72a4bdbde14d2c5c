"""The processes of a distributed training: none waits for ever for another one, and the first one says what became of
the others."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers.subprocess_script import _SubprocessScriptLauncher

from rnnvision.cli.frame.exits import EXIT_FAILURE
from rnnvision.cli.frame.trainer.attributes import callbacks_of
from rnnvision.errors import UsageError
from rnnvision.runs import RunFolder, is_first_process
from rnnvision.runs.ranks import RANKS

WAITS = 3  # times the seconds after which a worker is treated as hung, which another process may wait for first
GRACE = 10.0  # seconds in which the first process may notice by itself that another one has ended
LOST = ("closed by peer", "reset by peer", "timed out", "nccl", "gloo", "broken pipe")  # in what torch says then


def watch_processes(trainer: L.Trainer, run: RunFolder, timeout: float) -> None:
    """Let the processes of a training end when one of them ends, or does nothing for `WAITS` times `timeout` seconds.

    torch would wait for half an hour, and Lightning would kill the first process, which then tells nobody.
    """
    strategy = trainer.strategy
    if trainer.world_size == 1 or not isinstance(strategy, DDPStrategy):
        return
    callbacks_of(trainer).append(Patience(WAITS * timeout))
    if type(strategy.launcher) is _SubprocessScriptLauncher and strategy.cluster_environment is not None:
        strategy._launcher = Launcher(run, strategy.cluster_environment, strategy.num_processes, strategy.num_nodes)


def check_is_first(trainer: L.Trainer) -> None:
    """Refuse a training in one process that the environment calls another one's: it would write and print nothing.

    Raises:
        UsageError: that names the variables.
    """
    if trainer.world_size == 1 and not is_first_process():
        wrong = [name for name in RANKS if os.environ.get(name, "0") != "0"]
        typed = " ".join(f"{name}={os.environ[name]}" for name in wrong)
        raise UsageError(
            f"{typed}: the environment says that another process writes the results, and this run has one; "
            f"unset {' '.join(wrong)}, or give trainer.devices=N"
        )


class Patience(Callback):
    """From the first step on, wait for another process for so many seconds; before it, they import and read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        c10d: Any = torch.distributed
        set_timeout = getattr(c10d, "set_timeout", None) or c10d.distributed_c10d._set_pg_timeout
        set_timeout(timedelta(seconds=self.seconds))


class Launcher(_SubprocessScriptLauncher):
    """Lightning's, with another observer."""

    def __init__(self, run: RunFolder, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.run = run

    def launch(self, function: Callable[..., Any], *args: Any, trainer: Any = None, **kwargs: Any) -> Any:
        if not self.cluster_environment.creates_processes_externally:
            self._call_children_scripts()
        is_over = threading.Event()
        threading.Thread(target=self._observe, args=(is_over,), daemon=True, name="processes").start()
        try:
            return function(*args, **kwargs)
        finally:
            is_over.set()

    def _observe(self, is_over: threading.Event) -> None:
        """End this process where it goes on to wait for one that has ended: nothing interrupts a collective of NCCL."""
        while not is_over.wait(0.5):
            if ended(self):
                break
        if is_over.wait(GRACE):
            return
        message = f"{ended(self)}; the others waited for it"
        self.run.write_status("failed", message)
        print(f"rnnvision train: {message}", file=sys.stderr, flush=True)
        self.kill(signal.SIGKILL)
        for worker in multiprocessing.active_children():
            worker.kill()
        os._exit(EXIT_FAILURE)


def ended(launcher: _SubprocessScriptLauncher) -> str:
    """Which of the other processes has failed, and how; "" where all run or have ended well."""
    for number, process in enumerate(launcher.procs, start=1):
        code = process.poll()
        if code is not None and code < 0:
            return f"process {number} of {launcher.num_processes} was killed by {signal.Signals(-code).name}"
        if code:
            return f"process {number} of {launcher.num_processes} ended with exit code {code}; it has said why"
    return ""


def lost(trainer: L.Trainer, error: BaseException) -> str | None:
    """What to say of an error that means that another process is gone; None for any other error."""
    text = str(error).lower()
    if trainer.world_size == 1 or not isinstance(error, RuntimeError) or not any(word in text for word in LOST):
        return None
    launcher = trainer.strategy.launcher
    until = time.monotonic() + 3
    if isinstance(launcher, Launcher):
        while not (found := ended(launcher)) and time.monotonic() < until:
            time.sleep(0.1)
        launcher.kill(signal.SIGKILL)  # a stopped process hears nothing else
        for process in launcher.procs:
            process.wait()
        if found:
            return found
    seconds = next((c.seconds for c in callbacks_of(trainer) if isinstance(c, Patience)), 0)
    if "timed out" in text or "timeout" in text:
        return (
            f"another process of this run gave nothing for {seconds:g} s; is it stopped? Or try a larger data.timeout"
        )
    return "another process of this run has ended; what it said, if it could, stands above or in its own log"
