"""What an export is worth: how far its logits are from the checkpoint's, its accuracy, and how long an image takes."""

from collections.abc import Callable, Iterable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rnnvision.training.failures import finite

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

BATCHES = (1, 2, 17)


@torch.inference_mode()
def largest_difference(one: "Classifier", other: "Classifier", batches: Iterable[int] = BATCHES) -> tuple[float, float]:
    """The largest difference of the logits that two classifiers give to images of noise, and the largest logit."""
    random = torch.Generator().manual_seed(0)
    difference = largest = 0.0
    for size in batches:
        pixels = torch.randint(256, (size, *one.input_shape), dtype=torch.uint8, generator=random)
        first, second = (finite(c.network(c.preprocess(pixels)).float().cpu(), c.path) for c in (one, other))
        difference = max(difference, float((first - second).abs().max()))
        largest = max(largest, float(first.abs().max()))
    return difference, largest


@torch.inference_mode()
def accuracy(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, int]:
    """The share of images that a network classifies rightly, and how many there are."""
    right = images = 0
    for x, labels in batches:
        right += int((finite(network(x), "after quantisation").argmax(dim=-1) == labels).sum())
        images += len(labels)
    return right / images, images


@torch.inference_mode()
def latency(network: Callable[[Tensor], Tensor], image: Tensor, repeats: int = 200) -> float:
    """The median time of one image (1, C, H, W), in milliseconds, after a tenth as many that do not count."""
    taken = []
    for _ in range(repeats + repeats // 10):
        start = perf_counter()
        network(image)
        taken.append(perf_counter() - start)
    return 1000 * median(taken[repeats // 10 :])
