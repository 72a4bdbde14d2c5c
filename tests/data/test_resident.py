"""The loader of a split in memory: every sample once an epoch, in an order that only (seed, epoch) decides."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.data import Split
from rnnvision.data.augment import BatchTransform
from rnnvision.data.loader import EpochOrder
from rnnvision.data.resident import ResidentLoader

MEAN, STD = (0.2, 0.5, 0.7), (0.1, 0.3, 0.5)
SIZES = [1, 2, 3, 5, 7, 8, 9, 16, 17]


def make_split(size: int) -> Split:
    """The label of a sample is its index."""
    images = torch.randint(256, (size, 3, 4, 5), generator=torch.Generator().manual_seed(0)).byte()
    return Split(images, torch.arange(size))


def loader(size: int = 17, batch_size: int = 4, **options: Any) -> ResidentLoader:
    return ResidentLoader(make_split(size), batch_size, BatchTransform(MEAN, STD), **options)


def labels(loader: ResidentLoader, epoch: int = 0) -> list[list[int]]:
    loader.sampler.set_epoch(epoch)
    return [batch.tolist() for _, batch in loader]


def together(parts: list[list[list[int]]]) -> list[int]:
    return sorted(label for part in parts for batch in part for label in batch)


def plainly_normalised(images: Tensor) -> Tensor:
    channels = [(images[:, c].double() / 255 - MEAN[c]) / STD[c] for c in range(3)]
    return torch.stack(channels, dim=1)


def test_a_batch_is_normalised_by_channel() -> None:
    split = make_split(17)
    images = torch.cat([batch for batch, _ in loader()])
    assert images.dtype == torch.float32
    torch.testing.assert_close(images.double(), plainly_normalised(split.images), rtol=1e-5, atol=2e-6)
    assert torch.equal(split.images, make_split(17).images)


def test_images_and_labels_stay_together_when_shuffled() -> None:
    expected = plainly_normalised(make_split(17).images)
    for images, index in loader(seed=3):
        torch.testing.assert_close(images.double(), expected[index], rtol=1e-5, atol=2e-6)


# Order ----------------------------------------------------------------------------------------------------------------


def test_the_order_is_that_of_the_file_without_a_seed() -> None:
    made = loader(10, 4)
    assert labels(made) == labels(made, epoch=1) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    one = loader(50, 4, seed=7)
    labels(one, epoch=5)  # an epoch read before, and numbers drawn by others, change nothing
    torch.manual_seed(123)
    torch.rand(3)
    assert labels(one, epoch=2) == labels(loader(50, 4, seed=7), epoch=2)
    orders = {tuple(EpochOrder(50, seed).indices().tolist()) for seed in range(4)}
    order = EpochOrder(50, 7)
    for epoch in range(4):
        order.set_epoch(epoch)
        orders.add(tuple(order.indices().tolist()))
    assert len(orders) == 8


def test_reading_an_epoch_leaves_the_generator_of_torch_alone() -> None:
    before = torch.get_rng_state()
    labels(loader(seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_order_does_not_favour_the_file() -> None:
    order = EpochOrder(1000, 0).indices().float()
    assert torch.corrcoef(torch.stack([order, torch.arange(1000.0)]))[0, 1].abs() < 0.1


def test_a_changed_batch_size_deals_out_the_same_order() -> None:
    one, other = (sum(labels(loader(24, size, seed=1)), []) for size in (4, 6))  # noqa: RUF017 (a few numbers)
    assert one == other


# Batches --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", [None, 0])
def test_every_sample_comes_exactly_once_an_epoch(size: int, seed: int | None) -> None:
    for epoch in range(3):
        batches = labels(loader(size, 4, seed=seed), epoch)
        assert together([batches]) == list(range(size))
        assert [len(batch) for batch in batches[:-1]] == [4] * (len(batches) - 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("seed", [None, 0])
def test_the_length_is_the_number_of_batches(size: int, batch_size: int, world_size: int, seed: int | None) -> None:
    for rank in range(world_size):
        made = loader(size, batch_size, seed=seed, rank=rank, world_size=world_size)
        batches = labels(made)
        assert len(made) == len(batches)
        assert all(0 < len(batch) <= batch_size for batch in batches)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_train_on_parts_of_the_whole_in_equally_many_steps(size: int, world_size: int) -> None:
    parts = [labels(loader(size, 2, seed=0, rank=r, world_size=world_size), epoch=1) for r in range(world_size)]
    seen = together(parts)
    assert len(set(seen)) == len(seen)
    assert size - len(seen) <= world_size - 1
    assert len({len(part) for part in parts}) == 1
    order = sum(labels(loader(size, 2, seed=0), epoch=1), [])  # noqa: RUF017 (a few numbers)
    assert seen == sorted(order[: len(seen)])  # what is left out is the end of the epoch


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_judge_on_parts_that_are_the_whole(size: int, world_size: int) -> None:
    parts = [labels(loader(size, 2, rank=r, world_size=world_size)) for r in range(world_size)]
    assert together(parts) == list(range(size))
    counts = [len(part) for part in parts]
    assert max(counts) - min(counts) <= 1
