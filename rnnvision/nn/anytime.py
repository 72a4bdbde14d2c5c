"""Anytime answers: those that a network gives after each token, in pieces that fit in memory.

Shapes: B images, T tokens, K classes.
"""

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn

LARGEST = 2**25  # logits of all tokens that are held at a time: 128 MB


def tokens_until_settled(answers: Tensor) -> Tensor:
    """The number of tokens after which the answer stayed what it is at the end: (..., T) classes -> (...), 1 to T.

    Examples:
        >>> tokens_until_settled(torch.tensor([[3, 5, 5], [5, 3, 5], [5, 5, 5]]))
        tensor([2, 3, 1])
    """
    other = answers != answers[..., -1:]  # (..., T)
    return (other * torch.arange(1, answers.shape[-1] + 1, device=answers.device)).amax(dim=-1) + 1


def answers_in_one_pass(network: nn.Module) -> bool:
    """Whether a single pass gives the answers after all tokens, by `forward_with_anytime`.

    That is not so of a network that reads in two directions, or reads no sequence; one of a plugin need not say.
    """
    return getattr(network, "is_causal", False) and hasattr(network, "forward_with_anytime")


def images_at_once(network: nn.Module) -> int:
    """So many images that the logits of all their tokens are at most `LARGEST`, and at least one."""
    scan, classes = getattr(network, "scan", None), getattr(getattr(network, "head", None), "out_features", 1)
    return max(1, LARGEST // ((scan.num_tokens if scan is not None else 1) * max(classes, 64)))


def anytime_logits(network: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """The logits after each token, some images at a time: (B, C, H, W) -> (b, T, K), and again."""
    for part in images.split(images_at_once(network)):
        yield cast(Any, network).forward_anytime(part)


def forward_with_settled(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Logits (B, K) as `forward` gives them, and after how many tokens each image's answer stayed: (B,).

    None in place of these numbers where a single pass does not give them, see `answers_in_one_pass`.
    """
    net = cast(Any, network)
    if not answers_in_one_pass(network):
        return net(images), None
    found = []
    for part in images.split(images_at_once(network)):
        logits, anytime = net.forward_with_anytime(part)  # (b, K), (b, T, K)
        found.append((logits, tokens_until_settled(anytime.argmax(dim=-1))))
    return torch.cat([logits for logits, _ in found]), torch.cat([settled for _, settled in found])
