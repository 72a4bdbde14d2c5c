"""The prefix scan is a loop over time, in both ways of computing it, and so are its gradients."""

import pytest
import torch
from torch import Tensor

from rnnvision.nn.kernels.prefix_scan import _one_by_one, _two_levels, prefix_scan

BATCH = 3


def factors(length: int, dtype: torch.dtype, constant: bool) -> Tensor:
    shape = (5,) if constant else (length, BATCH, 5)
    if dtype.is_complex:
        return torch.polar(torch.rand(shape, dtype=torch.float64), 6 * torch.rand(shape, dtype=torch.float64))
    return torch.rand(shape, dtype=dtype)


def loop(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    states = []
    for t, b_t in enumerate(b):
        h = (a if a.ndim == 1 else a[t]) * h + b_t
        states.append(h)
    return torch.stack(states), h


@pytest.mark.parametrize("steps", [_one_by_one, _two_levels])
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 50])
def test_the_scan_is_a_loop_over_time(
    length: int, dtype: torch.dtype, constant: bool, steps: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways of computing it, here on a processor, and their gradients."""
    monkeypatch.setattr(f"{prefix_scan.__module__}._steps", lambda device: steps)
    a = factors(length, dtype, constant).requires_grad_()
    b, h_0 = (torch.randn(*s, BATCH, 5, dtype=dtype, requires_grad=True) for s in ((length,), ()))
    made, expected = prefix_scan(a, b, h_0), loop(a, b, h_0)
    torch.testing.assert_close(made, expected, rtol=1e-12, atol=1e-12)
    cotangents = [torch.randn_like(v) for v in made]
    found, wanted = (torch.autograd.grad(v, (a, b, h_0), cotangents) for v in (made, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)
