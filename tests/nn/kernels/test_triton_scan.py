"""The prefix scan by GPU kernels: on a GPU, and where there is none in Triton's interpreter, slow but exact."""

import os
import subprocess
import sys

import pytest
import torch

from rnnvision.nn.kernels import prefix_scan as module
from rnnvision.nn.kernels import triton_scan as scan_kernel
from rnnvision.nn.kernels.prefix_scan import prefix_scan

# dtype, T, is the factor the same at all times
CASES = [
    (torch.float32, 1, False),
    (torch.float32, 5, False),
    (torch.float32, 5, True),
    (torch.complex64, 5, True),
    (torch.complex64, 5, False),
]


def compare(dtype: torch.dtype, length: int, fixed: bool, device: str) -> None:
    """States, the last one, and all gradients: by the kernel and by the loop over time on the CPU."""
    torch.manual_seed(0)
    width = 1 if dtype.is_complex and device == "cpu" else 2  # the interpreter takes two seconds for a complex feature
    size = 0.9 * torch.rand((width,) if fixed else (length, 1, width))
    a = torch.polar(size, 3 * torch.rand_like(size)) if dtype.is_complex else size
    leaves = [a, torch.randn(length, 1, width, dtype=dtype), torch.randn(1, width, dtype=dtype)]
    upstream = torch.randn(length, 1, width, dtype=dtype), torch.randn(1, width, dtype=dtype)
    found = []
    for place, forced in ((device, True), ("cpu", False)):
        moved = [v.clone().to(place).requires_grad_() for v in leaves]
        with pytest.MonkeyPatch.context() as patch:
            wanted = scan_kernel.kernels()[dtype] if forced else None
            patch.setattr(module, "kernel_for", lambda states, wanted=wanted: wanted)
            out = prefix_scan(*moved)
            grads = torch.autograd.grad(out, moved, [v.to(place) for v in upstream])
        found.append([v.detach().cpu() for v in (*out, *grads)])
    for mine, expected in zip(*found, strict=True):
        torch.testing.assert_close(mine, expected, rtol=1e-5, atol=1e-6)


def test_kernel_gives_the_numbers_of_the_loop_in_the_interpreter() -> None:
    pytest.importorskip("triton")  # which torch brings along where there may be a GPU
    # Triton reads the variable when it is imported
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    subprocess.run(
        [sys.executable, "-m", "tests.nn.kernels.test_triton_scan"], env=environment, check=True, timeout=240
    )


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "length", "fixed"), [*CASES, *((d, 784, f) for d, _, f in CASES[2:])])
def test_kernel_gives_the_numbers_of_the_loop_on_a_gpu(dtype: torch.dtype, length: int, fixed: bool) -> None:
    pytest.importorskip("accelerated_scan")
    compare(dtype, length, fixed, "cuda")


def test_kernel_is_not_asked_on_a_cpu_nor_in_double_precision() -> None:
    assert scan_kernel.kernel_for(torch.zeros(1)) is None
    assert torch.float64 not in scan_kernel.kernels()


def test_without_the_package_there_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerated_scan", None)
    assert scan_kernel.kernels.__wrapped__() == {}


if __name__ == "__main__":
    for case in CASES:
        compare(*case, "cpu")
