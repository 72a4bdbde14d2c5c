"""The recurrence of the mLSTM, whose memory is a matrix (Beck et al. 2024, "xLSTM", arXiv 2405.04517).

Shapes: B images, H heads, T tokens, D features of a head; chunks: N of them, of L tokens each.

A head stores a value v_t under a key k_t and reads with a query q_t. Its input gate is an exponential, so everything
is kept relative to a running maximum m_t of the exponents, the stabiliser:

    m_t = max(f_t + m_{t-1}, i_t)              i_t, f_t logarithms of the input and the forget gate; m_0 = 0
    C_t = exp(f_t + m_{t-1} - m_t) C_{t-1} + exp(i_t - m_t) k_t v_t'       the memory, D x D; C_0 = 0
    n_t = exp(f_t + m_{t-1} - m_t) n_{t-1} + exp(i_t - m_t) k_t            the normaliser; n_0 = 0
    h_t = C_t' q_t / max(|n_t' q_t|, exp(-m_t))

h does not depend on m. C is the transpose of the paper's, so that it multiplies rows from the right. Nothing here
depends on h_{t-1}: a chunk of tokens is read at once, by matrix products as in attention, and only (C, n, m) is passed
from chunk to chunk, which is linear in T (the chunkwise form of arXiv 2503.14376, here in plain torch).
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

State = tuple[Tensor, ...]  # C, n, m
CHUNK_SIZE = 32  # tokens: the fastest of 16, 32, 64 and 128 on a CPU for heads of 32 and 64 features
# exp(-m) is clamped to exp(+-40): float32 would overflow, or give 0 / 0 for a query of zeros.
LARGEST_EXPONENT = 40.0


def read_chunks(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    i: Tensor,
    f: Tensor,
    state: State | None = None,
    *,
    chunk_size: int = CHUNK_SIZE,
    last_state: bool = True,
) -> tuple[Tensor, State]:
    """Read a sequence: q, k, v (B, H, T, D) and i, f (B, H, T) -> h (B, H, T, D) and the state (C, n, m) after it.

    C is (B, H, D, D), n (B, H, D), m (B, H). Without `state` it is zero at first. Without `last_state` the state after
    the sequence is not computed, and is ().
    """
    length = q.shape[2]
    memory, m = _start(q, i) if state is None else (torch.cat((state[0], state[1].unsqueeze(-1)), dim=-1), state[2])
    q, k, v, i, f = _cut(q, k, v, i, f, chunk_size)
    v = torch.cat((v, v.new_ones(()).expand(*v.shape[:-1], 1)), dim=-1)  # what the normaliser stores is always 1
    kept = f.cumsum(dim=-1)  # (B, H, N, L): log share of the memory before the chunk that is left after each token
    stored = i - kept  # so that at time step t token s has weight exp(kept_t + stored_s)
    memories, ms = _carry(k, v, kept[..., -1], stored, memory, m, last_state)
    count = q.shape[2]
    before = torch.stack(ms[:count], dim=2).unsqueeze(-1)  # (B, H, N, 1)
    with torch.no_grad():  # h does not depend on m
        peaks = kept + torch.maximum(before, _running_maximum(stored))  # m_t (B, H, N, L)
    read = _Within.apply(q, k, v, kept - peaks, stored)  # (B, H, N, L, D + 1)
    if state is not None or count > 1:
        read = read + (q * (kept + before - peaks).exp().unsqueeze(-1)) @ torch.stack(memories[:count], dim=2)
    h = _normalised(read, peaks).flatten(2, 3)[:, :, :length]
    return h, (memories[-1][..., :-1], memories[-1][..., -1], ms[-1]) if last_state else ()


def read_token(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, state: State) -> tuple[Tensor, State]:
    """Read one token by the equations: q, k, v (B, H, D) and i, f (B, H) -> h (B, H, D) and the state after it."""
    memory, n, m = state
    peak = torch.maximum(f + m, i)
    keep, store = (f + m - peak).exp().unsqueeze(-1), (i - peak).exp().unsqueeze(-1)
    memory = keep.unsqueeze(-1) * memory + (store * k).unsqueeze(-1) * v.unsqueeze(-2)
    n = keep * n + store * k
    read = q.unsqueeze(-2) @ torch.cat((memory, n.unsqueeze(-1)), dim=-1)
    return _normalised(read.squeeze(-2), peak), (memory, n, peak)


def _start(q: Tensor, i: Tensor) -> tuple[Tensor, Tensor]:
    batch, heads, _, size = q.shape
    return q.new_zeros(batch, heads, size, size + 1), i.new_zeros(batch, heads)


def _cut(q: Tensor, k: Tensor, v: Tensor, i: Tensor, f: Tensor, chunk_size: int) -> tuple[Tensor, ...]:
    """Cut time into chunks of equal length, padded at the end with tokens that store nothing and forget nothing."""
    length = q.shape[2]
    count = math.ceil(length / chunk_size)
    chunk = math.ceil(length / count)
    if missing := count * chunk - length:
        q, k, v = (pad(x, (0, 0, 0, missing)) for x in (q, k, v))
        i, f = pad(i, (0, missing), value=-math.inf), pad(f, (0, missing))
    return tuple(x.unflatten(2, (count, chunk)) for x in (q, k, v, i, f))


def _carry(
    k: Tensor, v: Tensor, total: Tensor, stored: Tensor, memory: Tensor, m: Tensor, last: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """The memory and normaliser (B, H, D, D + 1) and m (B, H) before each chunk and, if `last`, after the last."""
    count = total.shape[-1] if last else total.shape[-1] - 1
    k, v, total, stored = k[:, :, :count], v[:, :, :count], total[..., :count], stored[:, :, :count]
    weights = total.unsqueeze(-1) + stored  # (B, H, N, L): log weight of each token at the end of its chunk
    peaks = weights.amax(dim=-1)
    added = (k * (weights - peaks.unsqueeze(-1)).exp().unsqueeze(-1)).mT @ v  # (B, H, N, D, D + 1)
    memories, ms = [memory], [m]
    for f, i, new in zip(total.unbind(2), peaks.unbind(2), added.unbind(2), strict=True):
        m = torch.maximum(f + ms[-1], i)
        keep, store = ((x - m).exp()[..., None, None] for x in (f + ms[-1], i))
        memories.append(keep * memories[-1] + store * new)
        ms.append(m)
    return memories, ms


def _running_maximum(v: Tensor) -> Tensor:
    """max_{s <= t} v_s: (..., L) -> (..., L)."""
    if torch.compiler.is_exporting():  # ONNX has no such operator
        future = torch.ones(v.shape[-1], v.shape[-1], dtype=torch.bool, device=v.device).triu(1)
        return v.unsqueeze(-2).masked_fill(future, -math.inf).amax(dim=-1)
    return v.cummax(dim=-1).values


def _normalised(read: Tensor, m: Tensor) -> Tensor:
    """h from the readings of the memory and, as the last feature, of the normaliser: (..., D + 1) -> (..., D)."""
    floor = (-m.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT)).exp()
    return read[..., :-1] / torch.maximum(read[..., -1].abs(), floor).unsqueeze(-1)


class _Within(torch.autograd.Function):
    """What each token reads from the tokens of its own chunk: out_t = sum_{s <= t} exp(row_t + column_s) (q_t k_s) v_s.

    Autograd would keep and read three more (L, L) matrices: for the gradient of a row of exponents
    sum_s (dP * P)_ts equals g_t out_t, and for that of a column it equals dv_s v_s, with P the weights and g = dout.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, row: Tensor, column: Tensor) -> Tensor:
        decay = (row.unsqueeze(-1) + column.unsqueeze(-2)).exp_().tril_()  # above the diagonal it may be infinite
        weights = (q @ k.mT).mul_(decay)
        out = weights @ v
        ctx.save_for_backward(q, k, v, decay, weights, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        q, k, v, decay, weights, out = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            dv = weights.mT @ grad
            scores = (grad @ v.mT).mul_(decay)
            return scores @ k, scores.mT @ q, dv, (grad * out).sum(dim=-1), (dv * v).sum(dim=-1)
