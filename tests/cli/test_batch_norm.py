"""Batch norm takes its statistics over the images of a batch: it never gets a batch of one while training."""

from pathlib import Path

import pytest
import torch

from rnnvision.data import ImageData
from rnnvision.data.loader import count_train_batches
from rnnvision.runs import Run
from tests.cli.frame.test_messages import _check
from tests.cli.running import Verb

SMALL = ("data=fake", "data.image_shape=[1,8,8]", "data.num_test=5", "data.val_fraction=0.2", "data.batch_size=8")
RUN = (*SMALL, "device=cpu", "trainer.max_epochs=1", "hydra.run.dir=run")


@pytest.mark.parametrize("model", ["resnet18", "cnn"])
@pytest.mark.parametrize("format", ["resident", "streaming"])
def test_a_last_batch_of_one_image_is_left_out(verb: Verb, model: str, format: str) -> None:
    options = (f"data.format={format}", "data.num_workers=0", "data.num_train=11")  # 9 and 2 for validation
    result = verb("train", f"model={model}", *RUN, *options)
    assert result.code == 0, result.err
    checkpoint = torch.load("run/checkpoints/last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 1
    assert all(bool(weight.isfinite().all()) for weight in checkpoint["state_dict"].values())
    assert {"train/loss", "test/accuracy"} <= Run(Path("run")).metrics.keys()


@pytest.mark.parametrize(("model", "steps"), [("lstm", 2), ("resnet18", 2)])
def test_other_last_batches_and_other_networks_keep_them(verb: Verb, model: str, steps: int) -> None:
    samples = 11 if model == "lstm" else 12  # one or two images are left over
    result = verb("train", f"model={model}", *RUN, f"data.num_train={samples}")
    assert result.code == 0, result.err
    assert torch.load("run/checkpoints/last.ckpt", weights_only=True)["global_step"] == steps


@pytest.mark.parametrize("word", ["data.batch_size=1", "data.max_train_samples=1"])
def test_a_training_of_single_images_is_refused(verb: Verb, word: str) -> None:
    _check(verb("train", "model=resnet18", *RUN, word), 2, word, "batch norm", "at least 2")
    assert verb("train", "model=lstm", *RUN, "trainer.limit_train_batches=1", word).code == 0


@pytest.mark.usefixtures("_quick_benchmark")
def test_a_benchmark_leaves_out_what_cannot_be_trained(verb: Verb) -> None:
    quick = ("batch_sizes=[1,2]", "rounds=1", "latency_rounds=1", "input_shape=[1,8,8]", "device=cpu")
    result = verb("benchmark", "model=resnet18", *quick)
    assert result.code == 0, result.err
    metrics = Run(Path("logs/benchmark/latest")).metrics
    assert "train/samples_per_second/1" not in metrics
    assert {"inference/samples_per_second/1", "train/samples_per_second/2"} <= metrics.keys()


@pytest.mark.parametrize("samples", range(1, 30))
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_the_batches_that_are_counted_are_those_that_come(samples: int, world_size: int) -> None:
    data = ImageData("fake", num_train=40, val_fraction=0.1, max_train_samples=samples, batch_size=4)
    for smallest in (1, 2):
        data.smallest_batch = smallest
        sizes = []
        for rank in range(world_size):
            loader = data.train_dataloader()
            loader._rank, loader._world_size = rank, world_size
            sizes.append([len(indices) for indices in loader.batches(loader.sampler.indices())])
        counted = count_train_batches(samples, 4, world_size, smallest)
        assert [len(each) for each in sizes] == [counted] * world_size
        assert all(size >= smallest for each in sizes for size in each)
        assert sum(map(sum, sizes)) > samples - smallest * world_size
