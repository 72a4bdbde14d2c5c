"""The prefix scan h_t = a_t h_{t-1} + b_t by torch, accelerated-scan and fla; and whole layers beside cuDNN's LSTM."""

import argparse
import contextlib
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from gpu.measuring import LeftOutError, Row, Rows, Told
from gpu.parts.parity import difference
from gpu.tables import milliseconds, table

if TYPE_CHECKING:
    from torch import Tensor

TITLE = "Linear recurrences"
LENGTHS, WIDTH, BATCH, ROUNDS = (784, 4096), 128, 64, 7
LAYERS = ("gru", "mingru", "minlstm", "lru", "s5", "rglru", "mlstm")
# The factors a: as minGRU has them, and as the LRU has them.
KINDS = {"real, a of each token": False, "complex, a constant in time": True}
Scan = Callable[["Tensor", "Tensor"], "Tensor"]


@dataclass(frozen=True)
class Way:
    """A way to compute it: a context in which `scan` is called, on tensors in the layout that it was made for."""

    scan: Scan
    context: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext
    batch_first: bool = False  # (B, T, N), else (T, B, N)
    takes_complex: bool = True


def measure(told: Told, rows: Rows) -> None:
    lengths = told.size(LENGTHS, (9,))
    for length in lengths:
        for kind, is_complex in KINDS.items():
            for name, make in WAYS.items():
                rows.measure(f"{kind} | {name} | {length}", partial(_case, make, is_complex, length, told))
    for length in lengths:
        rows.measure(f"layers | {length}", partial(_layers, length, told))


def _own(context: Callable[[], contextlib.AbstractContextManager[Any]]) -> Way:
    from rnnvision.nn.kernels.prefix_scan import prefix_scan

    return Way(lambda a, b: prefix_scan(a, b, b.new_zeros(b.shape[1:]))[0], context)


def _loop(told: Told) -> Way:
    return _own(lambda: _with_steps("_one_by_one"))


def _two_levels(told: Told) -> Way:
    return _own(lambda: _with_steps("_two_levels"))


@contextlib.contextmanager
def _with_steps(name: str) -> Iterator[None]:
    from rnnvision.nn.kernels import prefix_scan as module

    steps = getattr(module, name)
    with patch.object(module, "kernel_for", lambda states: None), patch.object(module, "_steps", lambda device: steps):
        yield


def _kernel(told: Told) -> Way:
    import torch

    from rnnvision.nn.kernels.triton_scan import kernels

    if told.device_type != "cuda":
        raise LeftOutError("accelerated-scan: its kernels run on CUDA alone")
    if torch.float32 not in kernels():
        raise LeftOutError("accelerated-scan is not installed")
    return _own(contextlib.nullcontext)


def _associative(told: Told) -> Way:
    from torch._higher_order_ops import associative_scan

    def combine(left: "tuple[Tensor, Tensor]", right: "tuple[Tensor, Tensor]") -> "tuple[Tensor, Tensor]":
        return left[0] * right[0], right[0] * left[1] + right[1]

    def scan(a: "Tensor", b: "Tensor") -> "Tensor":
        return associative_scan(combine, (a.expand_as(b), b), dim=0, combine_mode="generic")[1]

    return Way(scan, takes_complex=False)


def _fla(name: str) -> Callable[[Told], Way]:
    def make(told: Told) -> Way:
        if told.device_type != "cuda":
            raise LeftOutError("fla: its kernels run on CUDA alone")
        from fla.ops import hgrn

        function = getattr(hgrn, name)
        return Way(lambda a, b: function(b, a.log())[0], batch_first=True, takes_complex=False)

    return make


WAYS: dict[str, Callable[[Told], Way]] = {
    "ours: torch, two levels": _two_levels,
    "ours: accelerated-scan": _kernel,
    "torch: a loop over time": _loop,
    "torch: associative_scan": _associative,
    "fla: chunk_hgrn": _fla("chunk_hgrn"),
    "fla: fused_recurrent_hgrn": _fla("fused_recurrent_hgrn"),
}


