"""Exported files read back: whatever `rnnvision.inference.export` writes becomes a network and its card again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

SUFFIXES = (".onnx", ".pt2", ".safetensors")


def is_exported(path: Path) -> bool:
    """Whether a path is that of an exported file, or folder with a config.json, and not of a checkpoint or a run."""
    return (path.is_file() and path.suffix in SUFFIXES) or (path / "config.json").is_file()


def load_exported(path: Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """The network of an exported file or folder, in evaluation mode, and its card, which describes it.

    Raises:
        CheckpointError: for a file that is damaged, has no card, or one that is not its own.
        UsageError: where a package is missing.
    """
    network, card = _reader(path)(path)
    return network.to(device).eval(), card


def _reader(path: Path) -> Callable[[Path], tuple[nn.Module, dict[str, Any]]]:
    """Imported when it is needed: torch's and onnx's parts take a second."""
    if path.is_dir():
        from rnnvision.inference.export.hub import read_hub

        return read_hub
    if path.suffix == ".onnx":
        from rnnvision.inference.export.onnx_networks import read_onnx

        return read_onnx
    if path.suffix == ".pt2":
        from rnnvision.inference.export.pt2 import read_torch_export

        return read_torch_export
    from rnnvision.inference.export.safetensors_file import read_safetensors

    return read_safetensors
