"""Resident data: a split as uint8 tensors on the device, indexed and normalised a batch at a time.

For 60,000 MNIST images this takes 0.1 s where a DataLoader over PIL images takes 6.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from rnnvision.data.augment import BatchTransform
from rnnvision.data.loader import Loader
from rnnvision.data.splits import Split


class ResidentLoader(Loader):
    """Iterate over a split that is kept on `device`; the other arguments are those of `Loader`."""

    def __init__(
        self,
        split: Split,
        batch_size: int,
        transform: BatchTransform,
        *,
        device: torch.device | str = "cpu",
        **options: Any,
    ) -> None:
        super().__init__(len(split), batch_size, transform, **options)
        self._images = split.images.to(device)
        self._labels = split.labels.to(device)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self.transform.start(self.sampler.epoch)
        begin = self._begins_at()
        order = self.sampler.indices().to(self._labels.device)
        numbers = self.sampler.numbers(order)
        both = zip(self.batches(order, begin), self.batches(numbers, begin), strict=True)
        for batch, (index, number) in enumerate(both, begin):
            yield self.transform(self._images[index], self._labels[index], number, batch)
