"""The recurrences as their papers write them: plain loops over time on the kernel's own weights.

Slow and free of torch's recurrent kernels on purpose. The equations stand in `rnnvision.nn.gated`. Each oracle maps
(x (B, T, F), state, weights) to (states (B, T, D), state); `weights` has the names of a torch kernel of one layer.
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


ORACLES: dict[str, Oracle] = {"rnn": rnn, "lstm": lstm, "gru": gru}


def look_back(
    states: Tensor, summary: Tensor, weights: Weights, cell: Oracle, state: State, num_glimpses: int
) -> tuple[Tensor, Tensor]:
    """The decoder of `rnnvision.nn.encoder_decoder` on an encoder's states (B, T, D) and summary (B, D).

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
