"""Multiply-adds by formula: those of a network's matrix products and convolutions, layer by layer.

Counters that hook torch's operators see nothing inside a fused recurrence, which is one operator.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rnnvision.nn.controls.svm import RBFSVM
from rnnvision.nn.glimpse import DotGlimpse, Glimpse
from rnnvision.nn.layers import RecurrentLayer
from rnnvision.nn.layers.mlstm import MatrixMemory
from rnnvision.nn.networks.vision_lstm import BlockDiagonalLinear, Position, Scale
from rnnvision.nn.readout import Attention

# (layer, its input, its output) -> multiply-adds. Elementwise products, norms and activations are not counted.
Formula = Callable[[Any, Tensor, Any], int]


def _linear(layer: nn.Linear, x: Tensor, y: Tensor) -> int:
    return y.numel() * layer.in_features


def _convolution(layer: nn.Conv1d | nn.Conv2d, x: Tensor, y: Tensor) -> int:
    return y.numel() * layer.weight[0].numel()


def _attention(layer: Attention, x: Tensor, y: Tensor) -> int:
    return x.numel()  # the weighted mean; the linear maps of its scores are counted separately


def _self_attention(layer: nn.MultiheadAttention, x: Tensor, y: Any) -> int:
    """Query, key, value and output of each token, and scores and sums over all pairs of tokens: for x (B, T, D)."""
    batch, tokens, width = x.shape
    return batch * tokens * width * (4 * width + 2 * tokens)


def _block_diagonal_linear(layer: BlockDiagonalLinear, x: Tensor, y: Tensor) -> int:
    return y.numel() * layer.weight.shape[-1] * layer.joined


def _matrix_memory(layer: MatrixMemory, q: Tensor, y: Any) -> int:
    return len(q) * layer.multiply_adds(q.shape[1], last_state=bool(y[1]))


def _recurrent(layer: RecurrentLayer, x: Tensor, y: Any) -> int:
    return len(x) * layer.multiply_adds(x.shape[1])


def _glimpse(layer: Glimpse, states: Tensor, y: Any) -> int:
    """The weighted mean, and the scores where they are dot products; the linear maps are counted separately."""
    batch, tokens, size = states.shape
    return batch * tokens * (size + (layer.key.out_features if isinstance(layer, DotGlimpse) else 0))


def _rbf(layer: RBFSVM, x: Tensor, y: Tensor) -> int:
    """Each image with each vector, and two sums of pair decisions over classes; the head is counted separately."""
    return len(x) * (layer.vectors.numel() + 2 * layer.head.out_features * layer.num_classes)


FORMULAS: dict[type[nn.Module], Formula] = {
    nn.Linear: _linear,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.MultiheadAttention: _self_attention,
    Attention: _attention,
    BlockDiagonalLinear: _block_diagonal_linear,
    Glimpse: _glimpse,
    MatrixMemory: _matrix_memory,
    RBFSVM: _rbf,
    RecurrentLayer: _recurrent,
}
FREE = (nn.BatchNorm2d, nn.LayerNorm, Scale, Position)  # parameters, but no matrix product
JOINED = {"class_token", "pos_embedding"}  # parameters that are added to the tokens or put before them


def multiply_adds(network: nn.Module, input_shape: Sequence[int]) -> dict[str, int]:
    """Multiply-adds of one forward pass of one image (C, H, W), by the name of the layer.

    A training step costs about three times as many: forward, and two products of that size backward.

    Raises:
        ValueError: for a layer with parameters and no formula, which would otherwise be left out.

    Examples:
        >>> multiply_adds(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))
        {'1': 640}
    """
    counts: dict[str, int] = {}
    handles = []

    def watch(name: str, formula: Formula) -> Callable[..., None]:
        def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Any) -> None:
            counts[name] = counts.get(name, 0) + formula(layer, inputs[0], output)

        return count

    covered: set[nn.Module] = set()  # by the formula of an enclosing module
    whole: set[nn.Module] = set()  # inside a recurrent layer, whose formula covers all of it
    for name, module in network.named_modules():
        if module in whole:
            continue
        formula = next((f for kind, f in FORMULAS.items() if isinstance(module, kind)), None)
        if formula is not None:
            named = name or type(module).__name__
            handles.append(module.register_forward_hook(watch(named, formula)))
            covered |= set(module.modules())
            whole |= set(module.modules()) if isinstance(module, RecurrentLayer) else set()
        elif module not in covered and not isinstance(module, FREE) and _own_parameters(module) - JOINED:
            kind = type(module).__name__
            raise ValueError(
                f"{name or kind}: no formula for the multiply-adds of {kind}; add one: "
                f"rnnvision.insight.cost.FORMULAS[{kind}] = lambda module, x, y: ..."
            )
    pass_one_image(network, input_shape, handles)
    return counts


def pass_one_image(network: nn.Module, input_shape: Sequence[int], handles: Iterable[RemovableHandle]) -> None:
    """Let the hooks of `handles` see one image, (C, H, W) of zeros, go through a network, and remove them."""
    mode, like = network.training, next(network.parameters(), torch.zeros(()))
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, *input_shape, device=like.device, dtype=like.dtype))
    finally:
        network.train(mode)
        for handle in handles:
            handle.remove()


def _own_parameters(module: nn.Module) -> set[str]:
    return {name for name, _ in module.named_parameters(recurse=False)}
