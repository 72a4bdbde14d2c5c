"""Logits and gradients on the GPU beside those on the CPU, of every layer and of every network."""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TITLE = "The GPU computes what the CPU computes"
WIDTHS, TOKENS, BATCH, FEATURES = (40, 256), 100, 3, 24
# More than this is not rounding: a network of some layers adds up about a hundred roundings.
MOST = {"float32": 1e-3, "float64": 1e-9}
# Gradients far smaller than the largest are noise: the bias before a batch norm has one of 0.
FLOOR = 1e-3


def measure(told: Told, rows: Rows) -> None:
    from rnnvision.nn import MODELS, RECURRENCES

    with _full_precision():
        for dtype in MOST:
            for name in RECURRENCES:
                rows.measure(f"layer {name} {dtype}", partial(_layer, name, dtype, told))
        for dtype in MOST:
            for name in MODELS:
                rows.measure(f"network {name} {dtype}", partial(_network, name, dtype, told))


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """Without TF32, which keeps ten bits of a float32."""
    import torch

    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])


def _layer(name: str, dtype: str, told: Told) -> Row:
    """Of a layer of each width, in pieces, so that the state after a sequence is compared too."""
    import torch

    from rnnvision.nn import RECURRENCES

    found = []
    for width in told.size(WIDTHS, (8,)):
        torch.manual_seed(0)
        tokens = told.size(TOKENS, 7)
        layer = RECURRENCES[name](FEATURES, width, tokens).to(getattr(torch, dtype))
        x = torch.randn(BATCH, tokens, FEATURES, dtype=layer_dtype(layer))

        def output(layer: "nn.Module", x: "Tensor") -> "Tensor":
            half = x.shape[1] // 2
            first, state = layer(x[:, :half])
            second, state = layer(x[:, half:], state)
            return torch.cat([first.flatten(), second.flatten(), *(s.flatten() for s in state)])

        found.append(compare(layer, x, output, told.device))
    return worst(found)


def layer_dtype(layer: "nn.Module") -> "torch.dtype":
    return next(layer.parameters()).dtype


def _network(name: str, dtype: str, told: Told) -> Row:
    """Of a network in each of the ways in which it can differ: every recurrence, several layers, two directions ..."""
    import torch

    from rnnvision.nn import build
    from tests.nn.cases import images, network_cases

    cases = [case for _, case in network_cases("recurrence", "variant") if case["name"] == name]
    found = []
    for case in told.size(cases, cases[:2]):
        torch.manual_seed(0)
        network = build(**case).to(getattr(torch, dtype))
        found.append(compare(network, images(case, dtype=getattr(torch, dtype)), lambda n, x: n(x), told.device))
    return worst(found) | {"cases": len(found)}


def compare(
    network: "nn.Module", x: "Tensor", output: Callable[["nn.Module", "Tensor"], "Tensor"], device: "torch.device"
) -> Row:
    """The largest relative difference of the output, and of the gradients of `x` and of all weights."""
    import torch

    here = (network, x.clone().requires_grad_())
    there = (copy.deepcopy(network).to(device), x.to(device).clone().requires_grad_())
    results = []
    for module, images in (here, there):
        module.train()  # cuDNN's recurrences have a backward pass in this mode only
        out = output(module, images)
        weights = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view(out.shape).to(out.device)
        leaves = {"input": images, **{key: p for key, p in module.named_parameters() if p.requires_grad}}
        given = torch.autograd.grad((out * weights).sum(), list(leaves.values()), allow_unused=True)
        gradients = {key: g for key, g in zip(leaves, given, strict=True) if g is not None}
        results.append((out.detach().cpu(), {key: g.cpu() for key, g in gradients.items()}))
    (expected, wanted), (found, given_there) = results
    largest = max((float(g.abs().max()) for g in wanted.values()), default=0.0)
    differences = {key: difference(given_there[key], g, FLOOR * largest) for key, g in wanted.items()}
    where = max(differences, key=differences.__getitem__, default="")
    return {"output": difference(found, expected), "gradient": differences.get(where, 0.0), "where": where}


def difference(found: "Tensor", expected: "Tensor", floor: float = 0.0) -> float:
    """The largest difference, as a share of the largest expected value (or of `floor`); infinite where one is nan."""
    if not bool(found.isfinite().all()) or not bool(expected.isfinite().all()):
        return math.inf
    scale = max(float(expected.abs().max()), floor)
    apart = float((found - expected).abs().max())
    return apart / scale if scale else apart


def worst(found: list[Row]) -> Row:
    """Of several comparisons the largest difference of each kind."""
    by_gradient = max(found, key=lambda row: row["gradient"])
    return {
        "output": max(row["output"] for row in found),
        "gradient": by_gradient["gradient"],
        "where": by_gradient["where"],
    }


def markdown(rows: dict[str, Row]) -> str:
    parts = dict.fromkeys(tuple(case.split()[:2]) for case in rows)
    cells = []
    for kind, name in parts:
        shown = [
            _shown(rows.get(f"{kind} {name} {dtype}"), key, most)
            for dtype, most in MOST.items()
            for key in ("output", "gradient")
        ]
        cells.append([f"{kind} `{name}`", *shown])
    wrong = sum("**" in cell for row in cells for cell in row)
    verdict = f"{wrong} of them are too large to be rounding." if wrong else "None is larger than rounding explains."
    head = ["", *(f"{dtype}, {key}" for dtype in MOST for key in ("output", "gradient"))]
    return "\n".join(
        [
            table(head, cells),
            "",
            "Largest difference between GPU and CPU, as a share of the largest value, without TF32; of a layer over "
            f"states and state after {TOKENS} tokens in two parts, widths {WIDTHS[0]} and {WIDTHS[1]}, of a network "
            f"over every recurrence and variant that it can have. {verdict}",
        ]
    )


def _shown(row: Row | None, key: str, most: float) -> str:
    if row is None:
        return "not measured"
    return f"{row[key]:.0e}" if row[key] <= most else f"**{row[key]:.0e}**"
