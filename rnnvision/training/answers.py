"""Answers: what a network said of each image of a split, kept for predictions.csv."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy


class Answer(NamedTuple):
    """One image.

    Attributes:
        truth, answer: classes.
        probability: of the answer.
        loss: -log of the probability of the truth, in nats.
        settled: the number of tokens after which the answer stayed the same; None where one pass does not tell.
    """

    truth: int
    answer: int
    probability: float
    loss: float
    settled: int | None


class Answers:
    """The answers to the images of a split, in their order; probabilities at `temperature`."""

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = temperature
        self._parts: list[tuple[Tensor, ...]] = []

    def add(self, logits: Tensor, labels: Tensor, settled: Tensor | None = None) -> None:
        """Add a batch: (B, K), (B,), (B,)."""
        scaled = logits / self.temperature
        probability, answer = scaled.softmax(dim=-1).max(dim=-1)
        loss = cross_entropy(scaled, labels, reduction="none")
        stays = torch.zeros_like(labels) if settled is None else settled
        self._parts.append(tuple(t.cpu() for t in (labels, answer, probability, loss, stays)))

    def __len__(self) -> int:
        return sum(len(part[0]) for part in self._parts)

    def __iter__(self) -> Iterator[Answer]:
        for part in self._parts:
            for truth, answer, probability, loss, settled in zip(*(t.tolist() for t in part), strict=True):
                yield Answer(truth, answer, probability, loss, settled or None)
