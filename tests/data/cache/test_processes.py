"""The cache between processes: who starts together decodes once, and nobody sees half of a file."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import ImageData, files
from rnnvision.data.cache.pool import LOCK, PART, ROWS, Pool
from rnnvision.data.downloads import lock

FORK = multiprocessing.get_context("fork")  # starts in no time
IMAGES = 40
Started = tuple[BaseProcess, Connection]
Start = Callable[..., Started]


@pytest.fixture
def start() -> Iterator[Start]:
    """A process that does something, and may send what it finds; it is ended with the test."""
    started: list[BaseProcess] = []

    def begin(do: Callable[..., None], *arguments: Any) -> Started:
        here, there = FORK.Pipe()
        process = FORK.Process(target=do, args=(there, *arguments))
        process.start()
        started.append(process)
        return process, here

    yield begin
    for process in started:
        process.kill()
        process.join()


def run(pipe: Connection, folder: Path) -> None:
    """Read a folder of images, slowly: send how many were decoded, and the sum of all pixels."""
    real, decoded = files.open_seen, []

    def slow(*arguments: Any) -> torch.Tensor:
        decoded.append(arguments)
        time.sleep(0.01)
        return real(*arguments)

    files.open_seen = slow
    data = ImageData("image_folder", root=str(folder / "photos"), cache=str(folder / "kept"), image_size=8)
    total = sum(int(part.load(i).sum()) for part in data.splits.values() for i in range(len(part)))
    pipe.send((len(decoded), total))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("ant", "bee"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(IMAGES // 2):
            Image.new("RGB", (8, 8), (i, 2 * i, len(name))).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path


def test_runs_that_start_together_decode_once(start: Start, folder: Path) -> None:
    runs = [start(run, folder) for _ in range(4)]
    results = [pipe.recv() for _, pipe in runs]
    assert sum(count for count, _ in results) == IMAGES
    assert len({total for _, total in results}) == 1


def test_a_run_that_is_killed_while_it_decodes_holds_nobody_up(start: Start, folder: Path) -> None:
    process, _ = start(run, folder)
    while not list((folder / "kept").glob(f"*/{LOCK}")):
        time.sleep(0.001)
    time.sleep(0.05)
    process.kill()
    _, total = start(run, folder)[1].recv()
    assert start(run, folder)[1].recv() == (0, total)


def hold(pipe: Connection, path: Path) -> None:
    with lock.held(path, ""):
        pipe.send("held")
        pipe.recv()


@pytest.mark.parametrize("signs", [True, False])
def test_a_holder_is_waited_for_as_long_as_it_gives_signs_of_life(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], signs: bool
) -> None:
    """It gives none once it is stopped, as by Ctrl-Z."""
    monkeypatch.setattr(lock, "BEAT", 0.02 if signs else 60.0)
    _, pipe = start(hold, tmp_path / LOCK)
    assert pipe.recv() == "held"
    monkeypatch.setattr(lock, "SILENCE", 0.4)
    begin = time.monotonic()
    if signs:
        start(lambda _: (time.sleep(1.0), pipe.send("end")))
    with lock.held(tmp_path / LOCK, "waiting"):
        assert (time.monotonic() - begin > 1.0) is signs
    assert capsys.readouterr().out == "waiting\n"


SHAPE = (1 << 20,)
KEYS = [bytes([i]) + bytes(15) for i in range(8)]


def write(_: Connection, folder: Path) -> None:
    pool = Pool(folder, SHAPE, {}, None)
    while True:
        pool.add(KEYS, torch.arange(8, dtype=torch.uint8)[:, None].expand(8, *SHAPE), {})


def test_a_reader_beside_writers_that_are_killed_never_sees_half_a_file(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = Pool(tmp_path / "pool", SHAPE, {}, None)
    seen = 0
    for patience in (0.1, 0.13, 0.17, 0.2):
        writer, _ = start(write, pool.folder)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            found = pool.find(KEYS)
            assert found.missing.size in (0, 8)
            if not found.missing.size:
                seen += 1
                assert torch.equal(found.rows(SHAPE)[:, 0], torch.arange(8, dtype=torch.uint8))
        writer.kill()
        writer.join()
    assert seen
    assert capsys.readouterr().out == ""  # no damage
    for part in (*pool.folder.glob(f"*{PART}"), pool.folder / f"another{PART}"):
        part.touch()
        os.utime(part, (1000, 1000))
    pool.add(KEYS[:1], torch.zeros(1, *SHAPE, dtype=torch.uint8), {})
    assert not list(pool.folder.glob(f"*{PART}"))
    assert list(pool.folder.glob(f"*{ROWS}"))


def write_some(pipe: Connection, folder: Path, writer: int) -> None:
    pool = Pool(folder, (3,), {}, None)
    for i in range(20):
        pool.add([bytes([writer, i]) + bytes(14)], torch.tensor([[writer, i, 7]], dtype=torch.uint8), {})
    pipe.send("done")


def test_writers_at_once_all_succeed(start: Start, tmp_path: Path) -> None:
    for _, pipe in [start(write_some, tmp_path / "pool", writer) for writer in range(3)]:
        assert pipe.recv() == "done"
    keys = [bytes([writer, i]) + bytes(14) for writer in range(3) for i in range(20)]
    found = Pool(tmp_path / "pool", (3,), {}, None).find(keys)
    assert np.array_equal(found.rows((3,)).numpy(), [[w, i, 7] for w in range(3) for i in range(20)])
