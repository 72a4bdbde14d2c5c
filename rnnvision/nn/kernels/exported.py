"""Time steps in a graph: the loop of a recurrence as one operator, for `torch.export` and for ONNX, where it is Scan.

`torch.export` writes a Python loop out, token after token, and fixes sizes that a loop depends on. torch runs the
operator one step after the other, so it is used only while a network is exported.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

States = tuple[Tensor, ...]


def autocast_off(kind: str) -> AbstractContextManager[object]:
    """No autocast on this kind of device; while a network is exported there is none, and a program cannot hold this."""
    return nullcontext() if torch.compiler.is_exporting() else torch.autocast(kind, enabled=False)


def loop(cell: Callable[[Tensor, States], States], x: Tensor, state: States) -> tuple[Tensor, States]:
    """state = cell(x_t, state) over time: x (T, B, ...) -> the first tensor of every state (T, B, ...), the last."""
    from torch._higher_order_ops.scan import scan

    def step(before: States, x_t: Tensor) -> tuple[States, Tensor]:
        after = cell(x_t, before)
        return after, after[0].clone()  # no two outputs of the operator may be one tensor

    last, states = scan(step, state, x)
    return states, last


def linear_loop(a: Tensor, b: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
    """`rnnvision.nn.kernels.prefix_scan.prefix_scan` as such a loop; complex numbers as pairs, which ONNX has not."""
    if b.is_complex():
        return _complex_loop(a, b, h_0)
    if a.ndim < b.ndim:
        states, (last,) = loop(lambda b_t, state: (torch.addcmul(b_t, a, state[0]),), b, (h_0,))
        return states, last
    width = b.shape[-1]
    both = torch.cat((a, b), dim=-1)
    states, (last,) = loop(lambda x, state: (x[..., :width] * state[0] + x[..., width:],), both, (h_0,))
    return states, last


def _complex_loop(a: Tensor, b: Tensor, h_0: Tensor) -> tuple[Tensor, Tensor]:
    assert a.ndim == 1, "complex factors are constant in time"
    real, imaginary = (torch.cat((part, part)) for part in torch.view_as_real(a).unbind(-1))
    width = a.shape[0]

    def cell(x: Tensor, state: States) -> States:
        (h,) = state
        turned = torch.cat((-h[..., width:], h[..., :width]), dim=-1)  # i h
        return (real * h + imaginary * turned + x,)

    states, (last,) = loop(cell, _parts(b), (_parts(h_0),))
    return _joined(states), _joined(last)


def _parts(v: Tensor) -> Tensor:
    """Complex (..., N) -> its real parts, then its imaginary parts (..., 2N)."""
    return torch.view_as_real(v).mT.flatten(-2)


def _joined(v: Tensor) -> Tensor:
    return torch.view_as_complex(v.unflatten(-1, (2, -1)).mT.contiguous())
