"""Reading until sure: an image is read token by token, and no further once one class is likely enough."""

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnvision.errors import UsageError
from rnnvision.nn.streaming import no_stream
from rnnvision.training.failures import finite

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier


class Early(NamedTuple):
    """Probabilities (B, K) where reading ended, and after how many tokens (B,)."""

    probabilities: Tensor
    tokens: Tensor


def check_stop_at(network: nn.Module, stop_at: float) -> None:
    """Check that a network can be read until it is sure.

    Raises:
        UsageError: that says why not.
    """
    if reason := no_stream(network):
        raise UsageError(f"stop_at={stop_at}: the network cannot be read token by token: {reason}")


@torch.inference_mode()
def read_until_sure(classifier: "Classifier", pixels: Tensor, stop_at: float, patience: float = 0.0) -> Early:
    """Read images (B, C, H, W), each until one class has a probability of at least `stop_at`, and keeps it for a while.

    That is for so many tokens in a row as are a share of `patience` of the image, at least one; the rule is that of
    `rnnvision.insight.stop_when_sure`. The work of what is not read is not done: an image that is finished leaves the
    batch.
    """
    network = classifier.network
    tokens = network.scan(classifier.preprocess(pixels))  # (B, T, F)
    left = torch.arange(len(tokens), device=tokens.device)  # images that are still read
    found = torch.zeros(len(tokens), len(classifier.class_names), device=tokens.device)
    read = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
    state = network.initial_state(len(tokens))
    enough = tokens_of(patience, tokens.shape[1])
    answers, run = torch.full_like(read, -1), torch.zeros_like(read)  # for how many tokens an answer has been sure
    for t in range(tokens.shape[1]):
        logits, state = network.step(tokens[left, t], state)
        logits = finite(logits.float(), classifier.path) / classifier.temperature_after(t + 1)
        found[left] = logits.softmax(dim=-1)  # (b, K)
        surest, answer = found[left].max(dim=-1)
        run[left] = (run[left] * (answer == answers[left]) + 1) * (surest >= stop_at)
        answers[left] = answer
        done = run[left] >= enough
        if bool(done.any()):
            read[left[done]] = t + 1
            left, state = left[~done], _rows(state, ~done)
            if not len(left):
                break
    return Early(found.cpu(), read.cpu())


def tokens_of(patience: float, total: int) -> int:
    """The tokens in a row that a share of an image of `total` tokens is, at least one."""
    return max(1, math.ceil(patience * total))


def _rows(state: Any, keep: Tensor) -> Any:
    """Some rows of each tensor of a nested state."""
    if isinstance(state, Tensor):
        return state[keep.to(state.device)]  # of an exported network it stays on the CPU
    return tuple(_rows(part, keep) for part in state)
