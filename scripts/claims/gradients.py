"""Claim 2, "gradients survive better": the norm of the loss's gradient with respect to the token at each time."""

import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from claims.networks import NoSuchNetworkError, make
from rnnvision.report.style import colour, figure, label_ends


@dataclass(frozen=True)
class Gradients:
    """Of one network: the mean over pictures of the gradient's norm at each token, first to last (T,)."""

    label: str
    recurrence: str  # networks with the same one are drawn in the same colour
    scan: str
    readout: str
    when: str  # at initialisation, or trained
    norms: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The first token's norm over the last one's: 1 where nothing is lost, 0 where all is."""
        return self.norms[0] / self.norms[-1] if self.norms[-1] else math.nan

    @property
    def factor(self) -> float:
        """By what the norm is multiplied for each token further back: exp of a straight line's slope in log norms."""
        ages = [(len(self.norms) - 1 - t, math.log(n)) for t, n in enumerate(self.norms) if n > 0]
        if len(ages) < 2:
            return math.nan
        return math.exp(statistics.linear_regression([a for a, _ in ages], [n for _, n in ages]).slope)


def token_gradients(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The mean norm at each time of d loss of a picture / d its embedded token, in float64: (B, C, H, W) -> (T,).

    Raises:
        ValueError: for a network that reads no sequence in one direction.
    """
    if not hasattr(network, "recurrence") or cast(Any, network.recurrence).bidirectional:
        raise ValueError("reads no sequence in one direction")
    reader = cast(Any, network.double().eval())
    try:
        with torch.no_grad():
            tokens = reader.embed(reader.scan(images.double()))  # (B, T, F)
        tokens.requires_grad_()
        states, _ = reader.recurrence(tokens)
        logits = reader.forward_head(reader.readout(states))
        (gradient,) = torch.autograd.grad(cross_entropy(logits, labels, reduction="sum"), tokens)
    finally:
        network.float()
    return gradient.norm(dim=-1).mean(dim=0)


def at_initialisation(
    names: list[str], scans: list[str], images: Tensor, labels: Tensor, *, hidden_size: int, seeds: int
) -> tuple[list[Gradients], list[str]]:
    """Of fresh networks, the geometric mean over the seeds; and why some were left out."""
    found, left_out = [], []
    for name in names:
        try:
            for scan in scans:
                logs = []
                for seed in range(seeds):
                    torch.manual_seed(seed)
                    network = make(name, tuple(images.shape[1:]), hidden_size=hidden_size, scan=scan)
                    logs.append(token_gradients(network, images, labels).log())
                norms = torch.stack(logs).mean(dim=0).exp().tolist()
                found.append(Gradients(name, name, scan, "last", "at initialisation", tuple(norms)))
        except (NoSuchNetworkError, ValueError) as error:
            left_out.append(str(error) if isinstance(error, NoSuchNetworkError) else f"{name}: {error}")
    return found, left_out


def markdown(found: list[Gradients]) -> str:
    """A row a network: the ends of its curve, and how fast it falls."""
    lines = ["| network | scan | readout | when | T | first token | last token | first / last | factor a token |"]
    lines.append("|---|---|---|---|---:|---:|---:|---:|---:|")
    for g in found:
        ends = f"{g.norms[0]:.2e} | {g.norms[-1]:.2e} | {g.ratio:.2e} | {g.factor:.4f}"
        lines.append(f"| `{g.label}` | {g.scan} | {g.readout} | {g.when} | {len(g.norms)} | {ends} |")
    return "\n".join(lines)


def plot(path: Path, found: list[Gradients]) -> None:
    """A panel a scan: the norm at each token, dashed at initialisation, solid after training."""
    scans = list(dict.fromkeys(g.scan for g in found))
    kinds = list(dict.fromkeys(g.recurrence for g in found))
    with figure(path, 5.5 * len(scans), 4) as made:
        for scan, axes in zip(scans, made.subplots(1, len(scans), squeeze=False)[0], strict=True):
            ends = {}
            for g in (g for g in found if g.scan == scan):
                untrained = g.when == "at initialisation"
                tint = colour(kinds.index(g.recurrence))
                axes.semilogy(range(1, len(g.norms) + 1), g.norms, "--" if untrained else "-", color=tint)
                label = g.label if untrained else f"{g.label}, trained"
                ends[label] = (len(g.norms), g.norms[-1], tint)
            axes.set(xlabel="token", ylabel="norm of d loss / d token", title=f"{scan}: dashed at initialisation")
            label_ends(axes, ends)
