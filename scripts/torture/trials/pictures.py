"""Mutated image files, and files of little that ask for much, through the readers of predict and image_folder.

Found while it was built, each mended:
- each thread that decodes was bounded, and nobody all of them together;
- a PNG of 1 x 64,000,000 took 0.98 GB: a row takes a place of its own;
- a TIFF of 7 MB with 60,000 pages took 15 s: Pillow looks for each page among all others;
- a PPM of 16 bits or as plain text took a minute, a comment in one 10 s for each 64 MB: those are read in Python;
- a progressive JPEG of 0.3 MB with 200 empty scans took 5 s;
- a JPEG 2000 of 200 bytes with 60,000 tiles took 0.7 GB;
- a TIFF took the memory of a tile larger than itself, one with a table of millions of numbers that of each;
- a chunk of a PNG, a header of a BMP of 300 MB was read into memory twice;
- Pillow's warnings of damaged tags were printed, two lines each.
"""

import io
import mmap
import os
import random
import resource
import signal
import struct
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from torture import bombs
from torture.mutations import mutated, originals
from torture.trial import Outcome

TITLE = "mutated image files of every format that is read (PNG, JPEG, GIF, BMP, TIFF, PPM, WebP, AVIF, JPEG 2000)"
BAR = "0 crashes, 0 hangs (10 s), each used or refused on one line; less than 1 GB more than after the imports"
COUNT = 1_000_000
FOUND = 9

HUNG = 10.0  # seconds for one image; those that ask for much have ten times as long
MOST = 1000.0  # MB
CHUNK = 2000  # images a process
SHARE = 100  # of so many images one goes through the table of predict, and one through image_folder
BOMBS_FROM = 10_000  # tries, from which on files that ask for much are among them
SLOT = struct.Struct("<qd")  # which image is looked at, and since when


def run(count: int, seed: int, folder: Path) -> Outcome:
    _import()
    outcome, peak = Outcome(), 0.0
    if count >= BOMBS_FROM:
        peak = _bombs(outcome, folder)
        peak = max(peak, _threads(outcome, folder))
    begin, waiting = 0, []
    while begin < count:
        waiting.append(range(begin, begin := min(begin + CHUNK, count)))
    formats = len({suffix for suffix, _ in originals()})
    peak = max(peak, _mutations(outcome, waiting, seed, folder))
    outcome.note = f"{formats} formats, peak {peak:,.0f} MB"
    return outcome


def _import() -> None:
    """All that decodes, once, before the forks."""
    import torch

    from rnnvision.data import DataError, ImageData
    from rnnvision.data.images import View, decode

    torch.set_num_threads(1)
    _classifier()
    ImageData("digits").setup()
    for suffix, content in originals():
        try:
            decode(io.BytesIO(content), suffix, View(convert=True, first_frame=True))
        except DataError as error:
            raise AssertionError("an image that is not mutated has to be read") from error


# Mutations ------------------------------------------------------------------------------------------------------------


def _mutations(outcome: Outcome, waiting: list[range], seed: int, folder: Path) -> float:
    """Processes look at the images; this one sees which of them die or hang. Returns the peak of their memory."""
    waiting, peak = waiting[::-1], 0.0
    running: dict[int, tuple[range, mmap.mmap, Path]] = {}
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            numbers = waiting.pop()
            slot, told = mmap.mmap(-1, SLOT.size), folder / f"{numbers.start}.txt"
            slot[:] = SLOT.pack(numbers.start, time.monotonic())
            running[_forked(_look, numbers, seed, slot, told)] = (numbers, slot, told)
        time.sleep(0.01)
        for pid, (numbers, slot, told) in [*running.items()]:
            number, since = SLOT.unpack(slot[:])
            if time.monotonic() - since > HUNG:
                os.kill(pid, signal.SIGKILL)
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            running.pop(pid)
            lines = told.read_text().splitlines() if told.exists() else []
            told.unlink(missing_ok=True)
            outcome.failures += [line for line in lines if not line.startswith("peak ")]
            peak = max([peak, *(float(line[5:]) for line in lines if line.startswith("peak "))])
            end = numbers.stop
            if (code := os.waitstatus_to_exitcode(status)) != 0:
                hung = "hung" if time.monotonic() - since > HUNG else f"ended a process with {code}"
                outcome.failures.append(f"image {number}: {hung}")
                end = number + 1
                waiting.append(range(end, numbers.stop))
            outcome.count += end - numbers.start
    if peak > MOST:
        outcome.failures.append(f"{peak:,.0f} MB")
    return peak


