"""Claim 1, "recurrent networks parallelise better": samples a second in training against the number of tokens T."""

from typing import Any

import torch

from claims.networks import NoSuchNetworkError, make
from rnnvision.insight import throughput
from rnnvision.training import make_optimizer

# T -> the picture, and how it is cut into T tokens. The first three are one picture, and the same to a CNN.
CUTS: dict[int, tuple[tuple[int, int, int], dict[str, Any]]] = {
    28: ((1, 28, 28), {"scan": "rows"}),
    196: ((1, 28, 28), {"scan": "patches", "patch_size": 2}),
    784: ((1, 28, 28), {"scan": "pixels"}),
    1568: ((1, 56, 28), {"scan": "pixels"}),
}
Speeds = dict[str, dict[int, float] | str]  # of each network, at each T; or why it was left out


def measure(
    names: list[str], lengths: list[int], *, hidden_size: int, batch_size: int, rounds: int, device: torch.device
) -> Speeds:
    """Whole training steps with AdamW in float32, the median of the rounds."""
    found: Speeds = {}
    for name in names:
        row: dict[int, float] = {}
        try:
            for length in lengths:
                shape, cut = CUTS[length]
                network = make(name, shape, hidden_size=hidden_size, **cut).to(device)
                optimizer = make_optimizer(network, "adamw", lr=1e-3)
                images = torch.rand(batch_size, *shape, device=device)
                row[length] = throughput(network, images, optimizer=optimizer, rounds=rounds).samples_per_second
        except NoSuchNetworkError as error:
            found[name] = str(error)
            continue
        found[name] = row
    return found


def markdown(speeds: Speeds, lengths: list[int]) -> str:
    """A row a network: samples/s at each T, and a sample's time at the last T over that at the first."""
    lines = ["| network | " + " | ".join(f"T = {length}" for length in lengths) + " | time, last / first |"]
    lines.append("|---|" + "---:|" * (len(lengths) + 1))
    for name, row in speeds.items():
        if isinstance(row, str):
            lines.append(f"| `{name}` |" + " not measured |" * (len(lengths) + 1))
        else:
            cells = [f"{row[length]:,.0f}" for length in lengths]
            lines.append(f"| `{name}` | {' | '.join(cells)} | {row[lengths[0]] / row[lengths[-1]]:.1f} |")
    return "\n".join(lines)
