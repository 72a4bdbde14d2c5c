"""torch's recurrent kernels as the operators RNN, GRU and LSTM of ONNX.

torch's own exporter surrounds each GRU and LSTM by a dozen small operators, and writes an RNN out time step by time
step.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule

# The gates in ONNX's order, as indices into torch's: iofc from ifgo, zrh from rzn.
KERNELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "RNN": (torch.ops.aten.rnn_tanh.input, (0,)),
    "GRU": (torch.ops.aten.gru.input, (1, 0, 2)),
    "LSTM": (torch.ops.aten.lstm.input, (0, 3, 1, 2)),
}
AS_HERE = (
    True,
    1,
    False,
    True,
)  # biases, number of layers, two directions, batch first: see `rnnvision.nn.layers.fused`


def translations(program: ExportedProgram) -> dict[Any, Callable[..., Any]]:
    """For the exporter: of each kernel that a program calls, as this project's layers do, the operator of ONNX.

    A kernel that is called in another way, by a layer of a plugin, is left to the exporter.
    """
    calls: dict[Any, list[tuple[Any, ...]]] = {}
    graphs = [part.graph for part in program.graph_module.modules() if isinstance(part, GraphModule)]
    for node in (node for graph in graphs for node in graph.nodes):
        calls.setdefault(node.target, []).append(node.args)
    found = {}
    for operator, (kernel, order) in KERNELS.items():
        ways = {(*args[3:5], *args[7:9]) for args in calls.get(kernel, [])}
        if ways == {AS_HERE}:
            found[kernel] = _translation(operator, order)
    return found


def _translation(operator: str, order: tuple[int, ...]) -> Callable[..., Any]:
    from onnxscript import opset20

    op: Any = opset20
    last = 2 if operator == "LSTM" else 1  # tensors in a state

    def translated(
        x: Any,
        state: Any,
        weights: Sequence[Any],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        size = weights[1].shape[1]
        rows = op.Constant(value_ints=[gate * size + row for gate in order for row in range(size)])
        first = op.Constant(value_ints=[0])
        weight_ih, weight_hh, *biases = (op.Unsqueeze(op.Gather(w, rows), first) for w in weights)
        states = state if isinstance(state, Sequence) else [state]
        options = {"linear_before_reset": 1} if operator == "GRU" else {}
        made = getattr(op, operator)(
            op.Transpose(x, perm=[1, 0, 2]),
            weight_ih,
            weight_hh,
            op.Concat(*biases, axis=1),
            None,
            *states,
            hidden_size=size,
            **options,
        )
        y = op.Transpose(op.Squeeze(made[0], op.Constant(value_ints=[1])), perm=[1, 0, 2])  # (B, T, D)
        return (y, *made[1 : 1 + last])

    return translated
