"""Balanced sampling: each class equally often, in an order that follows from (seed, epoch), however it is served."""

from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.data import Augmentation, ImageData, Split
from rnnvision.data.augment import BatchTransform
from rnnvision.data.loader import SHARDS_AT_ONCE, EpochOrder, Loader
from rnnvision.data.resident import ResidentLoader
from rnnvision.data.streaming import StreamingLoader

COUNTS = {0: 600, 1: 150, 3: 30, 4: 5}  # a long tail, and a class that has no image
LABELS = torch.cat([torch.full((count,), label) for label, count in COUNTS.items()])
LABELS = LABELS[torch.randperm(len(LABELS), generator=torch.Generator().manual_seed(1))]
SPLIT = Split(torch.arange(len(LABELS) * 192).remainder(251).to(torch.uint8).reshape(-1, 3, 8, 8), LABELS)


def drawn(epochs: int, **arguments: Any) -> list[Tensor]:
    order = EpochOrder(len(LABELS), 3, balance=LABELS, **arguments)
    found = []
    for epoch in range(epochs):
        order.set_epoch(epoch)
        found.append(order.indices())
    return found


def test_each_class_is_drawn_equally_often_and_so_is_each_image_of_a_class() -> None:
    epochs = 200
    index = torch.cat(drawn(epochs))
    assert len(index) == epochs * len(LABELS)
    shares = torch.bincount(LABELS[index], minlength=5) / len(index)
    expected = torch.tensor([0.25, 0.25, 0.0, 0.25, 0.25])
    assert torch.allclose(shares, expected, atol=0.005)  # some five standard deviations
    times = torch.bincount(index, minlength=len(LABELS)).double()
    for label, count in COUNTS.items():
        mean = len(index) / 4 / count
        assert ((times[label == LABELS] - mean).abs() < 6 * mean**0.5).all()
        assert times[label == LABELS].std() < 1.5 * mean**0.5


def test_the_order_is_a_pure_function_of_seed_and_epoch() -> None:
    once, again = drawn(3), drawn(3)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    assert not torch.equal(once[0], once[1])
    resumed = EpochOrder(len(LABELS), 3, balance=LABELS)
    resumed.set_epoch(2)
    assert torch.equal(resumed.indices(), once[2])
    other = EpochOrder(len(LABELS), 4, balance=LABELS)
    assert not torch.equal(other.indices(), once[0])


def test_shards_are_still_read_in_stretches() -> None:
    shard_of = torch.arange(len(LABELS)) // 4
    order = drawn(1, shard_of=shard_of)[0]
    counts = torch.bincount(LABELS[order], minlength=5)
    assert torch.equal(counts, torch.bincount(LABELS[drawn(1)[0]], minlength=5))  # the same draws
    first = [int(shard) for shard in torch.unique(shard_of[order[: len(order) // 20]])]
    assert len(first) <= SHARDS_AT_ONCE


def transform(augmentation: Augmentation) -> BatchTransform:
    return BatchTransform((0.0,) * 3, (1.0,) * 3, augmentation=augmentation, size=len(LABELS), seed=3, num_classes=5)


def resident(augmentation: Augmentation, **options: Any) -> ResidentLoader:
    return ResidentLoader(SPLIT, 16, transform(augmentation), seed=3, balance=LABELS, **options)


def streaming(augmentation: Augmentation, **options: Any) -> StreamingLoader:
    def stop(first: str) -> Any:
        raise AssertionError(first)

    own = {"augmentation": augmentation, "stop": stop}
    return StreamingLoader(SPLIT, 16, transform(augmentation), seed=3, balance=LABELS, **own, **options)


def together(loader: Loader, epoch: int = 0) -> tuple[Tensor, Tensor]:
    loader.sampler.set_epoch(epoch)
    images, labels = zip(*loader, strict=True)
    return torch.cat(images), torch.cat(labels)


@pytest.mark.parametrize("workers", [0, 2])
def test_resident_and_streamed_epochs_are_the_same(workers: int) -> None:
    augmentation = Augmentation(flip=0.5, shift=1, erase=0.5)
    one, other = resident(augmentation), streaming(augmentation, num_workers=workers)
    for epoch in range(2):
        for a, b in zip(together(one, epoch), together(other, epoch), strict=True):
            assert torch.equal(a, b)
    other.close()


def test_two_processes_share_the_draws() -> None:
    whole = together(resident(Augmentation()))[1]
    parts = [together(resident(Augmentation(), rank=rank, world_size=2))[1] for rank in (0, 1)]
    assert abs(len(parts[0]) - len(parts[1])) <= 1
    assert torch.equal(torch.bincount(torch.cat(parts)), torch.bincount(whole))


@pytest.mark.parametrize("serve", [resident, streaming])
def test_an_image_that_is_drawn_twice_is_augmented_in_two_ways(serve: Any) -> None:
    """By what is drawn for whole batches, and by what is drawn for each image in the workers."""
    augmentations = [Augmentation(rotate=30.0), Augmentation(erase=1.0)]
    augmentations += [Augmentation(crop=0.3)] if serve is streaming else []
    for augmentation in augmentations:
        loader = serve(augmentation)
        images, _ = together(loader)
        order = loader.sampler.indices()
        places = (order == torch.mode(order).values).nonzero().squeeze(1)
        assert len(places) > 10
        assert len(torch.unique(images[places].flatten(1), dim=0)) > 0.7 * len(places)  # few boxes fit in 8 x 8


def test_only_training_is_balanced() -> None:
    data = ImageData("digits", sampler="balanced", seed=3)
    counts = torch.bincount(torch.cat([labels for _, labels in data.train_dataloader()]))
    assert int(counts.sum()) == len(data.splits.train)
    assert not torch.equal(counts, torch.bincount(data.splits.train.labels))
    for loader, split in ((data.val_dataloader(), data.val_split), (data.test_dataloader(), data.splits.test)):
        assert torch.equal(torch.cat([labels for _, labels in loader]), split.labels)
    assert "sampler" not in data.describe()  # it says nothing of what is evaluated


def test_an_unknown_sampler_is_told() -> None:
    with pytest.raises(
        ValueError, match=r"^sampler=balance: choose one of shuffle, balanced; did you mean balanced\?$"
    ):
        ImageData("digits", sampler="balance")
