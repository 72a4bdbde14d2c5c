"""A disk becomes full while a run saves: a small tmpfs is filled, all but a few bytes.

The last two tries are trainings by the command, whose disk is filled when they have saved once; the others save in this
process. Without the right to mount, a limit on the size of files stands in for the disk, and all are of this process.

Faults that it found:
- a save on a full disk, a metrics.csv, a train.log ended in a traceback, and status.json stayed "running"
- PyTorch hides the reason: what it raises says "unexpected pos"
"""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from rnnvision.disk import DiskError
from rnnvision.runs import Run, RunFolder
from rnnvision.training import VerifiedCheckpointIO, mend_last
from torture.trial import Outcome, begin, command
from torture.trials.save_kills import STATES

TITLE = "a disk (tmpfs of 8 MB) that is full during a save"
BAR = "the checkpoint before it byte-identical, one clear line, exit code 1, status.json true"
COUNT = 20
FOUND = 2
MEGABYTES, WORDS = 8, ("model=lstm", "data=digits", "trainer.max_epochs=1000")
BLOCK = 4096


def run(count: int, seed: int, folder: Path, trainings: int = 2) -> Outcome:
    outcome, draw = Outcome(), random.Random(seed)
    with disk(folder / "disk") as mounted:
        trainings = min(count, trainings) if mounted else 0
        outcome.note = f"{trainings} of them by the command" if mounted else "RLIMIT_FSIZE in place of a tmpfs"
        for number in range(count):
            place = folder / "disk" / f"run{number}"
            if number >= count - trainings:
                outcome.add(_training(place))
            else:
                outcome.add(_save(place, draw.randrange(990_000), mounted=mounted))
            shutil.rmtree(place)
            (place.parent / "rest").unlink(missing_ok=True)
    return outcome


@contextmanager
def disk(place: Path) -> Iterator[bool]:
    """A folder that is a small disk of its own; false where nobody may mount one."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)]
    try:
        mounted = subprocess.run(words, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, left: int) -> None:
    """Fill the disk up to a number of bytes, in whole blocks."""
    space = shutil.disk_usage(place).free - left
    with (place / "rest").open("wb", buffering=0) as file, suppress(OSError):
        for _ in range(max(space, 0) // BLOCK):
            file.write(bytes(BLOCK))


def _content(step: int) -> dict[str, Any]:
    weight = torch.full((250_000,), float(step))  # 1 MB
    content = {"rnnvision": {"format": 2}, "state_dict": {"network.weight": weight}, "global_step": step}
    return {**content, **STATES}


def _save(folder: Path, left: int, *, mounted: bool) -> str | None:
    """Save twice, then once more with too little space; the end of a run is written down then."""
    io, last = VerifiedCheckpointIO(), folder / "checkpoints" / "last.ckpt"
    run = RunFolder(folder, folder, "train")
    folder.mkdir()
    run.open({})
    for step in (1, 2):
        io.save_checkpoint(_content(step), last)
    before = {path.name: path.read_bytes() for path in last.parent.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted:
        fill(folder.parent, left)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, limits[1]))
    try:
        with _space_not_looked_at(left % 2 == 0):
            io.save_checkpoint(_content(3), last)
        return f"{left} bytes were left, and it was saved"
    except DiskError as error:
        message = str(error)
        run.write_status("failed", message)
    except BaseException as error:
        return f"{left} bytes left: {type(error).__name__}: {error}"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    found = {path.name: path.read_bytes() for path in last.parent.iterdir()}
    return _wrong(folder, message) or (None if found == before else f"{left} bytes left: {sorted(found)} are others")


@contextmanager
def _space_not_looked_at(yes: bool) -> Iterator[None]:
    """Within, the space that is free is not known: as where others take it while a file is written."""
    import rnnvision.training.saving.io as saving

    known = saving.free
    saving.free = (lambda folder: None) if yes else known
    try:
        yield
    finally:
        saving.free = known


def _wrong(folder: Path, message: str) -> str | None:
    status = json.loads((folder / "status.json").read_text())
    if "no space left" not in message or "\n" in message:
        return f"the message is {message!r}"
    if status["status"] != "failed" or "no space left" not in status["error"]:
        return f"status.json says {status}"
    return None if mend_last(folder / "checkpoints") is None else "last.ckpt is not whole"


def _training(folder: Path) -> str | None:
    """Train by the command; when it has saved, the disk is filled."""
    log = folder.parent.parent / f"{folder.name}.log"
    process = begin(command("train", *WORDS, f"hydra.run.dir={folder}"), folder.parent, log, OMP_NUM_THREADS="1")
    last = folder / "checkpoints" / "previous.ckpt"
    try:
        started = time.monotonic()
        while not last.exists() and process.poll() is None and time.monotonic() - started < 300:
            time.sleep(0.05)
        fill(folder.parent, 0)
        code = process.wait(timeout=300)
    except subprocess.TimeoutExpired:
        return "the training went on for 300 s on a full disk"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text(errors="replace")
    if code != 1 or "Traceback" in text:
        return f"exit code {code}: {text[-500:]}"
    end = text.splitlines()[-1]
    run = Run(folder)
    if run.state != "failed" or not str(run.error).startswith(str(folder)):
        return f"status.json says {run.state}: {run.error}"
    return _wrong(folder, end)
