"""Gradients over time: whether they reach the first tokens, and how far back a network's answer reaches.

Shapes: B images, T tokens. Images are normalised, as the network reads them: `classifier.preprocess(pixels)`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnvision.nn.layers import RecurrentLayer, State
from rnnvision.nn.layers.chunked import wide
from rnnvision.nn.scan import Scan

VANISHING, EXPLODING = 1e-2, 1e2  # first over last norm, below and above which gradients are said to do so
PART = 10  # the first and the last tenth of the tokens are compared


@dataclass(frozen=True)
class GradientFlow:
    """The norms of a loss's gradients at each time step, means over the images.

    Attributes:
        states: layer -> (T,): of the state that each token meets, in the order in which that layer reads.
        tokens: (T,): of each token; None where the image is not read as one sequence.
    """

    states: dict[str, Tensor]
    tokens: Tensor | None

    @property
    def ratios(self) -> dict[str, float]:
        """Layer -> mean norm over the first tenth of the tokens (at least one) / mean norm over the last tenth."""
        return {name: _ratio(norms) for name, norms in self.states.items()}

    @property
    def verdicts(self) -> dict[str, str]:
        """Layer -> "vanishing" (ratio below 1/100), "exploding" (above 100), "fine", or "none": all norms are 0."""
        return {name: _verdict(ratio) for name, ratio in self.ratios.items()}


def gradient_flow(network: nn.Module, images: Tensor, labels: Tensor) -> GradientFlow:
    """How the cross-entropy of (B, C, H, W), (B,) flows back through time, in each recurrent layer:

        states_t = mean_B ||dL / ds_{t-1}||      s_{t-1} the state that token t meets, s_0 the initial one
        tokens_t = mean_B ||dL / dx_t||          t = 1 ... T

    in evaluation mode, L the loss of one image. ds_{t-1} counts all paths through tokens t ... T: the product of the
    Jacobians ds_t / ds_{t-1} that shrinks or grows exponentially with T (Bengio et al. 1994; Pascanu et al. 2013, arXiv
    1211.5063). A state is all that a layer hands on, of an LSTM (h, c). Layers are run token by token to get it.

    Raises:
        ValueError: for a network without recurrent layers.
    """
    met: dict[str, list[State]] = {}
    layers = {name: m for name, m in network.named_modules() if isinstance(m, RecurrentLayer)}
    if not layers:
        raise ValueError(f"network={type(network).__name__}: has no recurrent layer through which gradients could flow")
    with differentiable(network):
        try:
            for name, layer in layers.items():
                layer.forward = _token_by_token(layer, met.setdefault(name, []))  # type: ignore[method-assign]
            x = images.detach().clone().requires_grad_()
            loss = cross_entropy(wide(network(x)), labels.to(x.device), reduction="sum")
            of_image, *found = torch.autograd.grad(
                loss, [x, *(s for states in met.values() for state in states for s in state)], allow_unused=True
            )
        finally:
            for layer in layers.values():
                del layer.forward
    gradients = iter(found)
    norms = {}
    for name, states in met.items():
        rows = [_norm([next(gradients) for _ in state], len(images)) for state in states if state]
        if rows:
            norms[name] = torch.stack(rows).cpu()
    scan = getattr(network, "scan", None)
    tokens = scan(of_image).flatten(2).norm(dim=-1).mean(dim=0).cpu() if isinstance(scan, Scan) else None
    return GradientFlow(norms, tokens)


def token_influence(network: nn.Module, images: Tensor) -> Tensor:
    """How much the answer depends on each token: (B, C, H, W) -> (B, T), ||dz / dx_t||, z the largest logit.

    Raises:
        ValueError: for a network that does not read an image as one sequence.
    """
    scan = scan_of(network)
    return scan(logit_gradient(network, images)).norm(dim=-1)


def memory_length(network: nn.Module, images: Tensor) -> Tensor:
    """The effective memory in tokens: how far back the answer reaches, (B, C, H, W) -> (B,) float64 on the CPU.

        memory = sum_t (T - t) i_t / sum_t i_t      i_t = ||dz / dx_t||, see `token_influence`; t = 1 ... T

    the centre of mass of the influence, counted back from the last token: 0 if only the last token counts, (T - 1) / 2
    if all count alike, r / (1 - r) if the influence falls by the factor r with each token back and T is large. It is
    a property of the whole network: attention, or a mean over states, lengthens it. NaN where no token has influence.

    Raises:
        ValueError: for a network that does not read an image as one sequence, or reads it in both directions.
    """
    scan_of(network)
    recurrence = getattr(network, "recurrence", None)
    if recurrence is None or recurrence.bidirectional:
        raise ValueError(
            f"network={type(network).__name__}: does not read in one direction, so no token is the last; "
            "token_influence says how much each token counts"
        )
    influence = token_influence(network, images).cpu().double()
    back = torch.arange(influence.shape[1] - 1, -1, -1, dtype=influence.dtype)
    return (influence * back).sum(dim=1) / influence.sum(dim=1)


def logit_gradient(
    network: nn.Module, images: Tensor, classes: Tensor | None = None, *, of: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """The gradient of one logit of each image, of the largest or of `classes` (B,): (B, C, H, W) -> (B, C, H, W).

    `of` maps the logits (B, K) to what is differentiated instead, such as their log-probabilities.
    """
    with differentiable(network):
        x = images.detach().clone().requires_grad_()
        logits = wide(network(x))  # (B, K)
        chosen = logits.argmax(dim=1) if classes is None else classes.to(logits.device)
        score = (logits if of is None else of(logits)).gather(1, chosen.unsqueeze(1)).sum()
        return torch.autograd.grad(score, x)[0]


def scan_of(network: nn.Module) -> Scan:
    """The scan by which a network reads an image.

    Raises:
        ValueError: for a network that does not read an image as one sequence.
    """
    scan = getattr(network, "scan", None)
    if not isinstance(scan, Scan):
        raise ValueError(f"network={type(network).__name__}: does not read an image as one sequence of tokens")
    return scan


@contextmanager
def differentiable(network: nn.Module) -> Iterator[None]:
    """Evaluation mode with gradients, also within `torch.inference_mode`.

    Without cuDNN, whose recurrences have a backward pass in training mode only, where dropout is on.
    """
    mode = network.training
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            network.eval()
            yield
    finally:
        network.train(mode)


def _token_by_token(layer: RecurrentLayer, met: list[State]) -> Callable[..., tuple[Tensor, State]]:
    """A `forward` that reads one token after the other and notes the state that each meets."""
    read: Any = type(layer).forward

    def forward(x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = layer.initial_state(len(x)) if state is None else state
        state = tuple(s if s.requires_grad else s.detach().requires_grad_() for s in state)
        outputs = []
        for x_t in x.split(1, dim=1):
            met.append(state)
            y_t, state = read(layer, x_t, state)
            outputs.append(y_t)
        return torch.cat(outputs, dim=1), state

    return forward


def _norm(gradients: list[Tensor | None], images: int) -> Tensor:
    """Mean over the images of the norm of all that belongs to one; a layer may read several sequences of an image."""
    parts = [g.reshape(images, -1) for g in gradients if g is not None]
    return torch.cat(parts, dim=1).norm(dim=1).mean() if parts else torch.zeros(())


def _ratio(norms: Tensor) -> float:
    part = max(1, len(norms) // PART)
    first, last = float(norms[:part].mean()), float(norms[-part:].mean())
    return first / last if last else float("inf") if first else float("nan")


def _verdict(ratio: float) -> str:
    if ratio != ratio:
        return "none"
    return "vanishing" if ratio < VANISHING else "exploding" if ratio > EXPLODING else "fine"
