"""Memory for decoding: what several threads may take together, so that a small file never makes a gigabyte of them.

An image takes the place of itself in Pillow, in the decoder, and as what is made of it. Those that need little do not
ask for it; one that needs much waits until the others have given back theirs.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

ALL = 768_000_000  # bytes that images in decoding may take together
PER_PIXEL = 12  # bytes, of the formats of strangers at their worst (a progressive JPEG in CMYK)
LITTLE = 2**24  # bytes that nobody asks for
# Pillow's blocks of 16 MB stay with the thread that gives them back; those of more than 32 MB go back to the system.
Image.core.set_block_size(2**26)


class Memory:
    """So many bytes, from which threads take, in the order in which they ask.

    Examples:
        >>> memory = Memory(100)
        >>> with memory.taken(LITTLE):
        ...     memory.free
        0
        >>> memory.free
        100
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing is taken, as in a fork: its parent's threads are not there to give back what they have."""
        self.free = self.total
        self._turn, self._given_back = threading.Lock(), threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Within, `size` bytes are taken; of more than there are in all, all."""
        if size < LITTLE:
            yield
            return
        size = min(size, self.total)
        with self._turn, self._given_back:
            self._given_back.wait_for(lambda: self.free >= size)
            self.free -= size
        try:
            yield
        finally:
            with self._given_back:
                self.free += size
                self._given_back.notify()


MEMORY = Memory(ALL)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=MEMORY.begin_anew)
