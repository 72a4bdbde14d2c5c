"""Base of the loaders: the order of an epoch, and its distribution in batches to the processes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial

import torch
from torch import Tensor

from rnnvision.checks import at_least, one_of, positive
from rnnvision.data.augment import BatchTransform
from rnnvision.seeding import derive_seed

SAMPLERS = ("shuffle", "balanced")
MOST_WORKERS = 1024  # and batches that each of them prepares ahead
SHARDS_AT_ONCE = 16  # of 64 MB: some 9,000 photographs are shuffled among each other


class EpochOrder:
    """The order of the samples: a pure function of (seed, epoch), the same on every rank.

    Each sample once, shuffled; or, with `balance` (N,), the labels, N draws with replacement in which each class that
    occurs is equally likely, and each sample of a class.

    Lightning finds it as the loader's `sampler` and sets its epoch. With `shard_of` (N,), the number of the shard that
    holds each sample, `SHARDS_AT_ONCE` shards at a time are read: the shards in random order, and so their samples.
    """

    def __init__(
        self, size: int, seed: int | None, shard_of: Tensor | None = None, balance: Tensor | None = None
    ) -> None:
        self.size = size
        self.seed = seed
        self.shard_of = shard_of
        self.balance = balance
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def indices(self) -> Tensor:
        """(N,) sample indices; in file order if there is no seed."""
        if self.seed is None:
            return self._together(torch.arange(self.size), torch.arange)
        generator = torch.Generator().manual_seed(derive_seed("order", self.seed, self.epoch))
        shuffled = partial(torch.randperm, generator=generator)
        order = shuffled(self.size) if self.balance is None else draw_balanced(self.balance, generator)
        return self._together(order, shuffled)

    def numbers(self, order: Tensor) -> Tensor:
        """(N,) what the augmentation of each sample of `order` is drawn by: its index; if it may recur, its place."""
        return order if self.balance is None else torch.arange(len(order), device=order.device)

    def _together(self, order: Tensor, arrange: Callable[[int], Tensor]) -> Tensor:
        """The same order, but one group of shards after the other; `arrange(count)` gives each shard its place."""
        if self.shard_of is None or not self.size:
            return order
        place = arrange(int(self.shard_of.max()) + 1)
        group = place[self.shard_of] // SHARDS_AT_ONCE  # (N,)
        return order[torch.argsort(group[order], stable=True)]


def draw_balanced(labels: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) indices drawn with replacement from samples of these labels (N,), first the class and then the sample."""
    by_class = torch.argsort(labels, stable=True)
    _, counts = torch.unique(labels, return_counts=True)
    starts = counts.cumsum(0) - counts
    drawn = torch.randint(len(counts), (len(labels),), generator=generator)
    within = (torch.rand(len(labels), generator=generator, dtype=torch.float64) * counts[drawn]).long()
    return by_class[starts[drawn] + within]


def check_loading(
    batch_size: int,
    eval_batch_size: int | None,
    sampler: str,
    num_workers: int | None,
    prefetch: int,
    timeout: float,
) -> None:
    """Check the arguments of `rnnvision.data.ImageData` that say how samples are loaded.

    Raises:
        ValueError: for one out of range.
    """
    at_least("batch_size", batch_size, 1)
    if eval_batch_size is not None:
        at_least("eval_batch_size", eval_batch_size, 1)
    one_of("sampler", sampler, SAMPLERS)
    if num_workers is not None:
        at_least("num_workers", num_workers, 0, MOST_WORKERS)
    at_least("prefetch", prefetch, 1, MOST_WORKERS)
    positive("timeout", timeout)


def count_train_batches(samples: int, batch_size: int, world_size: int, smallest: int = 1) -> int:
    """Batches per epoch and process; a last one is left out with fewer than `smallest` samples for some process."""
    full, rest = divmod(samples, batch_size * world_size)
    return full + (rest >= world_size * smallest)


class Loader(ABC):
    """Iterate over samples in batches of (images float32 (B, C, H, W), labels), as `transform` makes them.

    Args:
        size: N.
        batch_size: B of one process.
        transform: makes a batch of uint8 images.
        seed: shuffles each epoch; None keeps the file order.
        shard_of: (N,) the shard of each sample, see `EpochOrder`.
        smallest: fewest samples of a batch in training; with fewer the last one is left out.
        balance: (N,) the labels, if each class is to be drawn equally often, see `EpochOrder`.
        rank, world_size: with several processes, each global batch of B * world_size samples is distributed, so that
            all make the same number of steps. While training, a last batch with too few for all is left out.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        transform: BatchTransform,
        *,
        seed: int | None = None,
        shard_of: Tensor | None = None,
        smallest: int = 1,
        balance: Tensor | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.sampler = EpochOrder(size, seed, shard_of, balance)
        self.batch_size = batch_size
        self.batch_sampler = None  # Lightning looks for one
        self.transform = transform
        self._smallest = smallest
        self._rank, self._world_size = rank, world_size
        self._begin = 0  # the batch that the next epoch begins with

    def __len__(self) -> int:
        size = self.sampler.size
        if self.sampler.seed is not None:
            return count_train_batches(size, self.batch_size, self._world_size, self._smallest)
        full, rest = divmod(size, self.batch_size * self._world_size)
        return full + (rest > self._rank)

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]: ...

    def begin_at(self, batch: int) -> None:
        """Leave out the first `batch` batches of the next epoch that is iterated over, which are trained already."""
        self._begin = batch

    def _begins_at(self) -> int:
        """The batch that an epoch begins with which is begun now; the ones after it are whole."""
        begin, self._begin = self._begin, 0
        return begin

    def batches(self, order: Tensor, begin: int = 0) -> Iterator[Tensor]:
        """The indices (B,) of each batch of this process from `begin` on, from the order (N,) of the epoch."""
        step = self.batch_size * self._world_size
        for batch in range(begin, len(self)):
            yield order[batch * step : (batch + 1) * step][self._rank :: self._world_size]

    def images_of(self, epoch: int, batch: int) -> list[int]:
        """The indices of the images of a batch of an epoch, in all processes."""
        sampler = copy(self.sampler)
        sampler.set_epoch(epoch)
        step = self.batch_size * self._world_size
        return sampler.indices()[batch * step : (batch + 1) * step].tolist()
