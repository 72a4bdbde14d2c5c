"""A split that fits in memory: uint8 tensors on the device, batches by index, normalised a batch at a time.

For 60,000 MNIST images this takes 0.1 s where a DataLoader over PIL pictures takes 6.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from rnnvision.data.splits import Split
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


class ResidentLoader:
    """Iterate over a split in batches of (images float32 (B, C, H, W), labels int64 (B,)).

    Args:
        split: the samples.
        batch_size: B of one process.
        mean, std: of each channel, pixels in [0, 1].
        seed: shuffles each epoch; None keeps the file order.
        device: where the split is kept and batches are made.
        rank, world_size: with several processes, each global batch of B * world_size samples is dealt out, so that all
            make the same number of steps. While training, a last batch with too few for all is left out.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        *,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.sampler = EpochOrder(len(split), seed)
        self.batch_size = batch_size
        self.batch_sampler = None  # Lightning looks for one
        self._images = split.images.to(device)
        self._labels = split.labels.to(device)
        channels = (1, len(mean), 1, 1)
        self._scale = (1 / (255 * torch.tensor(std, device=device))).reshape(channels)
        self._shift = -(torch.tensor(mean, device=device) / torch.tensor(std, device=device)).reshape(channels)
        self._rank, self._world_size = rank, world_size

    def __len__(self) -> int:
        size = len(self._labels)
        if self.sampler.seed is not None:
            return count_train_batches(size, self.batch_size, self._world_size)
        full, rest = divmod(size, self.batch_size * self._world_size)
        return full + (rest > self._rank)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.sampler.indices().to(self._labels.device)
        step = self.batch_size * self._world_size
        for batch in range(len(self)):
            index = order[batch * step : (batch + 1) * step][self._rank :: self._world_size]
            yield self._normalise(self._images[index]), self._labels[index]

    def _normalise(self, images: Tensor) -> Tensor:
        return images.float().mul_(self._scale).add_(self._shift)
