"""From a configuration to the arguments of the optimiser and of its schedule."""

from typing import Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import named_arguments


def optimizer_arguments(cfg: DictConfig) -> dict[str, Any]:
    """The arguments of `make_optimizer` in `cfg.optimizer`, checked."""
    from rnnvision.training import OPTIMIZERS, make_optimizer

    return named_arguments(
        "optimizer", cfg.optimizer, {name: (made, make_optimizer) for name, made in OPTIMIZERS.items()}
    )


def check_schedule(cfg: DictConfig) -> dict[str, Any]:
    """The arguments of `make_scheduler` in `cfg.scheduler`, checked."""
    from rnnvision.training import SCHEDULES
    from rnnvision.training.optim import plateau

    return named_arguments("scheduler", cfg.scheduler, {**SCHEDULES, "plateau": plateau})
