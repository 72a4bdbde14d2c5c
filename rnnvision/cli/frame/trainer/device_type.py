"""The device of a verb that needs no Trainer."""

from omegaconf import DictConfig

from rnnvision.checks import choose_one
from rnnvision.cli.frame.trainer.arguments import CHOICES
from rnnvision.errors import UsageError


def device_type(accelerator: str) -> str:
    """cpu, cuda or mps: what an accelerator of Lightning's is on this machine."""
    import torch

    if accelerator not in ("gpu", "auto"):
        return accelerator
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def device_of(trainer: DictConfig) -> str:
    """cpu, cuda or mps, as `device=` chooses it.

    Raises:
        UsageError: for a device that is not here.
    """
    import torch

    wanted = str(trainer.get("accelerator", "auto"))
    known = [str(name) for name in CHOICES["accelerator"]]
    if wanted not in known:
        raise UsageError(f"trainer.accelerator={wanted}: {choose_one(wanted, known)}")
    if wanted in ("gpu", "cuda") and not torch.cuda.is_available():
        raise UsageError(f"device={wanted}: torch sees no CUDA GPU; choose device=cpu or device=auto")
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device=mps: there is no Apple GPU here; choose device=cpu or device=auto")
    return device_type(wanted)
