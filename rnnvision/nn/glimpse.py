"""Attention: the glimpses that a decoder takes at the states of an encoder.

Shapes: B images, T tokens, D features of a state, Q of a query, A of the space in which the two are compared.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Glimpse(nn.Module, ABC):
    """A mean of the states, weighted by how well each matches a query: a_t = softmax_t(e_t), c = sum_t a_t h_t.

    The scores e_t compare W q + b with U h_t. U h_t is the same for every query: `keys` computes it once per image.
    W, U and b have torch's initialisation.

    Args:
        query_size: Q.
        state_size: D.
        attention_size: A.
    """

    def __init__(self, query_size: int, state_size: int, attention_size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, attention_size)
        self.key = nn.Linear(state_size, attention_size, bias=False)

    def keys(self, states: Tensor) -> Tensor:
        """U h_t: (B, T, D) -> (B, T, A)."""
        return self.key(states)

    @abstractmethod
    def scores(self, keys: Tensor, query: Tensor) -> Tensor:
        """e_t: (B, T, A) and (B, A), which is W q + b, -> (B, T)."""

    def forward(self, states: Tensor, keys: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
        """One glimpse: states (B, T, D), their keys (B, T, A) and a query (B, Q) -> c (B, D) and a (B, T)."""
        weights = self.scores(keys, self.query(query)).softmax(dim=1)
        return torch.einsum("bt,btd->bd", weights, states), weights


class AdditiveGlimpse(Glimpse):
    """e_t = v . tanh(W q + U h_t + b) (Bahdanau et al. 2015, arXiv 1409.0473, appendix A.1.2)."""

    def __init__(self, query_size: int, state_size: int, attention_size: int) -> None:
        super().__init__(query_size, state_size, attention_size)
        self.score = nn.Linear(attention_size, 1, bias=False)

    def scores(self, keys: Tensor, query: Tensor) -> Tensor:
        return self.score(torch.tanh(keys + query.unsqueeze(1))).squeeze(-1)


class DotGlimpse(Glimpse):
    """e_t = (W q + b) . U h_t / sqrt(A) (Vaswani et al. 2017, arXiv 1706.03762, one head)."""

    def scores(self, keys: Tensor, query: Tensor) -> Tensor:
        return torch.einsum("bta,ba->bt", keys, query) / math.sqrt(query.shape[-1])


ATTENTIONS: dict[str, type[Glimpse]] = {"additive": AdditiveGlimpse, "dot": DotGlimpse}
