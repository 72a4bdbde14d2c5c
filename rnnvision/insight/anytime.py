"""Anytime accuracy: the accuracy of a network after each token."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

CHUNK = 100  # images at once: an attention readout keeps T x T weights of each


def anytime_accuracy(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Accuracy of `forward_anytime` after each token: batches of (B, C, H, W), (B,) -> (T,).

    The mean of the result is the anytime area: 1 for a network that is right from its first token on.

    Raises:
        ValueError: if there is no image.
    """
    device = next(network.parameters()).device
    network.eval()
    correct, count = torch.zeros(1, dtype=torch.float64), 0
    for images, labels in batches:
        for some, truth in zip(images.split(CHUNK), labels.split(CHUNK), strict=True):
            with torch.inference_mode():
                said = cast(Any, network).forward_anytime(some.to(device)).argmax(dim=-1).cpu()  # (B, T)
            correct = correct + (said == truth.cpu().unsqueeze(1)).sum(dim=0)
            count += len(truth)
    if not count:
        raise ValueError("batches=[]: there is no image to look at")
    return correct / count
