"""Streaming: which networks can be read token by token, and why the others cannot.

A network that streams has `scan`, `initial_state(batch) -> state` and `step(token (B, F), state) -> (logits (B,
num_classes), state)`, a state being nested tuples of tensors (B, ...), and answers as `forward_anytime` does. One that
does not says why in its attribute `no_stream`.
"""

from torch import nn


def no_stream(network: nn.Module) -> str | None:
    """Why a network cannot be read token by token; None where it can."""
    if hasattr(network, "no_stream"):
        return network.no_stream  # type: ignore[return-value]
    if hasattr(network, "scan") and hasattr(network, "step"):
        return None
    return f"{type(network).__name__} has no `step`: it needs the whole image at once"
