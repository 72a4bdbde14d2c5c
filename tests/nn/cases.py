"""What the tests vary over, read from the registries, so that a new entry is covered with no test edited."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.nn import MODELS, READOUTS, RECURRENCES, SCANS
from rnnvision.signature import parameters

# Sizes that keep a network tiny; a network gets those that its constructor takes.
TINY = {
    "num_classes": 3,
    "hidden_size": 5,
    "layers": (1, 2),
    "patch_sizes": (2, 1),
    "embed_dims": (6, 4),
    "hidden_sizes": (3, 5),
    "mlp_ratios": (2.0, 1.5),
}
# Networks that these do not fit, or not alone; with them each takes images of 4 x 4 and 8 x 8 pixels, and all but those
# that read square ones of 4 x 6.
SIZES: dict[str, dict[str, Any]] = {
    "encoder_decoder": {"hidden_size": 8},  # of 5 rectified features all may be zero
    "vision_lstm": {"patch_size": 2, "hidden_size": 8, "num_layers": 2},
    "vit": {"input_shape": (1, 4, 4), "patch_size": 2, "hidden_size": 8, "num_layers": 2},
}
# An image for networks without a scan.
GRID = {"input_shape": (1, 4, 6)}
# Ways to build the same network, on top of the first scan; a network gets those that its constructor takes in full.
VARIANTS: dict[str, dict[str, Any]] = {
    "two_directions": {"bidirectional": True},
    "two_layers_two_directions": {"bidirectional": True, "num_layers": 2},
    "normalised_residual": {"num_layers": 2, "norm": True, "residual": True},
    "gated": {"block": "gated", "num_layers": 2},
    "gated_gelu": {"block": "gated", "num_layers": 2, "activation": "gelu"},
    "gated_two_directions": {"block": "gated", "bidirectional": True},
    "embedded": {"embed_size": 6},
    "hidden_head": {"head_size": 16},
    "two_dot_glimpses": {"attention": "dot", "num_glimpses": 2},
    "another_decoder": {"decoder": "gru", "decoder_size": 4, "attention_size": 3},
}
REMEMBERS, FORGETS = "gru", "none"  # a recurrence with a state, and the one without
Case = dict[str, Any]  # arguments of `build`


def scan_arguments(scan: str, channels: int = 1, rows: int = 3, columns: int = 4) -> dict[str, Any]:
    """Arguments of `Scan` for a `rows` x `columns` grid of this scan's tokens; a spanning side is as long."""
    token = SCANS[scan].token
    if token is None:
        return {"scan": scan, "patch_size": (2, 3), "input_shape": (channels, 2 * rows, 3 * columns)}
    height, width = (n if side is None else n * side for n, side in zip((rows, columns), token, strict=True))
    return {"scan": scan, "input_shape": (channels, height, width)}


def parameters_of(model: str) -> list[str]:
    return list(parameters(MODELS[model]))


def tiny(model: str, **arguments: Any) -> dict[str, Any]:
    """Arguments of the smallest network, `arguments` among them; those that the constructor does not take left out."""
    given = GRID | TINY | SIZES.get(model, {}) | arguments
    return {name: given[name] for name in parameters_of(model) if given.get(name) is not None}


def readouts_of(model: str) -> list[str]:
    """Every readout of the table, and at the end the network's own."""
    own = parameters(MODELS[model])["readout"].default
    return [*(name for name in READOUTS if name != own), own]


KINDS = ("recurrence", "scan", "readout", "variant")  # of the ways in which a network can differ


def network_cases(*kinds: str) -> Iterator[tuple[str, Case]]:
    """Each network in each way of such kinds in which it can differ (of no kind named: of all), one at a time.

    Each recurrence; each scan; each readout, of states that remember, of states that do not, and of two directions,
    whose halves end at different times; each variant. What is not named is the first scan, the network's own readout,
    and a GRU. A network that differs in no such way is there as it is.
    """
    for model in MODELS:
        takes = parameters_of(model)
        base = {"recurrence": REMEMBERS} if "recurrence" in takes else {}
        base |= scan_arguments(next(iter(SCANS))) if "scan" in takes else {}
        base |= {"readout": readouts_of(model)[-1]} if "readout" in takes else {}
        ways = {way: changes for kind in kinds or KINDS for way, changes in _ways(kind, model, takes).items()}
        for way, changes in (ways or {"own": {}}).items():
            yield f"{model}-{way}", {"name": model} | tiny(model, **(base | changes))


def _ways(kind: str, model: str, takes: list[str]) -> dict[str, Case]:
    """What a network is given in each way of this kind."""
    if kind == "variant":
        return {name: variant for name, variant in VARIANTS.items() if set(variant) <= set(takes)}
    if kind not in takes:
        return {}
    if kind == "recurrence":
        return {name: {"recurrence": name} for name in RECURRENCES}
    if kind == "scan":
        return {name: scan_arguments(name) for name in SCANS}
    ways: dict[str, Case] = {name: {"readout": name} for name in readouts_of(model)}
    if "recurrence" in takes:
        ways |= {f"{name}-{FORGETS}": {"readout": name, "recurrence": FORGETS} for name in readouts_of(model)}
    if "bidirectional" in takes:
        ways |= {f"{name}-two_directions": {"readout": name, "bidirectional": True} for name in readouts_of(model)}
    return ways


def network_product() -> Iterator[tuple[str, Case]]:
    """Every network x scan x readout x recurrence, of those axes that the network has, and x variant of the first scan.

    Slow, and to be run after a change that may join what `network_cases` keeps apart.
    """
    for model in MODELS:
        takes = parameters_of(model)
        scans = list(SCANS) if "scan" in takes else [None]
        readouts = readouts_of(model) if "readout" in takes else [None]
        recurrences = list(RECURRENCES) if "recurrence" in takes else [None]
        variants = {name: variant for name, variant in VARIANTS.items() if set(variant) <= set(takes)}
        reads: list[tuple[str | None, str]] = [(scan, "") for scan in scans]
        reads += [(scans[0], variant) for variant in variants]
        for (scan, variant), readout, recurrence in itertools.product(reads, readouts, recurrences):
            chosen = {"readout": readout, "recurrence": recurrence, **variants.get(variant, {})}
            read = {} if scan is None else scan_arguments(scan)
            words = [word for word in (model, scan, readout, recurrence, variant) if word]
            yield "-".join(words), {"name": model} | tiny(model, **(read | chosen))


def images(case: Case, batch_size: int = 4, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(batch_size, *case["input_shape"], dtype=dtype)


def randomise(module: nn.Module, scale: float = 0.7) -> None:
    """Give every parameter a value that no initialisation gives, biases not zero, so that each shows in the result."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-scale, scale)
