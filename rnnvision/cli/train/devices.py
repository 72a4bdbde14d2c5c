"""The devices of a training: what `trainer.devices` may be, and whether they are several processes."""

from typing import Any

from omegaconf import DictConfig

from rnnvision.cli.frame.arguments import plain
from rnnvision.cli.frame.command_line.words import yaml_text
from rnnvision.errors import UsageError


def may_have_several_processes(cfg: DictConfig) -> bool:
    one = str(cfg.trainer.get("devices", 1)) in ("1", "[0]")
    return str(cfg.trainer.get("strategy", "auto")).startswith("ddp") or not one


def check_devices(cfg: DictConfig) -> None:
    """Refuse a number of devices, or a list of them, that cannot be; their types the Trainer's arguments are held to.

    Raises:
        UsageError: that says what is legal on the CPU, or of GPUs.
    """
    devices = plain(cfg.trainer).get("devices", 1)
    if not isinstance(devices, (int, str, list)) or isinstance(devices, bool) or devices == "auto":
        return
    key = f"trainer.devices={yaml_text(devices)}"
    if _is_on_cpu(cfg):
        if not (str(devices).isdecimal() and int(str(devices)) > 0):
            raise UsageError(f"{key}: must be the number of processes on the CPU, at least 1, or auto")
    elif not _are_gpus(devices):
        raise UsageError(
            f"{key}: must be the number of GPUs, at least 1, or -1 or auto for all, or a list of them, such as [0,1]"
        )


def _is_on_cpu(cfg: DictConfig) -> bool:
    import torch

    accelerator = cfg.trainer.get("accelerator", "auto")
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    return accelerator == "cpu" or (accelerator == "auto" and not has_gpu)


def _are_gpus(devices: int | str | list[Any]) -> bool:
    """Whether these are a number of GPUs or their indices, as a list or as text with commas."""
    if isinstance(devices, int):
        return devices == -1 or devices > 0
    if isinstance(devices, str) and "," not in devices:
        return devices == "-1" or (devices.isdecimal() and int(devices) > 0)
    indices = [str(index).strip() for index in (devices.split(",") if isinstance(devices, str) else devices)]
    indices = indices if isinstance(devices, list) else [index for index in indices if index]  # "0," is the first
    return bool(indices) and all(map(str.isdecimal, indices)) and len(set(indices)) == len(indices)
