"""What the loaders share: the order of an epoch, and how it is dealt out in batches to the processes."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from rnnvision.data.augment import BatchTransform
from rnnvision.seeding import derive_seed


class EpochOrder:
    """The order of the samples: a pure function of (seed, epoch), the same on every rank.

    Lightning finds it as the loader's `sampler` and tells it the epoch.
    """

    def __init__(self, size: int, seed: int | None) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def indices(self) -> Tensor:
        """(N,) sample indices; in file order where there is no seed."""
        if self.seed is None:
            return torch.arange(self.size)
        generator = torch.Generator().manual_seed(derive_seed("order", self.seed, self.epoch))
        return torch.randperm(self.size, generator=generator)


def count_train_batches(samples: int, batch_size: int, world_size: int) -> int:
    """Batches an epoch and process; a last one with too few samples for all processes is left out."""
    full, rest = divmod(samples, batch_size * world_size)
    return full + (rest >= world_size)


class Loader(ABC):
    """Iterate over samples in batches of (images float32 (B, C, H, W), labels), as `transform` makes them.

    Args:
        size: N.
        batch_size: B of one process.
        transform: makes a batch of uint8 images.
        seed: shuffles each epoch; None keeps the file order.
        rank, world_size: with several processes, each global batch of B * world_size samples is dealt out, so that all
            make the same number of steps. While training, a last batch with too few for all is left out.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        transform: BatchTransform,
        *,
        seed: int | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.sampler = EpochOrder(size, seed)
        self.batch_size = batch_size
        self.batch_sampler = None  # Lightning looks for one
        self.transform = transform
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        size = self.sampler.size
        if self.sampler.seed is not None:
            return count_train_batches(size, self.batch_size, self._world_size)
        full, rest = divmod(size, self.batch_size * self._world_size)
        return full + (rest > self._rank)

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...

    def batches(self, order: Tensor) -> Iterator[Tensor]:
        """The indices (B,) of each batch of this process, from the order (N,) of the epoch."""
        step = self.batch_size * self._world_size
        for batch in range(len(self)):
            yield order[batch * step : (batch + 1) * step][self._rank :: self._world_size]
