"""Checkpoints are damaged, and read again: what is accepted has the content that was written.

Faults that it found:
- the attributes of a state dict, such as its `_metadata`, were not in the digest
- nor was whether a tensor wants a gradient, or shares its memory with another one
"""

import os
import random
import select
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnvision.training import CheckpointError, read_checkpoint
from torture.trained import trained
from torture.trial import Outcome

TITLE = "random bytes of checkpoints flipped, zeroed, exchanged, or their end cut off"
BAR = "none accepted with other content, none ends in a traceback, a crash or a hang"
COUNT = 100_000
FOUND = 2
HANG = 60.0  # seconds


def run(count: int, seed: int, folder: Path) -> Outcome:
    """Children that are forked read one after the other; the next one goes on after the try that killed one."""
    files = trained(folder)
    outcome, refused, next_one = Outcome(), 0, 0
    while next_one < count:
        for tried, answer in _answers(files, range(next_one, count), seed, folder / "damaged.ckpt"):
            next_one = tried + 1
            refused += answer == "refused"
            outcome.add(None if answer in ("refused", "same") else f"try {tried}: {answer}")
    outcome.note = f"{refused:,} refused, the rest as it was written"
    return outcome


def _answers(files: list[bytes], tries: range, seed: int, path: Path) -> Iterator[tuple[int, str]]:
    """What became of each try, until one ends the process that is to read."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiver)
        try:
            torch.set_num_threads(1)
            with os.fdopen(sender, "w", buffering=1) as out:
                contents = [_content(file, path) for file in files]
                for number in tries:
                    draw = random.Random(f"{seed}-{number}")
                    which = draw.randrange(len(files))
                    answer = _read(damaged(files[which], draw), contents[which], path)
                    print(f"{number} {answer}", file=out)
        finally:
            os._exit(0)
    os.close(sender)
    last, waiting = tries.start - 1, b""
    try:
        while True:
            ready, _, _ = select.select([receiver], [], [], HANG)
            if not ready:
                os.kill(child, signal.SIGKILL)
                yield last + 1, f"hangs for {HANG:.0f} s"
                break
            found = os.read(receiver, 1 << 16)
            *lines, waiting = (waiting + found).split(b"\n")
            for line in lines:
                tried, _, answer = line.decode().partition(" ")
                last = int(tried)
                yield last, answer
            if not found:
                break
    finally:
        os.close(receiver)
        _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and ready:
        yield last + 1, f"killed by signal {os.WTERMSIG(status)}"


def _content(file: bytes, path: Path) -> Any:
    path.write_bytes(file)
    return read_checkpoint(path)


def _read(file: bytes, content: Any, path: Path) -> str:
    path.write_bytes(file)
    started = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = read_checkpoint(path)
    except CheckpointError as error:
        return "refused" if "\n" not in str(error) else f"a message of several lines: {error!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    if time.monotonic() - started > HANG / 2:
        return "takes for ever"
    return "same" if same(found, content) else "accepted with other content"


# Damage ---------------------------------------------------------------------------------------------------------------


def damaged(file: bytes, draw: random.Random) -> bytes:
    """A file with one kind of damage, at least a byte of which differs; half of it where the structure is."""
    while True:
        found = bytearray(file)
        draw.choice(KINDS)(found, draw)
        if found != file:
            return bytes(found)


def _place(file: bytearray, draw: random.Random) -> int:
    """Of a byte: anywhere, or in the pickle or the directory, which are small."""
    start, end = 0, len(file)
    where = draw.random()
    if where < 0.4:
        end = min(len(file), 4 + file.find(b"PK\x03\x04", 4)) if file.find(b"PK\x03\x04", 4) > 0 else len(file)
    elif where < 0.5:
        start = max(file.find(b"PK\x01\x02"), 0)
    return draw.randrange(start, end)


def _flip(file: bytearray, draw: random.Random) -> None:
    file[_place(file, draw)] ^= 1 << draw.randrange(8)


def _flips(file: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randrange(2, 20)):
        _flip(file, draw)


def _byte(file: bytearray, draw: random.Random) -> None:
    file[_place(file, draw)] = draw.randrange(256)


def _operation(file: bytearray, draw: random.Random) -> None:
    """Another operation or operand of the pickle where one like it was."""
    place = _place(file, draw)
    file[place] = draw.choice(b"(.0125abeghijloqrstu}])\x85\x86\x87\x88\x89\x8aKMJXBQRNGI")


def _cut(file: bytearray, draw: random.Random) -> None:
    del file[draw.randrange(len(file)) :]


def _zeros(file: bytearray, draw: random.Random) -> None:
    place, length = _place(file, draw), draw.choice([1, 2, 8, 64, 512, 4096])
    file[place : place + length] = bytes(len(file[place : place + length]))


def _exchange(file: bytearray, draw: random.Random) -> None:
    """A block takes the place of another one, as a disk does it that mixes up its sectors."""
    length = draw.choice([1, 2, 4, 16, 64, 512])
    source, target = _place(file, draw), _place(file, draw)
    block = file[source : source + length][: len(file) - target]
    file[target : target + len(block)] = block


KINDS: list[Callable[[bytearray, random.Random], None]] = [_flip, _flip, _flips, _byte, _operation, _cut, _zeros]
KINDS += [_exchange]


# Comparison, which knows nothing of digests ---------------------------------------------------------------------------


def same(one: Any, other: Any) -> bool:
    """Whether two contents are the same, to the last bit, in the same order, and nothing shares memory in but one."""
    return _same(one, other) and len(_memories(one)) == len(_memories(other))


def _same(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or getattr(one, "__dict__", None) != getattr(other, "__dict__", None):
        return False
    if isinstance(one, Tensor):
        if (one.dtype, one.shape, one.requires_grad) != (other.dtype, other.shape, other.requires_grad):
            return False
        return bool(_bits(one) == _bits(other))
    if isinstance(one, dict):
        return list(map(repr, one)) == list(map(repr, other)) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


def _bits(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def _memories(value: Any) -> set[int]:
    if isinstance(value, Tensor):
        return {value.untyped_storage().data_ptr()} if value.numel() else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return set().union(*map(_memories, parts))