def _case(make: Callable[[Told], Way], is_complex: bool, length: int, told: Told) -> Row:
    """Milliseconds forward and backward, and how far states and gradients are from a loop over time in float64."""
    import torch

    from rnnvision.insight.speed import time_rounds

    way = make(told)
    if is_complex and not way.takes_complex:
        raise LeftOutError("takes real numbers alone")
    batch, width = told.size(BATCH, 2), told.size(WIDTH, 3)
    torch.manual_seed(0)
    size = torch.rand((width,) if is_complex else (length, batch, width), device=told.device) * 0.5 + 0.499
    a = torch.polar(size, 3 * torch.rand_like(size)) if is_complex else size
    b = torch.randn(length, batch, width, device=told.device, dtype=a.dtype)
    cotangent = torch.randn_like(b)

    def native(v: "Tensor") -> "Tensor":
        return v.transpose(0, 1).contiguous() if way.batch_first and v.ndim == 3 else v

    leaves = [native(v).detach().requires_grad_() for v in (a, b)]
    upstream = native(cotangent)

    def step() -> "list[Tensor]":
        with way.context():
            h = way.scan(*leaves)
            return [h.detach(), *torch.autograd.grad(h, leaves, upstream)]

    found = [v.transpose(0, 1) if way.batch_first else v for v in step()]
    apart = [
        difference(mine, expected.to(mine.dtype)) for mine, expected in zip(found, _exact(a, b, cotangent), strict=True)
    ]
    return {"seconds": time_rounds(step, told.device, told.size(ROUNDS, 1), warmup=1), "difference": max(apart)}


def _exact(a: "Tensor", b: "Tensor", cotangent: "Tensor") -> "list[Tensor]":
    """States, and gradients of a and b, one by one in double precision."""
    import torch

    from rnnvision.nn.kernels.prefix_scan import prefix_scan

    precise = torch.complex128 if a.is_complex() else torch.float64
    leaves = [v.to(precise).requires_grad_() for v in (a, b)]
    with _with_steps("_one_by_one"):
        h, _ = prefix_scan(leaves[0], leaves[1], leaves[1].new_zeros(b.shape[1:]))
        return [h.detach(), *torch.autograd.grad(h, leaves, cotangent.to(precise))]


def _layers(length: int, told: Told) -> Row:
    import bench_recurrences

    names = told.size(LAYERS, ("mingru", "lru"))
    sizes = {"width": told.size(WIDTH, 8), "batch": told.size(BATCH, 2), "rounds": told.size(5, 1)}
    asked = argparse.Namespace(recurrences=list(names), device=told.device_type, first=False, **sizes)
    return {"seconds": bench_recurrences.seconds(asked, length)}


def markdown(rows: dict[str, Row]) -> str:
    scans = {tuple(case.split(" | ")): row for case, row in rows.items() if not case.startswith("layers")}
    lengths = sorted({case[2] for case in scans}, key=int)
    parts = []
    for kind, name in dict.fromkeys(case[:2] for case in scans):
        found = [scans.get((kind, name, length)) for length in lengths]
        times = [milliseconds(statistics.median(row["seconds"])) if row else "not measured" for row in found]
        apart = max(row["difference"] for row in found if row)
        parts.append([kind, name, *times, "nan" if math.isinf(apart) else f"{apart:.0e}"])
    lines = []
    if parts:
        head = ["prefix scan", "by", *(f"T = {length}, ms" for length in lengths), "difference"]
        lines += [table(head, parts, words=2), ""]
        lines += [
            f"Forward and backward, {BATCH} x {WIDTH} states, single precision, medians of {ROUNDS}; the difference of "
            "states and gradients from a loop over time in double precision, as a share of the largest value. fla "
            "reads (B, T, N) and the logarithm of a, the others (T, B, N).",
            "",
        ]
    return "\n".join([*lines, *_layer_table({c.split(" | ")[1]: r for c, r in rows.items() if c.startswith("layers")})])


def _layer_table(found: dict[str, Row]) -> list[str]:
    import bench_recurrences

    if not found:
        return []
    seconds = {int(length): row["seconds"] for length, row in found.items()}
    return [
        bench_recurrences.markdown(seconds),
        "",
        f"Whole layers, forward and backward with the gradient of the input: width {WIDTH}, batch {BATCH}, float32.",
    ]
