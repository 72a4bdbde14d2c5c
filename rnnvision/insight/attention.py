"""Attention on the image: where a network looked, and the order in which it read.

Attention weights are a share of the states, not of the evidence: a state knows what was read before it.
"""

import math

import torch
from torch import Tensor, nn

from rnnvision.insight.gradients import scan_of
from rnnvision.nn.networks.encoder_decoder import EncoderDecoder
from rnnvision.nn.readout import Attention
from rnnvision.nn.scan import Scan


@torch.no_grad()
def attention_maps(network: nn.Module, images: Tensor) -> Tensor:
    """The attention weights on the image: (B, C, H, W) -> (B, K, H, W), K glimpses; 1 of `readout=attention`.

    Each pixel has the weight of its token (of ReNet: of its cell), in evaluation mode; a margin that is not read has 0.

    Raises:
        ValueError: for a network without attention.
    """
    mode = network.training
    network.eval()
    try:
        if isinstance(network, EncoderDecoder):
            return network.attention_maps(images)
        weights = _readout_weights(network, images)  # (B, T)
    finally:
        network.train(mode)
    scan = getattr(network, "scan", None)
    if isinstance(scan, Scan):
        return scan.inverse(weights.unsqueeze(-1).expand(-1, -1, scan.token_size))[:, :1]
    return _on_grid(weights, images.shape[2], images.shape[3])


def scan_path(network: nn.Module) -> Tensor:
    """The centre (row, column) of each token in the order of reading, in pixels, to draw on the image: (T, 2).

    Raises:
        ValueError: for a network that does not read an image as one sequence.
    """
    return scan_of(network).path().cpu()


def _readout_weights(network: nn.Module, images: Tensor) -> Tensor:
    readout = getattr(network, "readout", None)
    if not isinstance(readout, Attention):
        raise ValueError(
            f"network={type(network).__name__}: has no attention; what has it is model.readout=attention "
            "and model=encoder_decoder"
        )
    seen: list[Tensor] = []
    handle = readout.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        network(images)
    finally:
        handle.remove()
    return readout.weights(seen[0])


def _on_grid(weights: Tensor, height: int, width: int) -> Tensor:
    """The weights of square cells, row by row, on the pixels that they cover: (B, R * K) -> (B, 1, H, W)."""
    side = math.isqrt(height * width // weights.shape[1])
    rows, columns = height // side, width // side
    if rows * columns != weights.shape[1]:
        raise ValueError(f"images of {height} x {width}: {weights.shape[1]} states are no grid of squares on them")
    grid = weights.unflatten(1, (rows, columns)).unsqueeze(1)  # (B, 1, R, K)
    return grid.repeat_interleave(side, dim=2).repeat_interleave(side, dim=3)
