"""The prefix scan, the one operation behind every recurrence that is linear in its state, with its own gradient.

    h_t = a_t * h_{t-1} + b_t,   t = 1 ... T,   * elementwise, real or complex

Shapes, time first: b (T, B, N); a like b, or (N,) when it is the same at all time steps; h_0 (B, N).

There are no divisions and no logarithms: for |a| <= 1 each time step only shrinks the rounding errors before it, which
cumulative sums of logarithms would accumulate. The gradient is the same prefix scan in reverse:

    g_t = dL/dh_t + conj(a_{t+1}) g_{t+1}
    dL/db_t = g_t      dL/da_t = g_t conj(h_{t-1})      dL/dh_0 = conj(a_1) g_1
"""

from collections.abc import Callable, Sequence
from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from rnnvision.nn.kernels.exported import linear_loop
from rnnvision.nn.kernels.triton_scan import kernel_for, run_kernel


def prefix_scan(a: Tensor, b: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
    """All states h (T, B, N) of h_t = a_t * h_{t-1} + b_t, and the last of them (B, N).

    Args:
        a: (T, B, N), or (N,) if it is constant in time.
        b: (T, B, N), T >= 1.
        h_0: (B, N).
    """
    if torch.compiler.is_exporting():
        return linear_loop(a, b, h_0)
    return _PrefixScan.apply(a, b, h_0)


class _PrefixScan(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
        h = prefix_states(a, b, h_0)
        ctx.save_for_backward(a, h, h_0)
        return h, h[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh: Tensor, dlast: Tensor) -> tuple[Tensor | None, ...]:
        a, h, h_0 = ctx.saved_tensors
        g, dh_0 = prefix_scan_gradient(a, dh, dlast)
        return factor_gradient(a, g, h, h_0) if ctx.needs_input_grad[0] else None, g, dh_0


def prefix_states(a: Tensor, b: Tensor, h_0: Tensor) -> Tensor:
    """The states of `prefix_scan`, without a gradient."""
    if kernel := kernel_for(b):
        return run_kernel(kernel, a, b, h_0)
    h = torch.empty_like(b, memory_format=torch.contiguous_format)
    steps = _steps(b.device)
    steps(a.unbind(0) if a.ndim == b.ndim else [a] * len(b), b.unbind(0), h_0, h.unbind(0))
    return h


def prefix_scan_gradient(a: Tensor, dh: Tensor, dlast: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of b (T, B, N) and of h_0 (B, N), from those of all states and of the last one."""
    conj = a.conj().resolve_conj()
    fixed = a.ndim < dh.ndim
    if kernel := kernel_for(dh):
        end = dh[-1:] + dlast
        g = run_kernel(kernel, conj if fixed else conj[1:].flip(0), dh[:-1].flip(0), end[0])
        g = torch.cat((g.flip(0), end))
        return g, (conj if fixed else conj[0]) * g[0]
    factors = [conj] * len(dh) if fixed else conj.unbind(0)
    g = torch.empty_like(dh, memory_format=torch.contiguous_format)
    torch.add(dh[-1], dlast, out=g[-1])
    steps = _steps(dh.device)
    steps(factors[:0:-1], dh.unbind(0)[-2::-1], g[-1], g.unbind(0)[-2::-1])
    return g, factors[0] * g[0]


def factor_gradient(a: Tensor, g: Tensor, h: Tensor, h_0: Tensor) -> Tensor:
    """The gradient of a, from the gradient g of b."""
    da = torch.empty_like(h)
    torch.mul(g[0], h_0.conj(), out=da[0])
    torch.mul(g[1:], h[:-1].conj(), out=da[1:])
    return da if a.ndim == h.ndim else da.sum((0, 1))


def _steps(device: torch.device) -> Callable[..., None]:
    return _one_by_one if device.type == "cpu" else _two_levels


def _one_by_one(a: Sequence[Tensor], b: Sequence[Tensor], h: Tensor, out: Sequence[Tensor]) -> None:
    """A loop over time: the fewest operations, each small, which a CPU starts in microseconds."""
    for a_t, b_t, out_t in zip(a, b, out, strict=True):
        torch.addcmul(b_t, a_t, h, out=out_t)
        h = out_t


def _two_levels(a: Sequence[Tensor], b: Sequence[Tensor], h: Tensor, out: Sequence[Tensor]) -> None:
    """Chunks of sqrt(T) time steps in parallel, then chunk after chunk: some 5 sqrt(T) operations, for a GPU."""
    length = max(1, isqrt(len(b)))
    chunks = len(b) // length
    whole = chunks * length
    if chunks > 1:
        a_s, b_s = (torch.stack(list(v[:whole])).unflatten(0, (chunks, length)) for v in (a, b))
        if a_s.ndim < b_s.ndim:
            a_s = a_s.unsqueeze(2)  # the same for all images
        local, product = torch.empty_like(b_s), torch.empty_like(a_s)
        local[:, 0], product[:, 0] = b_s[:, 0], a_s[:, 0]
        for t in range(1, length):
            torch.addcmul(b_s[:, t], a_s[:, t], local[:, t - 1], out=local[:, t])
            torch.mul(a_s[:, t], product[:, t - 1], out=product[:, t])
        for chunk in range(chunks):
            states = torch.addcmul(local[chunk], product[chunk], h)
            torch._foreach_copy_(list(out[chunk * length : (chunk + 1) * length]), list(states.unbind(0)))
            h = states[-1]
        a, b, out = a[whole:], b[whole:], out[whole:]
    _one_by_one(a, b, h, out)
