"""Reading until sure: an image is read token by token, and no further once one class is likely enough."""

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from rnnvision.errors import UsageError
from rnnvision.nn.streaming import no_stream

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
def read_until_sure(classifier: "Classifier", pixels: Tensor, stop_at: float) -> Early:
    """Read images (B, C, H, W), each until its likeliest class has a probability of at least `stop_at`.

    The work of what is not read is not done: an image that is finished leaves the batch.
    """
    network = classifier.network
    tokens = network.scan(classifier.preprocess(pixels))  # (B, T, F)
    left = torch.arange(len(tokens), device=tokens.device)  # images that are still read
    found = torch.zeros(len(tokens), len(classifier.class_names), device=tokens.device)
    read = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
    state = network.initial_state(len(tokens))
    for t in range(tokens.shape[1]):
        logits, state = network.step(tokens[left, t], state)
        found[left] = (logits.float() / classifier.temperature_after(t + 1)).softmax(dim=-1)  # (b, K)
        sure = found[left].amax(dim=-1) >= stop_at
        if bool(sure.any()):
            read[left[sure]] = t + 1
            left, state = left[~sure], _rows(state, ~sure)
            if not len(left):
                break
    return Early(found.cpu(), read.cpu())


def _rows(state: Any, keep: Tensor) -> Any:
    """Some rows of each tensor of a nested state."""
    if isinstance(state, Tensor):
        return state[keep.to(state.device)]  # of an exported network it stays on the CPU
    return tuple(_rows(part, keep) for part in state)
