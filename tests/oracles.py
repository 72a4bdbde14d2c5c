"""The recurrences as their papers write them: plain loops over time on the kernel's own weights.

Slow and free of torch's recurrent kernels on purpose. The equations stand in the docstrings of the layers. Each oracle
maps (x (B, T, F), state, weights) to (states (B, T, D), state); `weights` has the layer's own names, those of a fused
layer the names of its torch kernel.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tests.linear_oracles import LINEAR_ORACLES

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
    **LINEAR_ORACLES,
}


def look_back(
    states: Tensor, summary: Tensor, weights: Weights, cell: Oracle, state: State, num_glimpses: int
) -> tuple[Tensor, Tensor]:
    """The decoder of `rnnvision.nn.networks.encoder_decoder` on an encoder's states (B, T, D) and summary (B, D).

    `weights` has the names of an EncoderDecoder; without `glimpse.score.weight` the scores are scaled dot products.
    Returns y_k (B, K, decoder_size) and a_k (B, K, T).
    """
    prefix = "decoder.layers.0.kernel."
    kernel = {name.removeprefix(prefix): w for name, w in weights.items() if name.startswith(prefix)}
    y = torch.tanh(summary @ weights["start.weight"].T + weights["start.bias"])
    known, looks = [], []
    for _ in range(num_glimpses):
        query = y @ weights["glimpse.query.weight"].T + weights["glimpse.query.bias"]
        scores = []
        for h_t in states.unbind(1):
            key = h_t @ weights["glimpse.key.weight"].T
            if "glimpse.score.weight" in weights:
                scores.append((torch.tanh(query + key) * weights["glimpse.score.weight"]).sum(dim=1))
            else:
                scores.append((query * key).sum(dim=1) / key.shape[1] ** 0.5)
        parts = torch.exp(torch.stack(scores, dim=1))
        look = parts / parts.sum(dim=1, keepdim=True)
        seen = (look.unsqueeze(2) * states).sum(dim=1)
        outputs, state = cell(seen.unsqueeze(1), state, kernel)
        y = outputs[:, 0]
        known.append(y)
        looks.append(look)
    return torch.stack(known, dim=1), torch.stack(looks, dim=1)


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


# The mLSTM's cell, on queries, keys and values (B, H, T, D) and the logarithms i, f (B, H, T) of its gates ------------


def matrix_memory(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> tuple[Tensor, State]:
    """Token by token, as arXiv 2405.04517 writes it (equations 19 to 27): `state` is the transposed C, n and m."""
    c, n, m = state
    read = []
    for t in range(q.shape[2]):
        before, m = m, torch.maximum(f[..., t] + m, i[..., t])
        keep, store = torch.exp(f[..., t] + before - m), torch.exp(i[..., t] - m)
        c = keep[..., None, None] * c + store[..., None, None] * k[:, :, t, :, None] * v[:, :, t, None, :]
        n = keep[..., None] * n + store[..., None] * k[:, :, t]
        scale = torch.maximum((n * q[:, :, t]).sum(-1).abs(), torch.exp(-m))
        read.append((c * q[:, :, t, :, None]).sum(-2) / scale[..., None])
    return torch.stack(read, dim=2), (c, n, m)


def matrix_memory_square(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor) -> Tensor:
    """All tokens against all tokens, as its appendix writes it, from no state: quadratic in T."""
    past = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool).tril()
    total = f.cumsum(-1)
    log_d = (total[..., :, None] - total[..., None, :] + i[..., None, :]).masked_fill(~past, -torch.inf)
    largest = log_d.amax(-1, keepdim=True)
    weights = (q @ k.mT) * torch.exp(log_d - largest)
    return weights @ v / torch.maximum(weights.sum(-1, keepdim=True).abs(), torch.exp(-largest))
