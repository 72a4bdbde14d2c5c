"""Images of the test split to try a network on, where they are on this machine."""

import random
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from rnnvision.data.sets.locate import nothing_downloaded
from rnnvision.data.splits import DataError, Samples


class Example(NamedTuple):
    """uint8 (C, H, W), what the image is called, and its class."""

    pixels: Tensor
    name: str
    truth: str


class Examples:
    """The test split that a checkpoint describes; empty where it cannot be read, and nothing is downloaded.

    It is read on first use, by whichever thread that is: a folder of many files takes a while.
    """

    def __init__(self, description: Mapping[str, Any], input_shape: tuple[int, ...]) -> None:
        self.description = description
        self.input_shape = input_shape
        self._lock = threading.Lock()
        self._samples: Samples | None = None
        self._tried = False

    def __len__(self) -> int:
        with self._lock:
            if not self._tried:
                self._tried = True
                self._samples = self._read()
        return 0 if self._samples is None else len(self._samples)

    def one(self) -> Example:
        """One of them by chance.

        Raises:
            DataError: if its file cannot be read.
        """
        count = len(self)
        assert self._samples is not None
        index = random.randrange(count)
        pixels = self._samples.seen(index)  # of no other is a file opened
        truth = self.description["class_names"][int(self._samples.labels[index])]
        return Example(pixels, f"test image {index}", truth)

    def _read(self) -> Samples | None:
        from rnnvision.data import ImageData

        try:
            with nothing_downloaded():
                data = ImageData.of_checkpoint(self.description, parts=("test",))
                found: Samples = data.known.test
        except (DataError, ValueError, KeyError, OSError, ImportError):  # moved, changed, a plugin's: no examples then
            return None
        known = data.class_names == tuple(self.description["class_names"])
        return found if known and found.image_shape == self.input_shape else None
