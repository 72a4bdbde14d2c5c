"""Anytime answers: what a network knows after each token, when its answer is settled, and what stopping early costs.

Shapes: B images, T tokens (of an encoder-decoder: glimpses), K classes. `forward_anytime` gives the logits (B, T, K)
after each token; of a network that reads in one direction, in one pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, number, positive
from rnnvision.nn.anytime import images_at_once, tokens_until_settled

CHUNK = 100  # images at once: an attention readout keeps T x T weights of each
BINS = 15  # of the calibration error


@dataclass(frozen=True)
class AnytimeCurve:
    """The quality of the answers after each token: each (T,), float64, on the CPU.

    Attributes:
        share: t / T, the share of the tokens read.
        accuracy: the share of images whose likeliest class is the true one.
        nll: mean of -log p(truth), in nats.
        ece: expected calibration error, over 15 bins as in `rnnvision.insight.reliability`.
    """

    share: Tensor
    accuracy: Tensor
    nll: Tensor
    ece: Tensor

    @property
    def area(self) -> float:
        """The mean accuracy over the tokens: 1 for a network that is right from its first token on."""
        return float(self.accuracy.mean())


def anytime_curve(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], temperature: float | Tensor = 1.0
) -> AnytimeCurve:
    """Accuracy, NLL and calibration error after each token: batches of (B, C, H, W), (B,).

    p_t = softmax(z_t / temperature), z_t the logits after token t; (T,) temperatures are those after each token.

    Raises:
        ValueError: if there is no image, the network has no anytime answers, or the temperature is not above 0.
    """
    scale = torch.as_tensor(temperature, dtype=torch.float32).reshape(-1, 1)  # (T or 1, 1)
    positive("temperature", float(scale.min()))
    if not hasattr(network, "forward_anytime"):
        raise ValueError(f"network={type(network).__name__}: answers only at the end; it has no forward_anytime")
    device = next(network.parameters()).device
    network.eval()
    chunk = min(CHUNK, images_at_once(network))
    correct, loss, bins, count = (torch.zeros(1, dtype=torch.float64) for _ in range(4))
    for images, labels in batches:
        for some, truth in zip(images.split(chunk), labels.split(chunk), strict=True):
            with torch.inference_mode():
                logits = cast(Any, network).forward_anytime(some.to(device)).float().cpu()  # (B, T, K)
            log_p = (logits / scale).log_softmax(dim=-1)
            right = log_p.argmax(dim=-1) == truth.cpu().unsqueeze(1)  # (B, T)
            of_truth = log_p.gather(-1, truth.cpu()[:, None, None].expand(-1, log_p.shape[1], 1)).squeeze(-1)
            correct = correct + right.sum(dim=0)
            loss = loss - of_truth.double().sum(dim=0)
            bins = bins + _gaps(log_p.amax(dim=-1).exp(), right)
            count += len(truth)
    if not count:
        raise ValueError("batches=[]: there is no image to look at")
    tokens = len(correct)
    share = torch.arange(1, tokens + 1, dtype=torch.float64) / tokens
    return AnytimeCurve(share, correct / count, loss / count, bins.abs().sum(dim=1) / count)


def settled_after(anytime: Tensor) -> Tensor:
    """The number of tokens after which the answer stayed the same: logits or probabilities (B, T, K) -> (B,), 1 to T.

        settled = min {s: argmax a_t = argmax a_T for all t >= s}

    Examples:
        >>> answers = torch.tensor([[2, 1, 2, 2], [0, 0, 0, 0], [0, 0, 0, 1]])  # (B, T)
        >>> settled_after(nn.functional.one_hot(answers, 3))
        tensor([3, 1, 4])
    """
    _check_anytime(anytime)
    return tokens_until_settled(anytime.argmax(dim=-1))


@dataclass(frozen=True)
class Stop:
    """What was read, and answered, by a reader who stops when sure.

    Attributes:
        answers: the class, (B,).
        tokens: how many were read, (B,), from 1 to T.
        saved: the share of all tokens that was not read, 1 - mean(tokens) / T.
    """

    answers: Tensor
    tokens: Tensor
    saved: float


def stop_when_sure(probabilities: Tensor, threshold: float, patience: int = 1) -> Stop:
    """Read each image only until its likeliest class has p >= threshold: probabilities (B, T, K) after each token.

        tokens = min {t: p_s(k) >= threshold, k the likeliest class, for each of the tokens s = t - patience + 1 ... t}

    or T where there is no such t; the answer is the likeliest class then. A belief that has just risen to a threshold
    is wrong more often than one that stays there: hence the patience (Zhou et al. 2020, arXiv 2006.04152).

    To choose a threshold, compare the accuracy of the answers over several (`(stop.answers == labels).mean()`).

    Examples:
        >>> p = torch.tensor([[[0.6, 0.4], [0.1, 0.9]], [[0.5, 0.5], [0.6, 0.4]]])  # (B, T, K)
        >>> stop_when_sure(p, 0.6)
        Stop(answers=tensor([0, 0]), tokens=tensor([1, 2]), saved=0.25)
    """
    _check_anytime(probabilities)
    number("threshold", threshold, 1.0)
    at_least("patience", patience, 1)
    surest, answers = probabilities.max(dim=-1)  # (B, T)
    tokens = probabilities.shape[1]
    run = torch.zeros_like(answers)  # for how many tokens the network has been sure of the same answer
    for t in range(tokens):
        before = run[:, t - 1] * (answers[:, t] == answers[:, t - 1]) if t else run[:, 0]
        run[:, t] = (before + 1) * (surest[:, t] >= threshold)
    enough = run >= patience
    enough[:, -1] = True  # there is nothing left to read
    first = enough.int().argmax(dim=1)  # (B,) the first of the largest
    read = first + 1
    return Stop(answers.gather(1, first.unsqueeze(1)).squeeze(1), read, 1 - float(read.double().mean()) / tokens)


def _check_anytime(anytime: Tensor) -> None:
    if anytime.ndim != 3 or 0 in anytime.shape:
        raise ValueError(
            f"answers of shape {tuple(anytime.shape)}: must be (images, tokens, classes), none of them 0; "
            "forward_anytime gives them"
        )


def _gaps(confidence: Tensor, right: Tensor) -> Tensor:
    """Sum of right - confidence in each bin: (B, T), (B, T) -> (T, BINS); a confidence of 1 is in the last one."""
    edges = torch.arange(1, BINS, dtype=torch.float64) / BINS
    bins = torch.bucketize(confidence.double(), edges, right=True)  # (B, T)
    gaps = torch.zeros(confidence.shape[1], BINS, dtype=torch.float64)
    return gaps.scatter_add_(1, bins.T.contiguous(), (right.double() - confidence.double()).T.contiguous())
