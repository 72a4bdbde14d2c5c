"""What a network costs by formula: multiply-adds of its matrix products, layer by layer.

Counters that watch torch's operators see nothing inside a fused recurrence, which is one operator.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.nn.gated import FusedLayer
from rnnvision.nn.variants import IndRNN, RefinedLayer

# A layer -> (its input, its output) -> multiply-adds. Products by element, norms and activations count as nothing.
Formula = Callable[[Any, Tensor, Any], int]


def _linear(layer: nn.Linear, x: Tensor, y: Tensor) -> int:
    return y.numel() * layer.in_features


def _fused(layer: FusedLayer, x: Tensor, y: Any) -> int:
    batch, tokens, _ = x.shape
    return batch * tokens * layer.num_gates * layer.hidden_size * (layer.input_size + layer.hidden_size)


def _refined(layer: RefinedLayer, x: Tensor, y: Any) -> int:
    batch, tokens, _ = x.shape
    return batch * tokens * 4 * layer.hidden_size * (layer.input_size + layer.hidden_size)


def _independent(layer: IndRNN, x: Tensor, y: Any) -> int:
    return x.numel() * layer.hidden_size


FORMULAS: dict[type[nn.Module], Formula] = {
    nn.Linear: _linear,
    FusedLayer: _fused,
    RefinedLayer: _refined,
    IndRNN: _independent,
}
FREE = (nn.LayerNorm,)  # parameters, but no matrix product


def multiply_adds(network: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Multiply-adds of one forward pass of one image (C, H, W), by the name of the layer.

    A training step costs about three times as many: forward, and two products of that size backward.

    Raises:
        ValueError: for a layer with parameters and no formula, which would otherwise be left out.
    """
    counts: dict[str, int] = {}
    handles = []

    def watch(name: str, formula: Formula) -> Callable[..., None]:
        def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            counts[name] = counts.get(name, 0) + formula(layer, inputs[0], output)

        return count

    covered: set[nn.Module] = set()
    for name, module in network.named_modules():
        formula = next((f for kind, f in FORMULAS.items() if isinstance(module, kind)), None)
        if formula is not None:
            handles.append(module.register_forward_hook(watch(name, formula)))
            covered |= set(module.modules())
        elif module not in covered and list(module.parameters(recurse=False)) and not isinstance(module, FREE):
            raise ValueError(f"{name}: no formula for the multiply-adds of {type(module).__name__}; add it to FORMULAS")
    was_training = network.training
    parameter = next(network.parameters())
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *input_shape, device=parameter.device, dtype=parameter.dtype))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return counts
