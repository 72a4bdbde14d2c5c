"""Processes of a distributed training: none waits for ever, and the first one says what became of the others."""

import json
import multiprocessing
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.environments import LightningEnvironment

from rnnvision.cli.frame.trainer import processes
from rnnvision.cli.frame.trainer.processes import Launcher, Patience, lost
from rnnvision.runs import RunFolder

CLOSED = RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:8329.")
LATE = RuntimeError("[gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 6000ms for recv operation to complete")


def trainer(launcher: Any = None, world_size: int = 2) -> Any:
    strategy = SimpleNamespace(launcher=launcher)
    return SimpleNamespace(world_size=world_size, strategy=strategy, callbacks=[Patience(6)])


def launcher(folder: Path, *commands: str) -> Launcher:
    made = Launcher(RunFolder(folder, folder, "train"), LightningEnvironment(), len(commands) + 1, 1)
    made.procs = [subprocess.Popen(["sh", "-c", command]) for command in commands]
    return made


def test_an_error_that_means_another_process_is_told_as_that(tmp_path: Path) -> None:
    made = launcher(tmp_path, "exit 0", "kill -9 $$")
    assert lost(trainer(made), CLOSED) == "process 2 of 3 was killed by SIGKILL"
    assert lost(trainer(launcher(tmp_path, "exit 1")), CLOSED) == (
        "process 1 of 2 ended with exit code 1; it has said why"
    )
    assert str(lost(trainer(), LATE)).startswith("another process of this run gave nothing for 6 s")
    assert str(lost(trainer(), CLOSED)).startswith("another process of this run has ended")
    assert lost(trainer(world_size=1), CLOSED) is None
    assert lost(trainer(), RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
    assert lost(trainer(), ValueError("timed out")) is None


def waits(folder: Path) -> None:
    """A first process that hears nothing of the end of another one, as in a collective on a GPU."""
    processes.GRACE = 0.2
    made = launcher(folder, "kill -9 $$")
    made._call_children_scripts = lambda: None  # type: ignore[method-assign]
    made.launch(lambda: time.sleep(60))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
def test_a_first_process_that_waits_for_one_that_has_ended_ends_as_a_failure(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=waits, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == 1
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["status"], status["error"]) == (
        "failed",
        "process 1 of 2 was killed by SIGKILL; the others waited for it",
    )


def test_patience_is_that_of_the_default_group(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[timedelta] = []
    monkeypatch.setattr(torch.distributed, "set_timeout", told.append, raising=False)
    Patience(6).on_train_start(trainer(), None)  # type: ignore[arg-type]
    assert told == [timedelta(seconds=6)]
