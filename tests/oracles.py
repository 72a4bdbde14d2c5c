"""The recurrences as their papers write them: plain loops over time on the kernel's own weights.

Slow and free of torch's recurrent kernels on purpose. The equations stand in the docstrings of the layers. Each oracle
maps (x (B, T, F), state, weights) to (states (B, T, D), state); `weights` has the layer's own names, those of a fused
layer the names of its torch kernel.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Weights = Mapping[str, Tensor]
Oracle = Callable[[Tensor, State, Weights], tuple[Tensor, State]]


def rnn(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        (a,), (b,) = _affine(x_t, weights, "ih"), _affine(h, weights, "hh")
        h = torch.tanh(a + b)
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def lstm(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    h, c = state
    states = []
    for x_t in x.unbind(1):
        i, f, g, o = (a + b for a, b in zip(_affine(x_t, weights, "ih"), _affine(h, weights, "hh"), strict=True))
        c = _logistic(f) * c + _logistic(i) * torch.tanh(g)
        h = _logistic(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states, dim=1), (h, c)


def gru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        (r_x, z_x, n_x), (r_h, z_h, n_h) = _affine(x_t, weights, "ih"), _affine(h, weights, "hh")
        r, z = _logistic(r_x + r_h), _logistic(z_x + z_h)
        n = torch.tanh(n_x + r * n_h)
        h = (1 - z) * n + z * h
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def ur_lstm(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    h, c = state
    states = []
    for x_t in x.unbind(1):
        f, r, o, g = (a + b for a, b in zip(*_refined(x_t, h, weights), strict=True))
        f, r = _logistic(f), _logistic(r)
        kept = r * (1 - (1 - f) ** 2) + (1 - r) * f**2
        c = kept * c + (1 - kept) * torch.tanh(g)
        h = _logistic(o) * torch.tanh(c)
        states.append(h)
    return torch.stack(states, dim=1), (h, c)


def ur_gru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        (f_x, r_x, z_x, n_x), (f_h, r_h, z_h, n_h) = _refined(x_t, h, weights)
        f, r, z = _logistic(f_x + f_h), _logistic(r_x + r_h), _logistic(z_x + z_h)
        kept = r * (1 - (1 - f) ** 2) + (1 - r) * f**2
        h = kept * h + (1 - kept) * torch.tanh(n_x + z * n_h)
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def indrnn(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        a = x_t @ weights["weight"].T + weights["recurrent"] * h + weights["bias"]
        h = torch.where(a > 0, a, 0.0)
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def position_wise(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    states = []
    for x_t in x.unbind(1):
        a = x_t @ weights["inner.weight"].T + weights["inner.bias"]
        a = a * (1 + torch.erf(a / 2**0.5)) / 2
        states.append(a @ weights["outer.weight"].T + weights["outer.bias"])
    return torch.stack(states, dim=1), ()


ORACLES: dict[str, Oracle] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "ur_lstm": ur_lstm,
    "ur_gru": ur_gru,
    "indrnn": indrnn,
    "none": position_wise,
}


def _affine(v: Tensor, weights: Weights, which: str) -> tuple[Tensor, ...]:
    """W v + b of each gate: (B, N) -> gates x (B, D)."""
    hidden_size = weights["weight_hh_l0"].shape[1]
    return (v @ weights[f"weight_{which}_l0"].T + weights[f"bias_{which}_l0"]).split(hidden_size, dim=-1)


def _refined(x_t: Tensor, h: Tensor, weights: Weights) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """W x + b and U h of each of the four gates, the bias of the second being the negative of the first's."""
    b_f, b_third, b_fourth = weights["bias"].split(h.shape[-1])
    of_input = (
        x_t @ w.T + b for w, b in zip(weights["weight_ih"].chunk(4), (b_f, -b_f, b_third, b_fourth), strict=True)
    )
    return tuple(of_input), tuple(h @ u.T for u in weights["weight_hh"].chunk(4))


def _logistic(v: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-v))