def _look(numbers: range, seed: int, slot: mmap.mmap, told: Path) -> None:
    from rnnvision.data.images import View

    views = [
        View(image_size=8, convert=True, first_frame=True, reduced_scale=True),  # as predict opens them
        View(image_size=(6, 9), fit="letterbox", channels=1),
        View(image_size=16, used_bits=16, first_frame=True),
    ]
    failures, kept = [], []
    for number in numbers:
        slot[:] = SLOT.pack(number, time.monotonic())
        suffix, content = mutated(random.Random((seed << 40) + number))
        if failure := _one(content, views[number % len(views)], inspects=number % 7 == 0):
            failures.append(f"image {number} ({suffix}): {failure}")
        if number % SHARE == 0:
            kept.append((f"{number}.{suffix}", content))
    if kept:
        slot[:] = SLOT.pack(numbers.stop - 1, time.monotonic() + 60)  # files take longer
        failures += [f"images {numbers.start} to {numbers.stop}: {failure}" for failure in _as_files(kept, told)]
    told.write_text("".join(f"{one}\n" for one in [*failures, f"peak {_peak()}"]))


def _one(content: bytes, view: Any, *, inspects: bool) -> str | None:
    """What is wrong with how one image is read, or refused."""
    from rnnvision.data import DataError
    from rnnvision.data.images import decode_seen, inspect

    try:
        if inspects:
            inspect(io.BytesIO(content), "name", view)
        seen = decode_seen(io.BytesIO(content), "name", view)
    except DataError as error:
        said = str(error)
        return None if said.startswith("name: ") and len(said.splitlines()) == 1 else f"said {said!r}"
    except BaseException:
        return traceback.format_exc().splitlines()[-1]
    return None if tuple(seen.shape) == view.image_shape else f"gave {tuple(seen.shape)}"


