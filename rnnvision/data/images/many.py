"""Many image files, opened by threads and handed out in order."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from torch import Tensor

from rnnvision.data.images.decoding import open_seen
from rnnvision.data.images.view import View
from rnnvision.data.splits import DataError

CHUNK = 16  # images in a thread's task: for small ones, handing over one by one would take as long as opening them

MOST_THREADS = 8  # what they hold of large images together is bounded, see `memory`


def open_many(paths: Iterable[Path | str], view: View, threads: int | None = None) -> Iterator[Tensor | DataError]:
    """What the network sees of each file, in the order of `paths`: uint8 (C, H, W), or the error of one that is bad.

    At most two tasks a thread are ahead of what has been taken, so any number of files takes the same memory.

    Args:
        paths: taken one by one as they are needed, so they may be a generator.
        view: how they are read, and what part of them is seen.
        threads: by default one per core, 8 at most; decoders let other threads run.
    """
    remaining = iter(paths)
    threads = threads or min(MOST_THREADS, os.cpu_count() or 1)
    waiting: deque[Future[list[Tensor | DataError]]] = deque()
    pool = ThreadPoolExecutor(threads, "open-images")
    try:
        while True:
            while len(waiting) < 2 * threads and (chunk := list(islice(remaining, CHUNK))):
                waiting.append(pool.submit(_open_chunk, chunk, view))
            if not waiting:
                return
            yield from waiting.popleft().result()
    finally:  # also where the caller takes no more
        pool.shutdown(cancel_futures=True)


def _open_chunk(paths: list[Path | str], view: View) -> list[Tensor | DataError]:
    return [_open(Path(path), view) for path in paths]


def _open(path: Path, view: View) -> Tensor | DataError:
    try:
        return open_seen(path, view)
    except DataError as error:
        return error
