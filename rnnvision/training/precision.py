"""Numerical precision of a run: the choice of `trainer.precision=auto`, and the fallback where a device lacks one."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import lightning as L
import torch
from torch import nn

from rnnvision.errors import UsageError

FULL, BF16, FP16 = "32-true", "bf16-mixed", "16-mixed"


def choose_precision(asked: object, device_type: str) -> tuple[object, str]:
    """Lightning's precision for `asked` on a device, and the reason in words where it is not simply what was asked.

    `auto` takes half precision where the hardware multiplies it faster, weights and losses staying in 32 bits; anything
    else is kept, except bf16 on a CPU whose kernels refuse it.
    """
    if asked == "auto":
        return _best(device_type)
    if device_type == "cpu" and str(asked).startswith("bf16") and (error := _bf16_error()):
        return FULL, f"not {asked}: this CPU's kernels refuse it ({error})"
    return asked, ""


def step_precision(trainer: L.Trainer) -> tuple[torch.dtype, Callable[[], AbstractContextManager]]:
    """The dtype of a trainer's matrix products, and the context in which a manual step runs like the trainer's.

    Raises:
        UsageError: for a precision that changes the weights.
    """
    dtypes = {BF16: torch.bfloat16, FP16: torch.float16}
    precision = str(trainer.precision)
    if precision in dtypes:
        return dtypes[precision], trainer.precision_plugin.forward_context
    if precision == FULL:
        return torch.float32, nullcontext
    raise UsageError(f"trainer.precision={precision}: choose one of {FULL}, {BF16}, {FP16}, auto")


def _best(device_type: str) -> tuple[str, str]:
    if device_type == "cuda":
        if torch.cuda.get_device_capability()[0] >= 8:
            return BF16, "the GPU has bf16 units"
        return FP16, "the GPU has no bf16 units, but fp16"
    if device_type != "cpu":
        return FULL, f"half precision is not tried on {device_type}"
    if not _cpu_multiplies_bf16():
        return FULL, "the CPU has no bf16 instructions"
    if error := _bf16_error():
        return FULL, f"the CPU's bf16 kernels fail ({error})"
    return BF16, "the CPU has bf16 instructions"


def _cpu_multiplies_bf16() -> bool:
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # x86; torch has no public query before 2.12
    return any(getattr(torch.cpu, name)() for name in names if hasattr(torch.cpu, name))


def _bf16_error() -> str:
    """The error of a small LSTM's training step in bf16; "" if there is none."""
    with torch.random.fork_rng(devices=[]):
        layer = nn.LSTM(16, 16, batch_first=True)
        tokens = torch.ones(2, 3, 16)
    try:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            states, _ = layer(tokens)
        states.float().sum().backward()
    except RuntimeError as error:  # oneDNN on CPUs without AVX-512
        return " ".join(str(error).split())
    finite = all(p.grad is not None and bool(p.grad.isfinite().all()) for p in layer.parameters())
    return "" if finite else "its gradients are not finite"
