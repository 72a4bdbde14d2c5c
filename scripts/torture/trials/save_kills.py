"""A process is killed while it writes checkpoints of 60 MB, again and again in the same folder.

The folder for temporary files is on another file system where there is one: a rename from there would be a copy.

Faults that it found:
- what a killed save had written stayed for ever, 60 MB each time
"""

import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from rnnvision.runs import RunFolder
from rnnvision.training import CheckpointError, VerifiedCheckpointIO, facts_of, mend_last
from torture.trial import Outcome

TITLE = "SIGKILL while a checkpoint of 60 MB is written, with the temporary folder on another file system"
BAR = "a whole checkpoint each time, none older than the last that was reported, no leftovers after the next start"
COUNT = 100
FOUND = 1
MEGABYTES = 60

LOOPS: dict[str, Any] = {"epoch_progress": {"current": {"processed": 1, "completed": 1}}}
LOOPS["epoch_loop.batch_progress"] = {"current": {"ready": 1}}
# What says that a training can go on from a checkpoint.
STATES: dict[str, Any] = {"epoch": 1, "loops": {"fit_loop": LOOPS}}
STATES |= {"optimizer_states": [{"state": {}, "param_groups": []}]}


def run(count: int, seed: int, folder: Path, megabytes: int = MEGABYTES) -> Outcome:
    elsewhere = Path("/dev/shm")
    before = tempfile.tempdir
    outcome = Outcome(note="" if elsewhere.is_dir() else "no other file system for temporary files here")
    tempfile.tempdir = str(elsewhere) if elsewhere.is_dir() else None
    draw, step, length, during = random.Random(seed), 0, 0.0, 0
    try:
        for _ in range(count):
            after = draw.random()
            reported, length, cut = _save_until_killed(folder, megabytes, step, after, length)
            during += cut
            failure, step = _look(folder, max(reported, step))
            outcome.add(failure)
    finally:
        tempfile.tempdir = before
    outcome.note = "; ".join(filter(None, [outcome.note, f"{during} of them left a file half written"]))
    return outcome


def _save_until_killed(folder: Path, megabytes: int, step: int, after: float, length: float) -> tuple[int, float, bool]:
    """Save in a child, one after the other; kill it at a random moment of a save that is not the first.

    Returns the last step that it reported as saved, the seconds that a save takes, and whether it was writing.
    """
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _save_for_ever(folder, megabytes, step, sender)
        finally:
            os._exit(1)
    os.close(sender)
    with os.fdopen(receiver) as lines:
        started = time.monotonic()
        reported = int(lines.readline() or step)
        length = time.monotonic() - started if length == 0 else length
        started = time.monotonic()
        time.sleep(after * length)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child has ended by itself"
        found = [int(line) for line in lines if line.endswith("\n")]  # what it reported until it was killed
    return (found or [reported])[-1], length, any((folder / "checkpoints").glob(".*.tmp"))


def _save_for_ever(folder: Path, megabytes: int, step: int, sender: int) -> None:
    torch.set_num_threads(1)
    io = VerifiedCheckpointIO()
    weight = torch.arange(megabytes * 250_000, dtype=torch.float32)
    while True:
        step += 1
        content: dict[str, Any] = {"rnnvision": {"format": 2}, "state_dict": {"network.weight": weight + step}}
        content |= {"global_step": step, **STATES}
        io.save_checkpoint(content, folder / "checkpoints" / "last.ckpt")
        os.write(sender, b"%d\n" % step)


def _look(folder: Path, step: int) -> tuple[str | None, int]:
    """What is wrong with what is left, after the next start; and the step of the checkpoint that it goes on from."""
    last = folder / "checkpoints" / "last.ckpt"
    try:
        mended = mend_last(last.parent)
    except CheckpointError as error:
        shutil.rmtree(last.parent)
        return f"step {step}: {error}", step
    if mended is not None:
        return f"step {step}: {mended}", step
    found = facts_of(last)["global_step"]
    if found < step:
        return f"step {step} was reported, and step {found} is there", found
    run = RunFolder(folder, folder, "train")
    run.open({})
    left = sorted(path.name for path in last.parent.iterdir())
    elsewhere = [path.name for path in Path(tempfile.gettempdir()).glob("*.ckpt*")]
    if left not in (["last.ckpt"], ["last.ckpt", "previous.ckpt"]) or elsewhere:
        return f"left over: {', '.join([*left, *elsewhere])}", found
    return None, found
