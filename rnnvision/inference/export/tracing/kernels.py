"""torch's recurrent kernels as the operators RNN, GRU and LSTM of ONNX.

torch traces a kernel time step by time step, which takes a minute for a thousand tokens; its exporter surrounds GRU and
LSTM by a dozen small operators, and writes an RNN out. Here a kernel is one operator from the beginning.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.nn.layers.fused import FusedLayer

# The kernels, and their gates in ONNX's order as indices into torch's: zrh from rzn, iofc from ifgo.
KERNELS: dict[str, tuple[Callable[..., Any], tuple[int, ...]]] = {
    "RNN": (torch.rnn_tanh, (0,)),
    "GRU": (torch.gru, (1, 0, 2)),
    "LSTM": (torch.lstm, (0, 3, 1, 2)),
}


@torch.library.custom_op("rnnvision::kernel", mutates_args=())
def kernel(name: str, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    """One layer, one direction: x (B, T, F), the state before it, empty for zeros -> (B, T, D), the state after it."""
    states = list(state) or [x.new_zeros(1, x.shape[0], weights[1].shape[1]) for _ in range(_num_states(name))]
    return list(KERNELS[name][0](x, states if name == "LSTM" else states[0], weights, True, 1, 0.0, False, False, True))


@kernel.register_fake
def _(name: str, x: Tensor, state: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
    (batch, tokens, _), size = x.shape, weights[1].shape[1]
    return [x.new_empty(batch, tokens, size), *(x.new_empty(1, batch, size) for _ in range(_num_states(name)))]


def with_operators(network: nn.Module) -> nn.Module:
    """A network, in place, whose fused layers call `kernel`; what a plugin makes of torch's kernels is left alone."""
    for layer in network.modules():
        if isinstance(layer, FusedLayer) and isinstance(layer.kernel, nn.RNNBase):
            layer.kernel = _Kernel(layer.kernel)  # type: ignore[assignment]
    return network


def translations() -> dict[Any, Callable[..., Any]]:
    """What the exporter writes for `kernel`."""
    return {torch.ops.rnnvision.kernel.default: _translated}


class _Kernel(nn.Module):
    def __init__(self, module: nn.RNNBase) -> None:
        super().__init__()
        self.module = module
        self.name = type(module).__name__  # RNN, GRU, LSTM

    def forward(self, x: Tensor, state: Tensor | tuple[Tensor, ...] | None = None) -> tuple[Tensor, Any]:
        states = [] if state is None else [state] if isinstance(state, Tensor) else list(state)
        states, *last = kernel(self.name, x, states, list(self.module.parameters()))
        return states, tuple(last) if len(last) > 1 else last[0]


def _num_states(name: str) -> int:
    return 2 if name == "LSTM" else 1


def _translated(name: str, x: Any, state: Sequence[Any], weights: Sequence[Any]) -> Any:
    from onnxscript import opset20

    op: Any = opset20
    size = weights[1].shape[1]
    rows = op.Constant(value_ints=[gate * size + row for gate in KERNELS[name][1] for row in range(size)])
    first = op.Constant(value_ints=[0])
    weight_ih, weight_hh, *biases = (op.Unsqueeze(op.Gather(w, rows), first) for w in weights)
    inputs = [op.Transpose(x, perm=[1, 0, 2]), weight_ih, weight_hh, op.Concat(*biases, axis=1)]
    inputs += [None, *state] if state else []  # None: the lengths, which are all T
    options = {"linear_before_reset": 1} if name == "GRU" else {}
    states, *last = getattr(op, name)(*inputs, hidden_size=size, **options)
    y = op.Transpose(op.Squeeze(states, op.Constant(value_ints=[1])), perm=[1, 0, 2])  # (B, T, D)
    return [y, *last[: _num_states(name)]]
