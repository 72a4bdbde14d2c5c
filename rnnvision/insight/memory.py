"""Memory that a network needs to classify images, and the batch size of validation and test that follows from it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.insight.cost import pass_one_image
from rnnvision.nn.layers import RecurrentLayer

BUDGET = 2**30  # bytes
LARGEST = 1000  # images; beyond it batches gain nothing
AT_ONCE = 2  # a branch that waits, and copies in the layout of a kernel
GATES = 4  # a recurrence holds the gates of all its tokens too


def activation_bytes(network: nn.Module, input_shape: Sequence[int]) -> int:
    """About the bytes that one image (C, H, W) needs on its way through a network, without gradients.

    The largest input and output of a module, twice; layers before it are forgotten by then.

    Examples:
        >>> activation_bytes(nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()), (1, 32, 32))
        131072
    """
    largest = 0

    def look(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal largest
        times = GATES if isinstance(module, (RecurrentLayer, nn.RNNBase)) else 1
        largest = max(largest, times * (_bytes(inputs) + _bytes(output)))

    leaves = (m for m in network.modules() if isinstance(m, RecurrentLayer) or not any(True for _ in m.children()))
    handles = [leaf.register_forward_hook(look) for leaf in leaves]
    pass_one_image(network, input_shape, handles)
    return AT_ONCE * max(largest, _bytes(torch.zeros(1, *input_shape)))


def eval_batch_size(network: nn.Module, input_shape: Sequence[int], train_batch_size: int) -> int:
    """Images in a batch of validation and test: what fits `BUDGET`, at most `LARGEST`.

    Never less than in training, where the same images need more memory.
    """
    fits = BUDGET // max(1, activation_bytes(network, input_shape))
    return max(1, min(LARGEST, max(fits, train_batch_size)))


def training_bytes(network: nn.Module, input_shape: Sequence[int], batch_size: int) -> int:
    """About the bytes that a training step needs: what a batch leaves for the gradient, and four numbers a weight.

    These are itself, its gradient, and two of the optimiser.

    Examples:
        >>> training_bytes(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8), batch_size=100)
        36000
    """
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    like = next(network.parameters())
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(torch.zeros(2, *input_shape, device=like.device, dtype=like.dtype))  # batch norm needs two
    held = sum(kept.values()) // 2
    del output
    return batch_size * held + 4 * sum(p.numel() * p.element_size() for p in network.parameters())


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    return sum(map(_bytes, value)) if isinstance(value, (tuple, list)) else 0
