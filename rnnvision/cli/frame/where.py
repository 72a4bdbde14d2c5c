"""The device of a verb that needs no Trainer."""

from omegaconf import DictConfig

from rnnvision.checks import choose_one
from rnnvision.errors import UsageError

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps")


def device_of(trainer: DictConfig) -> str:
    """cpu, cuda or mps, as `device=` chooses it.

    Raises:
        UsageError: for a device that is not here.
    """
    import torch

    wanted = str(trainer.get("accelerator", "auto"))
    if wanted not in ACCELERATORS:
        raise UsageError(f"trainer.accelerator={wanted}: {choose_one(wanted, ACCELERATORS)}")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if wanted in ("gpu", "cuda") and not cuda:
        raise UsageError(f"device={wanted}: torch sees no CUDA GPU; choose device=cpu or device=auto")
    if wanted == "mps" and not mps:
        raise UsageError("device=mps: there is no Apple GPU here; choose device=cpu or device=auto")
    return "cuda" if wanted == "gpu" else wanted