def _as_files(kept: list[tuple[str, bytes]], beside: Path) -> list[str]:
    """The same through the table of predict, and through image_folder, each file used or listed."""
    from rnnvision.data import ImageData

    root, failures = beside.with_suffix(""), []
    for place, (name, content) in enumerate(kept):
        path = root / ("ab"[place % 2]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for part in "ab":  # a class needs some that can be read
        (root / part).mkdir(parents=True, exist_ok=True)
        for number in range(6):
            (root / part / f"good{number}.png").write_bytes(bombs.png(9, 9 + number, 8, 0))
    files = sorted(path for path in root.rglob("*") if path.is_file())
    rows = list(_classifier().predict(files))
    if len(rows) != len(files) or any(bool(row.ranking) == (row.error is not None) for row in rows):
        failures.append(f"predict: {len(rows)} answers to {len(files)} files")
    options: dict[str, Any] = {"image_size": 8, "cache": False, "on_bad_file": ["skip", "convert"], "num_workers": 0}
    data = ImageData("image_folder", root=str(root), **options)
    used = sum(len(getattr(data.splits, part)) for part in ("train", "val", "test"))
    if used + len(data.splits.bad_files) != len(files):
        failures.append(f"image_folder: {used} used and {len(data.splits.bad_files)} listed of {len(files)}")
    for path in files:
        path.unlink()
    return failures


def _classifier() -> Any:
    from rnnvision.inference import Classifier
    from rnnvision.nn import build

    shape = (3, 8, 8)
    network = build("logistic", input_shape=shape, num_classes=2).eval()
    description = {
        "network": {"name": "logistic", "input_shape": shape},
        "class_names": ("a", "b"),
        "normalisation": {"mean": (0.5,) * 3, "std": (0.5,) * 3},
        "data": {"name": "image_folder", "options": {"image_size": 8}},
    }
    return Classifier(network, description, Path("a.ckpt"))


# What asks for much --------------------------------------------------------------------------------------------------


def _bombs(outcome: Outcome, folder: Path) -> float:
    """Each in a process of its own: what may be read is, and what may not is refused. Returns the peak of memory."""
    peak = 0.0
    for readable, made in ((True, bombs.MOST), (False, bombs.TOO_MUCH)):
        for name, make in made.items():
            path = folder / "bomb"
            os.waitpid(_forked(_write, path, make), 0)
            told = folder / "told.txt"
            pid, began = _forked(_open, [path], readable, told, 1), time.monotonic()
            while os.waitpid(pid, os.WNOHANG) == (0, 0):
                if time.monotonic() - began > 10 * HUNG:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
            failure, used = _told(told)
            peak = max(peak, used)
            outcome.add(failure and f"{name}: {failure}")
            path.unlink()
    return peak


def _threads(outcome: Outcome, folder: Path) -> float:
    """All that may be read at once, by eight threads. Returns the peak of memory."""
    paths = [folder / f"{number}.png" for number in range(len(bombs.MOST))]
    for path, make in zip(paths, bombs.MOST.values(), strict=True):
        os.waitpid(_forked(_write, path, make), 0)
    told = folder / "told.txt"
    os.waitpid(_forked(_open, paths, True, told, 8), 0)
    failure, peak = _told(told)
    outcome.add(failure and f"eight threads: {failure}")
    for path in paths:
        path.unlink()
    return peak


def _write(path: Path, make: Any) -> None:
    path.write_bytes(make())


def _open(paths: list[Path], readable: bool, told: Path, threads: int) -> None:
    from rnnvision.data import DataError
    from rnnvision.data.images import View, open_many

    view = View(image_size=8, convert=True, first_frame=False, used_bits=16)
    with ThreadPoolExecutor(threads) as pool:  # each has a file of its own: `open_many` hands out sixteen at a time
        answers = pool.map(lambda path: next(open_many([path], view, 1)), paths)
        refused = [str(found) for found in answers if isinstance(found, DataError)]
    wrong = refused if readable else [] if refused else ["was read"]
    told.write_text("".join(f"{line}\n" for line in [*wrong, f"peak {_peak()}"]))


def _told(told: Path) -> tuple[str | None, float]:
    lines = told.read_text().splitlines() if told.exists() else ["peak 0", "it died, or hung"]
    told.unlink(missing_ok=True)
    peak = max(float(line[5:]) for line in lines if line.startswith("peak "))
    wrong = [line for line in lines if not line.startswith("peak ")] + ([f"{peak:,.0f} MB"] if peak > MOST else [])
    return "; ".join(wrong) or None, peak


# Processes ------------------------------------------------------------------------------------------------------------


def _forked(do: Any, *args: Any) -> int:
    """Run something in a fork, whose peak of memory counts from here; its number."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code, heard = 70, os.dup(2)
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 2)  # libjpeg and libtiff tell of damage
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
        globals()["_before"] = _megabytes("VmRSS")
        do(*args)
        code = 0
    except BaseException:
        os.dup2(heard, 2)
        traceback.print_exc()
    finally:
        os._exit(code)


_before = 0.0


def _peak() -> float:
    """MB that this process has used at most beyond what it began with."""
    return round(_megabytes("VmHWM") - _before, 1)


def _megabytes(key: str) -> float:
    return int(Path("/proc/self/status").read_text().partition(f"{key}:")[2].split()[0]) * 1024 / 1e6
