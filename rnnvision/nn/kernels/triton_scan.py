"""The prefix scan of `rnnvision.nn.kernels.prefix_scan` as one GPU kernel, by accelerated-scan.

accelerated-scan (MIT, https://github.com/proger/accelerated-scan) is written in Triton and takes sequences of any
length, real and complex, in single precision: `pip install "rnnvision[kernels]"`.
"""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

Kernel = Callable[[Tensor, Tensor], Tensor]  # a and b (B, N, T), contiguous -> h (B, N, T) from h_0 = 0


@cache
def kernels() -> dict[torch.dtype, Kernel]:
    """The installed kernels, by the dtype of the states."""
    try:
        from accelerated_scan import complex, scalar
    except ImportError:
        return {}
    return {torch.float32: scalar.scan, torch.complex64: complex.scan}


def kernel_for(states: Tensor) -> Kernel | None:
    """The kernel for such states, if there is one."""
    return kernels().get(states.dtype) if states.is_cuda else None


def run_kernel(kernel: Kernel, a: Tensor, b: Tensor, h_0: Tensor) -> Tensor:
    """`prefix_states` by the kernel, which starts from zero: the initial state is added to the first token."""
    if len(b) == 0:
        return b
    fixed = a.ndim < b.ndim
    tokens = b.movedim(0, -1).clone(memory_format=torch.contiguous_format)
    tokens[..., 0] += (a if fixed else a[0]) * h_0
    gates = (a.expand_as(b) if fixed else a).movedim(0, -1).contiguous()
    with torch.cuda.device_of(b):  # where Triton launches
        return kernel(gates, tokens).movedim(-1, 0)
