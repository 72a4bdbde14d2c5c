"""Tied dropout and stochastic depth."""

import torch
from torch import Tensor, nn


class TiedDropout(nn.Module):
    """Dropout with one mask for all time steps (Gal & Ghahramani 2016, arXiv 1512.05287): (B, T, D) -> (B, T, D)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        return x * nn.functional.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), self.p)


class DropPath(nn.Module):
    """Drop a residual branch in training, independently for each image (stochastic depth, arXiv 1603.09382).

    With probability `p` the branch of an image is zero; the others are divided by 1 - p.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        kept = torch.empty(len(x), *[1] * (x.ndim - 1), dtype=x.dtype, device=x.device).bernoulli_(1 - self.p)
        return x * kept / (1 - self.p)
