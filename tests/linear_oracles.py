"""The linear recurrences (`layers.minimal`, `layers.state_space`), token by token: see `tests.oracles`."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

State = tuple[Tensor, ...]
Weights = Mapping[str, Tensor]


def mingru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        z, v = (x_t @ weights["affine.weight"].T + weights["affine.bias"]).chunk(2, dim=-1)
        z = _logistic(z)
        h = (1 - z) * h + z * _positive(v)
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def minlstm(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        f, i, v = (x_t @ weights["affine.weight"].T + weights["affine.bias"]).chunk(3, dim=-1)
        f, i = _logistic(f), _logistic(i)
        h = f / (f + i) * h + i / (f + i) * _positive(v)
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def rglru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    (h,) = state
    states = []
    for x_t in x.unbind(1):
        u = x_t
        if "entry.weight" in weights:
            u = x_t @ weights["entry.weight"].T + weights["entry.bias"]
        r, i = (
            _logistic(u @ weights[f"{gate}_gate.weight"].T + weights[f"{gate}_gate.bias"])
            for gate in ("recurrence", "input")
        )
        a = _logistic(weights["decay"]) ** (8 * r)
        h = a * h + (1 - a**2) ** 0.5 * i * u
        states.append(h)
    return torch.stack(states, dim=1), (h,)


def lru(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    radius, angle = torch.exp(-torch.exp(weights["nu"])), torch.exp(weights["theta"])
    transition = torch.complex(radius * torch.cos(angle), radius * torch.sin(angle))
    scale = torch.exp(weights["gamma"]).unsqueeze(1)
    into = [scale * part for part in weights["into"].unbind(-1)]
    return _system(x, state, transition, into, list(weights["out_of"].unbind(-1)), weights["skip"])


def s5(x: Tensor, state: State, weights: Weights) -> tuple[Tensor, State]:
    continuous = torch.complex(-torch.exp(weights["decay"]), weights["frequency"])
    transition = torch.exp(continuous * torch.exp(weights["log_step"]))
    held = ((transition - 1) / continuous).unsqueeze(1)
    real, imaginary = weights["into"].unbind(-1)
    into = [held.real * real - held.imag * imaginary, held.real * imaginary + held.imag * real]
    return _system(x, state, transition, into, [2 * part for part in weights["out_of"].unbind(-1)], weights["skip"])


def _system(
    x: Tensor, state: State, transition: Tensor, into: list[Tensor], out_of: list[Tensor], skip: Tensor
) -> tuple[Tensor, State]:
    """h_t = lambda h_{t-1} + B x_t, y_t = Re(C h_t) + S x_t, in real and imaginary parts of B and C."""
    h = torch.complex(state[0][..., 0], state[0][..., 1])
    outputs = []
    for x_t in x.unbind(1):
        h = transition * h + torch.complex(x_t @ into[0].T, x_t @ into[1].T)
        passed = skip * x_t if skip.ndim == 1 else x_t @ skip.T
        outputs.append(h.real @ out_of[0].T - h.imag @ out_of[1].T + passed)
    return torch.stack(outputs, dim=1), (torch.stack((h.real, h.imag), dim=-1),)


def _logistic(v: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-v))


def _positive(v: Tensor) -> Tensor:
    return torch.where(v >= 0, v + 0.5, _logistic(v))


LINEAR_ORACLES: dict[str, Callable[[Tensor, State, Weights], tuple[Tensor, State]]] = {
    "mingru": mingru,
    "minlstm": minlstm,
    "lru": lru,
    "s5": s5,
    "rglru": rglru,
}


# minGRU and minLSTM as the paper computes them (arXiv 2410.01201, appendix B): in logarithms, all times at once -------


def scan_of_logarithms(log_keep: Tensor, log_new: Tensor, log_h_0: Tensor) -> Tensor:
    """h_t = sum over s <= t of exp(log_new_s) times what is kept since: (B, T, D), (B, T, D), (B, D) -> (B, T, D)."""
    kept = log_keep.cumsum(dim=1)
    return torch.exp(kept + torch.logcumsumexp(torch.cat((log_h_0.unsqueeze(1), log_new - kept), dim=1), dim=1)[:, 1:])


def mingru_in_logarithms(x: Tensor, h_0: Tensor, weights: Weights) -> Tensor:
    z, v = (x @ weights["affine.weight"].T + weights["affine.bias"]).chunk(2, dim=-1)
    softplus = torch.nn.functional.softplus
    return scan_of_logarithms(-softplus(z), -softplus(-z) + torch.log(_positive(v)), torch.log(h_0))


def minlstm_in_logarithms(x: Tensor, h_0: Tensor, weights: Weights) -> Tensor:
    f, i, v = (x @ weights["affine.weight"].T + weights["affine.bias"]).chunk(3, dim=-1)
    softplus = torch.nn.functional.softplus
    difference = softplus(-f) - softplus(-i)
    keep, new = -softplus(difference), -softplus(-difference)
    return scan_of_logarithms(keep, new + torch.log(_positive(v)), torch.log(h_0))
