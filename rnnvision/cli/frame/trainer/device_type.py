"""The device of a verb that needs no Trainer; numbers of devices."""

from typing import Any

from omegaconf import DictConfig

from rnnvision.checks import choose_one
from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.cli.frame.trainer.arguments import CHOICES
from rnnvision.errors import UsageError

MOST_PROCESSES = 1024


def hardware() -> dict[str, object]:
    """What of the machine only torch knows."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"threads": torch.get_num_threads(), "gpus": gpus}


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
    if trainer.get("devices") != -1:  # all of them, of which one is enough here
        check_devices(plain(trainer.get("devices", 1)), on_cpu=wanted != "gpu" and device_type(wanted) == "cpu")
    return device_type(wanted)


def check_devices(devices: object, *, on_cpu: bool) -> None:
    """Refuse a number of devices, or a list of them, that cannot be; their types `check_trainer` has checked."""
    if not isinstance(devices, (int, str, list)) or isinstance(devices, bool) or devices == "auto":
        return
    key = f"trainer.devices={yaml_text(devices)}"
    if on_cpu:
        if not (str(devices).isdecimal() and 0 < int(str(devices)) <= MOST_PROCESSES):
            raise UsageError(f"{key}: must be the number of processes on the CPU, from 1 to {MOST_PROCESSES}, or auto")
    elif not _are_gpus(devices):
        raise UsageError(
            f"{key}: must be the number of GPUs, at least 1, or -1 or auto for all, or a list of them, such as [0,1]"
        )


def _are_gpus(devices: int | str | list[Any]) -> bool:
    """Whether these are a number of GPUs or their indices, as a list or as text with commas."""
    if isinstance(devices, int):
        return devices == -1 or devices > 0
    if isinstance(devices, str) and "," not in devices:
        return devices == "-1" or (devices.isdecimal() and int(devices) > 0)
    indices = [str(index).strip() for index in (devices.split(",") if isinstance(devices, str) else devices)]
    indices = indices if isinstance(devices, list) else [index for index in indices if index]  # "0," is the first
    return bool(indices) and all(map(str.isdecimal, indices)) and len(set(indices)) == len(indices)
