"""What a training says of the parts of its network: which are frozen, and which have a learning rate of their own."""

from typing import TYPE_CHECKING, Any

from rnnvision.checks import shortened
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.setup import Training, frozen_parts
from rnnvision.cli.frame.trainer.optimisation import optimizer_arguments

if TYPE_CHECKING:
    from torch import nn


def part_lines(training: Training) -> list[str]:
    """The lines of the first screen on frozen parts and on learning rates; none where all is trained alike."""
    cfg, network = training.cfg, training.learner.network
    lines = []
    if frozen := frozen_parts(cfg):
        lines.append(f"freeze    {shortened(frozen)}; {_trained(network)}")
        if cfg.get("weights") is None and cfg.get("pretrain") is None and cfg.resume is None:
            lines.append("note      what is frozen keeps its random weights; weights=RUN gives it those of a training")
    factors = plain(cfg.optimizer.get("lr_factors")) or {}
    if factors:
        lines.append(f"rates     {_rates(factors, optimizer_arguments(cfg))}")
    return lines


def _trained(network: "nn.Module") -> str:
    sizes = [(p.numel(), p.requires_grad) for p in network.parameters()]
    trained = sum(size for size, is_trained in sizes if is_trained)
    return f"{trained:,} of {sum(size for size, _ in sizes):,} parameters are trained"


def _rates(factors: dict[str, float], optimizer: dict[str, Any]) -> str:
    shown = ", ".join(f"{part} {factor:g}" for part, factor in factors.items())
    lr = f"={optimizer['lr']:g}" if "lr" in optimizer else ""
    state = optimizer.get("state_lr_factor", 1.0)
    moving = "" if state == 1 else f"; state transitions {state:g} times the rate of their part"
    return f"{shown}, all else 1, times optimizer.lr{lr}{moving}"
