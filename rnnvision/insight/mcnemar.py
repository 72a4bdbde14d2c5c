"""McNemar's exact test: whether two classifiers differ on the same images. Standard library only."""

import math
from collections.abc import Sequence

from rnnvision.checks import at_least


def mcnemar_test(b: int, c: int) -> float:
    """p of the exact two-sided test (McNemar 1947, Psychometrika 12; exact: the binomial test of its discordant pairs).

        p = min(1, 2 * sum_{i=0}^{min(b, c)} C(n, i) / 2^n)      n = b + c

    b: images that only the first classifier has right; c: that only the second has right. If both are equally good,
    each of the n images is as likely to be one as the other; p is how often chance alone gives so uneven a split, or a
    more uneven one. What both have right, or both wrong, says nothing about a difference. Without any, p is 1.

    Examples:
        >>> mcnemar_test(1, 9)
        0.021484375
        >>> mcnemar_test(0, 0)
        1.0
    """
    at_least("b", b, 0)
    at_least("c", c, 0)
    n = b + c
    term, total = math.comb(n, min(b, c)), 0
    for i in range(min(b, c), -1, -1):
        total += term
        if term << 80 < total:  # what is left does not show in a float
            break
        term = term * i // (n - i + 1)  # C(n, i - 1)
    return min(1.0, 2 * total / 2**n)


def disagreements(truth: Sequence[object], first: Sequence[object], second: Sequence[object]) -> tuple[int, int]:
    """b and c of `mcnemar_test`: images that only the first, and that only the second classifier has right.

    Raises:
        ValueError: if the three differ in length.

    Examples:
        >>> disagreements(["cat", "dog", "owl"], ["cat", "cat", "owl"], ["dog", "dog", "owl"])
        (1, 1)
    """
    if not len(truth) == len(first) == len(second):
        raise ValueError(f"answers={len(first)} and {len(second)}: must both be as many as truth, {len(truth)}")
    right = [(t == a, t == b) for t, a, b in zip(truth, first, second, strict=True)]
    return right.count((True, False)), right.count((False, True))
