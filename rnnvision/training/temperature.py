"""Temperature: one number that makes the probabilities of a trained network mean what they say."""

from torch import Tensor
from torch.nn.functional import cross_entropy

RANGE = (0.01, 100.0)  # of 1 / T
STEPS = 50


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
