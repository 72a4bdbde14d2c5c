"""Saliency: which pixels an answer depends on, as maps (B, H, W) over the image.

Images are normalised, as the network reads them: `classifier.preprocess(pixels)`. Each function explains one class of
each image, `classes` (B,), by default the likeliest, by a score S of it: `of="logit"`, S = z_c, or
`of="log_probability"`, S = log softmax(z)_c, which also says what speaks against the other classes.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, one_of
from rnnvision.insight.gradients import differentiable, logit_gradient
from rnnvision.nn.layers.chunked import wide

SCORES: dict[str, Callable[[Tensor], Tensor]] = {  # logits (B, K) -> what is explained
    "logit": lambda logits: logits,
    "log_probability": lambda logits: logits.log_softmax(dim=1),
}


def gradient_saliency(
    network: nn.Module, images: Tensor, classes: Tensor | None = None, *, of: str = "logit"
) -> Tensor:
    """max_channel |dS / dx|, which pixels change the score most: (B, C, H, W) -> (B, H, W), at least 0.

    Simonyan et al. 2014, arXiv 1312.6034.
    """
    one_of("of", of, SCORES)
    return logit_gradient(network, images, classes, of=SCORES[of]).abs().amax(dim=1)


def input_times_gradient(
    network: nn.Module, images: Tensor, classes: Tensor | None = None, *, of: str = "logit"
) -> Tensor:
    """sum_channel x * dS / dx, positive where a pixel speaks for the class: (B, C, H, W) -> (B, H, W).

    Shrikumar et al. 2016, arXiv 1605.01713. The maps of a linear network without bias sum to S.
    """
    one_of("of", of, SCORES)
    return (images * logit_gradient(network, images, classes, of=SCORES[of])).sum(dim=1)


def integrated_gradients(
    network: nn.Module,
    images: Tensor,
    classes: Tensor | None = None,
    *,
    of: str = "logit",
    baseline: Tensor | float = 0.0,
    steps: int = 64,
) -> Tensor:
    """The gradient along the straight path from a baseline to the image: (B, C, H, W) -> (B, H, W).

        IG = sum_channel (x - b) * mean_{k=1}^{steps} dS / dx at b + (k - 1/2) / steps * (x - b)

    Sundararajan et al. 2017, arXiv 1703.01365, by the midpoint rule. Complete: a map sums to S(x) - S(b) up to the
    error of that rule, which falls with `steps` (points on the path); compare the two (`completeness_gap`) before
    trusting a map. The baseline b is what counts as no image: a number or a tensor that broadcasts to the images,
    normalised like them; 0 is the mean colour of the training images.
    """
    one_of("of", of, SCORES)
    at_least("steps", steps, 1)
    start = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images)
    chosen = _classes(network, images, classes)
    total = torch.zeros_like(images)
    for k in range(steps):
        point = start + (k + 0.5) / steps * (images - start)
        total += logit_gradient(network, point, chosen, of=SCORES[of])
    return ((images - start) * total / steps).sum(dim=1)


def completeness_gap(
    network: nn.Module,
    images: Tensor,
    maps: Tensor,
    classes: Tensor | None = None,
    *,
    of: str = "logit",
    baseline: Tensor | float = 0.0,
) -> Tensor:
    """How far maps of `integrated_gradients`, of the same arguments, are from complete: (B,), of each image

    |sum of its map - (S(x) - S(b))| / max(|S(x) - S(b)|, 1e-6)
    """
    one_of("of", of, SCORES)
    start = torch.as_tensor(baseline, dtype=images.dtype, device=images.device).expand_as(images)
    chosen = _classes(network, images, classes).unsqueeze(1)
    with differentiable(network), torch.no_grad():
        there, here = (SCORES[of](wide(network(x))).gather(1, chosen).squeeze(1) for x in (images, start))
    return (maps.sum(dim=(1, 2)) - (there - here)).abs() / (there - here).abs().clamp_min(1e-6)


def _classes(network: nn.Module, images: Tensor, classes: Tensor | None) -> Tensor:
    """`classes`, or the likeliest one of each image."""
    if classes is not None:
        return classes.to(images.device)
    with differentiable(network), torch.no_grad():
        return network(images).argmax(dim=1)
