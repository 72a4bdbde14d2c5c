"""Reliability: whether answers of probability p are right in a share p of cases. Standard library only."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from rnnvision.checks import at_least


@dataclass(frozen=True)
class Bin:
    """The answers whose probability lies in [low, high), of the last bin in [low, high].

    Attributes:
        confidence: their mean probability; None without any.
        accuracy: the share that is right; None without any.
        count: how many there are.
    """

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    count: int


def reliability_bins(confidences: Sequence[float], right: Sequence[bool], bins: int = 15) -> list[Bin]:
    """The reliability diagram: answers by their probability, in bins of equal width (Guo et al., arXiv 1706.04599).

    Args:
        confidences: the probability of each answer.
        right: whether each answer is right.
        bins: how many.

    Examples:
        >>> reliability_bins([0.6, 0.9, 1.0], [False, True, True], bins=2)[1]
        Bin(low=0.5, high=1.0, confidence=0.8333333333333334, accuracy=0.6666666666666666, count=3)
    """
    groups = _groups(confidences, right, bins)
    return [_bin(i / bins, (i + 1) / bins, group) for i, group in enumerate(groups)]


def calibration_error(confidences: Sequence[float], right: Sequence[bool], bins: int = 15) -> float:
    """The expected calibration error, with the names of `reliability_bins`:

        ECE = sum_bins count / N * |accuracy - confidence|

    The figure that a run gives as `test/ece`. (torchmetrics has a bin more, for probabilities of exactly 1.)

    Raises:
        ValueError: without answers, for a probability outside [0, 1], or if the two lists differ in length.

    Examples:
        >>> calibration_error([0.5, 0.75, 0.75, 1.0], [True, True, False, True])
        0.25
    """
    groups = _groups(confidences, right, bins)
    if not confidences:
        raise ValueError("confidences=[]: there is no answer to look at")
    return sum(abs(sum(ok for _, ok in group) - sum(p for p, _ in group)) for group in groups) / len(confidences)


def _groups(confidences: Sequence[float], right: Sequence[bool], bins: int) -> list[list[tuple[float, bool]]]:
    """(probability, right) by bin; a probability of 1 is in the last one."""
    at_least("bins", bins, 1)
    if len(confidences) != len(right):
        raise ValueError(f"right={len(right)} answers: must be as many as confidences, {len(confidences)}")
    edges = [i / bins for i in range(1, bins)]
    groups: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for p, ok in zip(confidences, right, strict=True):
        if not 0 <= p <= 1:
            raise ValueError(f"confidences={p}: must be probabilities from 0 to 1")
        groups[bisect_right(edges, p)].append((p, ok))
    return groups


def _bin(low: float, high: float, group: list[tuple[float, bool]]) -> Bin:
    count = len(group)
    if not count:
        return Bin(low, high, None, None, 0)
    return Bin(low, high, sum(p for p, _ in group) / count, sum(ok for _, ok in group) / count, count)
