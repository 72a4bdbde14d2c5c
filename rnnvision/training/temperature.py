"""Temperature: one number that makes the probabilities of a trained network mean what they say."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnvision.nn.anytime import answers_in_one_pass, anytime_logits

RANGE = (0.01, 100.0)  # of 1 / T
STEPS = 50
IMAGES, LOGITS, POINTS = 2000, 400_000, 32  # that temperatures after tokens are fitted on, at most: seconds


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The T > 0 for which softmax(logits / T) has the smallest cross-entropy: (N, K), (N,) -> T.

    Guo et al. 2017, "On calibration of modern neural networks" (arXiv 1706.04599). The answers stay the same. The
    labels count as if one image more had been answered by chance (Platt 1999): else a network that is right on all N
    images would become as sure as it can.

    The loss is convex in 1 / T; Newton's method, with steps that are halved until it falls.

    Raises:
        ValueError: if there is no image, or a logit is not finite.
    """
    if not len(labels):
        raise ValueError("logits: there is no image to fit a temperature on")
    if not bool(logits.isfinite().all()):
        raise ValueError("logits: must be finite")
    z = logits.detach().float()
    z = z - z.mean(dim=1, keepdim=True)  # (N, K)
    chance = 1 / (len(labels) + 1)
    target = (1 - chance) * z.gather(1, labels[:, None]).squeeze(1).double().mean()  # of chance the mean logit is 0

    def loss(b: float) -> float:
        return float(cross_entropy(b * z, labels, label_smoothing=chance).double())

    b = 1.0
    before = loss(b)
    for _ in range(STEPS):
        p = (b * z).softmax(dim=1)
        expected = (p * z).sum(dim=1)
        slope = float(expected.double().mean() - target)
        curvature = float(((p * z.square()).sum(dim=1) - expected.square()).double().mean())
        step = -slope / max(curvature, 1e-12)
        while abs(step) > 1e-6 * b:
            tried = min(max(b + step, RANGE[0]), RANGE[1])
            if (after := loss(tried)) < before:
                break
            step /= 2
        else:
            break
        b, before = tried, after
    return 1 / b


class Calibration:
    """What a network says of the validation images, and the temperatures at which that means what it says.

    Of a causal network also the temperature after each token, at first far from the last: before it has seen much, a
    network that was trained on its last answer alone is sure of what it cannot know.
    """

    def __init__(self) -> None:
        self._last: list[tuple[Tensor, Tensor]] = []
        self._anytime: list[Tensor] = []
        self._tokens: Tensor | None = None  # those at which the others' temperatures are interpolated
        self._total = 0

    def add(self, network: nn.Module, images: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add a batch: (B, C, H, W), (B, K), (B,)."""
        seen = sum(len(labels) for _, labels in self._last)
        self._last.append((logits.cpu(), labels.cpu()))
        wanted = min(IMAGES, max(1, LOGITS // logits.shape[1])) - seen
        if wanted > 0 and answers_in_one_pass(network):
            self._anytime += [self._some(part) for part in anytime_logits(network, images[:wanted])]

    def _some(self, logits: Tensor) -> Tensor:
        """The logits after some of the tokens: (b, T, K) -> (b, at most POINTS, K)."""
        self._total = logits.shape[1]
        self._tokens = torch.linspace(0, self._total - 1, min(POINTS, self._total)).round().long()
        return logits[:, self._tokens.to(logits.device)].float().cpu()

    def fit(self) -> dict[str, Any]:
        """`temperature`, and of a causal network `temperatures` (T) after each token; {} if they cannot be known."""
        if not self._last:
            return {}
        logits, labels = (torch.cat(parts) for parts in zip(*self._last, strict=True))
        if not bool(logits.isfinite().all()):
            return {}
        found: dict[str, Any] = {"temperature": fit_temperature(logits, labels)}
        if self._tokens is not None and bool((anytime := torch.cat(self._anytime)).isfinite().all()):  # (N, points, K)
            fitted = [fit_temperature(at, labels[: len(at)]) for at in anytime.unbind(1)]
            fitted[-1] = found["temperature"]
            found["temperatures"] = _interpolated(self._tokens.tolist(), fitted, self._total)
        return found


def _interpolated(tokens: list[int], temperatures: list[float], total: int) -> list[float]:
    """The temperature after each of `total` tokens, from those after some: linear in between on a logarithmic scale."""
    found = []
    for t in range(total):
        k = max(i for i, token in enumerate(tokens) if token <= t)
        share = 0.0 if tokens[k] == t else (t - tokens[k]) / (tokens[k + 1] - tokens[k])
        after = temperatures[min(k + 1, len(tokens) - 1)]
        found.append(math.exp((1 - share) * math.log(temperatures[k]) + share * math.log(after)))
    return found
