"""Which of cuDNN's kernels a recurrent layer gets in training, beside what insight/kernels.py says."""

import itertools
import re
import statistics
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from gpu.measuring import LeftOutError, Row, Rows, Told
from gpu.tables import table

if TYPE_CHECKING:
    from torch import Tensor

    from rnnvision.nn.layers.fused import FusedLayer

TITLE = "cuDNN's kernels"
PRECISIONS = {"fp32": "32-true", "fp16": "16-mixed", "bf16": "bf16-mixed"}
# input, width, batch, tokens
SIZES = [
    *((28, width, 128, 28) for width in (64, 128, 160, 192, 256, 384, 512)),
    *((128, width, 128, 28) for width in (128, 256, 384, 512, 1024)),
    (128, 256, 256, 28),
]
PASSES = ("forward", "backward")


def measure(told: Told, rows: Rows) -> None:
    recurrences = told.size(("lstm", "gru", "rnn"), ("lstm", "gru"))
    sizes = told.size(SIZES, [(4, 8, 2, 3)])
    for recurrence, precision, size in itertools.product(recurrences, PRECISIONS, sizes):
        case = f"{recurrence} {precision} {' '.join(map(str, size))}"
        rows.measure(case, partial(_case, recurrence, precision, size, told))


def predicted(layer: "FusedLayer", batch_size: int, tokens: int, precision: str, told: Told) -> dict[str, str]:
    """What insight/kernels.py says of both passes, in its own words: the one place that asks it."""
    from rnnvision.insight import Gpu, cudnn_kernels

    gpu = Gpu.of(told.device) if told.device_type == "cuda" else Gpu((9, 0), 132)  # without one, an H100's
    found = cudnn_kernels(layer, gpu, batch_size=batch_size, tokens=tokens, precision=PRECISIONS[precision])
    assert found.backward is not None, "of a training"
    return {"forward": found.forward, "backward": found.backward}


def _case(recurrence: str, precision: str, size: tuple[int, int, int, int], told: Told) -> Row:
    import torch

    from rnnvision.insight.speed import time_rounds
    from rnnvision.nn import RECURRENCES

    if precision == "fp16" and told.device_type == "cpu":
        raise LeftOutError("fp16: a GPU's")
    features, width, batch, tokens = size
    layer: Any = RECURRENCES[recurrence](features, width, tokens).to(told.device)
    x = torch.randn(batch, tokens, features, device=told.device, requires_grad=True)
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(precision)
    context = nullcontext() if half is None else torch.autocast(told.device_type, half)

    def forward() -> "Tensor":
        with context:
            return layer(x)[0].float().sum()

    forward().backward()  # what is chosen once is chosen
    total: list[Tensor] = []
    found = {
        "forward": _profiled(lambda: total.append(forward()), told),
        "backward": _profiled(lambda: total[0].backward(), told),
    }
    seconds = statistics.median(time_rounds(lambda: forward().backward(), told.device, told.size(5, 1), warmup=1))
    ran = {name: kind_of(kernels) for name, kernels in found.items()}
    says = predicted(layer, batch, tokens, precision, told)
    return {"says": says, "ran": ran, "seconds": seconds, "kernels": found}


def _profiled(work: Any, told: Told) -> list[list[Any]]:
    """The kernels that ran, those that took longest first: name, how often, microseconds."""
    from torch.profiler import ProfilerActivity, profile

    from rnnvision.insight import wait_for

    on_gpu = told.device_type == "cuda"
    with profile(activities=[ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU], acc_events=True) as profiler:
        work()
        wait_for(told.device)
    events: Any = profiler.key_averages()
    time = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    found = sorted(events, key=lambda event: -getattr(event, time))[:8]
    return [[event.key[:160], event.count, round(getattr(event, time), 1)] for event in found]


def kind_of(kernels: list[list[Any]]) -> str:
    """Which algorithm of cuDNN kernels of such names are, in the words of insight/kernels.py."""
    names = " ".join(str(name) for name, *_ in kernels)
    if re.search(r"blockPersist|small_?h", names, flags=re.IGNORECASE):
        return "small persistent"
    if re.search(r"persist", names, flags=re.IGNORECASE):
        return "persistent"
    if re.search(r"RNNcell|elementWise_[fb]p", names, flags=re.IGNORECASE):
        return "standard"
    return "other"


def markdown(rows: dict[str, Row]) -> str:
    """A row for all sizes of which the same is said and the same ran."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for case, row in rows.items():
        recurrence, precision, features, width, batch, _ = case.split()
        passes = (f"{row['says'][name]} / {row['ran'][name]}" for name in PASSES)
        key = (recurrence, precision, features, batch, *passes, "yes" if row["ran"] == row["says"] else "**no**")
        groups.setdefault(key, []).append(width)
    cells = [[f"`{key[0]}`", *key[1:4], ", ".join(widths), *key[4:]] for key, widths in groups.items()]
    agreed = sum(row["ran"] == row["says"] for row in rows.values())
    head = ["layer", "precision", "input", "batch", "widths", "forward: said / ran", "backward: said / ran", "agree"]
    names: dict[str, str] = {}
    for row in rows.values():
        for name in PASSES:
            if row["kernels"][name]:
                names.setdefault(row["ran"][name], str(row["kernels"][name][0][0]).partition("(")[0])
    seen = "; ".join(f"{kind}: `{name}`" for kind, name in sorted(names.items()))
    return "\n".join(
        [
            table(head, cells, words=len(head)),
            "",
            f"Of {len(rows)} layers {agreed} ran what `cudnn_kernels` says, as judged by the names of the "
            f"kernels in torch's profile. The one that took longest: {seen}.",
        ]
    )
