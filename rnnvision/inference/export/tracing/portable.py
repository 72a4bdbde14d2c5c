"""A copy of a network that `torch.export` can trace: on the CPU, without what only training needs."""

import copy

import torch
from torch import Tensor, nn

from rnnvision.nn.layers.chunked import ChunkedLayer


def portable(network: nn.Module) -> nn.Module:
    """The network in float32 on the CPU, what it computes from its weights alone computed once.

    That of S5 takes complex functions that ONNX does not have.
    """
    network = copy.deepcopy(network).float().cpu().eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, ChunkedLayer):
            module.constants = _Constants(module.weights())
            # Not by setattr, which would enter it as another submodule.
            object.__setattr__(module, "weights", module.constants)
    return network


class _Constants(nn.Module):
    """Tensors under the names 0, 1 ..., called for all of them; complex ones are kept as pairs."""

    def __init__(self, values: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.complex = [v.is_complex() for v in values]
        for i, v in enumerate(values):
            self.register_buffer(str(i), torch.view_as_real(v).clone() if v.is_complex() else v.clone())

    def forward(self) -> tuple[Tensor, ...]:
        values = (self.get_buffer(str(i)) for i in range(len(self.complex)))
        return tuple(torch.view_as_complex(v) if c else v for v, c in zip(values, self.complex, strict=True))
