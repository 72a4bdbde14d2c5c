"""Gates: what a recurrent layer lets through at each time step, and which gates are always open or shut.

torch's fused kernels do not return their gates. They are recomputed here, exactly, from the weights and the states,
which the layer does return: all time steps at once, since the state before each is known.

Shapes: B sequences, T tokens, F features of a token, D of a state.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, logsigmoid

from rnnvision.nn.layers import RECURRENCES, RecurrentLayer, State
from rnnvision.nn.layers.fused import GRU, LSTM
from rnnvision.nn.layers.minimal import MinGRU, MinLSTM
from rnnvision.nn.layers.mlstm import MLSTM
from rnnvision.nn.layers.refined import URGRU, URLSTM, RefinedLayer
from rnnvision.nn.layers.rglru import RGLRU

Gates = dict[str, Tensor]  # name -> (B, T, D), from 0 to 1
SHUT, OPEN = 0.1, 0.9


def _lstm(layer: LSTM, x: Tensor, before: Tensor) -> Gates:
    i, f, _, o = _fused(layer, x, before)
    return {"input": i.sigmoid(), "forget": f.sigmoid(), "output": o.sigmoid()}


def _gru(layer: GRU, x: Tensor, before: Tensor) -> Gates:
    r, z, _ = _fused(layer, x, before)
    return {"reset": r.sigmoid(), "keep": z.sigmoid()}


def _ur_lstm(layer: URLSTM, x: Tensor, before: Tensor) -> Gates:
    f, r, o = _refined(layer, x, before)
    return {"forget": f, "refine": r, "keep": _kept(f, r), "output": o}


def _ur_gru(layer: URGRU, x: Tensor, before: Tensor) -> Gates:
    f, r, z = _refined(layer, x, before)
    return {"forget": f, "refine": r, "keep": _kept(f, r), "reset": z}


def _mingru(layer: MinGRU, x: Tensor, before: Tensor) -> Gates:
    return {"keep": layer.keep(layer.affine(x)[..., : layer.hidden_size])}


def _minlstm(layer: MinLSTM, x: Tensor, before: Tensor) -> Gates:
    maps = layer.affine(x)[..., : 2 * layer.hidden_size]
    f, i = maps.sigmoid().chunk(2, dim=-1)
    return {"forget": f, "input": i, "keep": layer.keep(maps)}


def _rglru(layer: RGLRU, x: Tensor, before: Tensor) -> Gates:
    u = layer.entry(x)
    r, i = layer.recurrence_gate(u).sigmoid(), layer.input_gate(u).sigmoid()
    return {"recurrence": r, "input": i, "keep": torch.exp(8 * r * logsigmoid(layer.decay))}


def _mlstm(layer: MLSTM, x: Tensor, before: Tensor) -> Gates:
    """Without the input gate, which is exponential, and without the forget gate where that is exponential too."""
    o = layer.project(x).chunk(4, dim=-1)[3].sigmoid()
    if layer.memory.forget_gate != "sigmoid":
        return {"output": o}
    return {"forget": layer.memory.gates(x).chunk(2, dim=-1)[1].sigmoid(), "output": o}  # (B, T, heads)


# (layer, its input (B, T, F), the output before each token (B, T, D)) -> the gates; entries of your own layers fit too
GATES: dict[type[RecurrentLayer], Callable[[Any, Tensor, Tensor], Gates]] = {
    LSTM: _lstm,
    GRU: _gru,
    MinGRU: _mingru,
    MinLSTM: _minlstm,
    RGLRU: _rglru,
    URLSTM: _ur_lstm,
    URGRU: _ur_gru,
    MLSTM: _mlstm,
}


@torch.no_grad()
def gate_values(layer: RecurrentLayer, x: Tensor, state: State | None = None) -> Gates:
    """The gates of a layer as it reads (B, T, F) from a state: name -> (B, T, D), values from 0 to 1.

    The equations are in the docstring of each layer. `keep` is the share of the old state that is kept: z of a GRU,
    1 - z of a minGRU or minLSTM, k of UR layers, a of an RG-LRU; of an LSTM and an mLSTM that is `forget`. An mLSTM has
    one forget gate a head.

    Raises:
        ValueError: for a layer without gates; it names those that have some.

    Examples:
        >>> gates = gate_values(LSTM(input_size=28, hidden_size=16), torch.randn(2, 5, 28))
        >>> {name: tuple(values.shape) for name, values in gates.items()}
        {'input': (2, 5, 16), 'forget': (2, 5, 16), 'output': (2, 5, 16)}
    """
    find = _formula(layer)
    if find is None:
        having = [name for name, kind in RECURRENCES.items() if kind in GATES]
        raise ValueError(f"layer={type(layer).__name__}: has no gates; layers that do: {', '.join(having)}")
    first = layer.initial_state(len(x)) if state is None else state
    states, _ = layer(x, first)
    # Of a layer whose output is no state nothing before the first token is known, and none of its gates asks for it.
    start = first[0] if first[0].shape == states[:, 0].shape else torch.zeros_like(states[:, 0])
    return find(layer, x, torch.cat((start.unsqueeze(1), states[:, :-1]), dim=1))


def network_gates(network: nn.Module, images: Tensor) -> dict[str, Gates]:
    """The gates of every layer of a network as it reads (B, C, H, W): layer -> gate -> (B, T, D), in evaluation mode.

    T is in the order in which the layer reads, which for a backward layer is from the last token to the first. A layer
    that reads several sequences of an image (ReNet) has as many rows in B.

    Raises:
        ValueError: for a network without a layer that has gates.
    """
    layers = {name: m for name, m in network.named_modules() if isinstance(m, RecurrentLayer) and _formula(m)}
    if not layers:
        having = [name for name, kind in RECURRENCES.items() if kind in GATES]
        raise ValueError(f"network={type(network).__name__}: has no layer with gates; such are {', '.join(having)}")
    calls: dict[str, list[Any]] = {name: [] for name in layers}
    handles = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: calls[name].append(inputs))
        for name, layer in layers.items()
    ]
    mode = network.training
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        network.train(mode)
        for handle in handles:
            handle.remove()
    return {
        name: _in_time(gate_values(layers[name], *inputs) for inputs in calls[name]) for name in calls if calls[name]
    }


@dataclass(frozen=True)
class Saturation:
    """How often gates are nearly shut or nearly open: each unit's share of images and time steps, (D,).

    Attributes:
        shut: share of values below 0.1.
        open: share of values above 0.9.
    """

    shut: Tensor
    open: Tensor


def saturation(gate: Tensor) -> Saturation:
    """The saturation of one gate (B, T, D), as in Karpathy et al. 2015, arXiv 1506.02078, figure 4.

    A forget gate that is nearly always open makes its unit an integrator; one that is nearly always shut takes from its
    unit all memory; a unit whose output gate is nearly always shut is not used.

    Examples:
        >>> saturation(torch.tensor([[[0.05, 0.5], [0.95, 0.5]]]))
        Saturation(shut=tensor([0.5000, 0.0000]), open=tensor([0.5000, 0.0000]))
    """
    if gate.ndim != 3 or 0 in gate.shape:
        raise ValueError(f"gate of shape {tuple(gate.shape)}: must be (images, tokens, features), none of them 0")
    flat = gate.flatten(0, 1)
    return Saturation((flat < SHUT).float().mean(dim=0), (flat > OPEN).float().mean(dim=0))


def _formula(layer: RecurrentLayer) -> Callable[[Any, Tensor, Tensor], Gates] | None:
    return next((GATES[kind] for kind in type(layer).__mro__ if kind in GATES), None)


def _in_time(parts: Iterable[Gates]) -> Gates:
    """The gates of several calls, one after the other: a decoder reads token by token."""
    parts = list(parts)
    return {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]}


def _fused(layer: LSTM | GRU, x: Tensor, before: Tensor) -> tuple[Tensor, ...]:
    """W x_t + b_ih + U h_{t-1} + b_hh of each gate, in torch's order; not of a GRU's candidate."""
    weight_ih, weight_hh, bias_ih, bias_hh = layer.kernel.parameters()
    return (linear(x, weight_ih, bias_ih) + linear(before, weight_hh, bias_hh)).chunk(layer.num_gates, dim=-1)


def _refined(layer: RefinedLayer, x: Tensor, before: Tensor) -> tuple[Tensor, ...]:
    """The first three gates: f, r, and o or z."""
    maps = layer.project(x) + before @ layer.recurrent_weight(before.dtype)
    return maps[..., : 3 * layer.hidden_size].sigmoid().chunk(3, dim=-1)


def _kept(f: Tensor, r: Tensor) -> Tensor:
    return 2 * r * f + (1 - 2 * r) * f.square()
