"""Exported files read back: whatever `rnnvision.inference.export` writes becomes a network and its card again."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from rnnvision.inference.export.hub import is_hub, read_hub
from rnnvision.inference.export.onnx_networks import read_onnx
from rnnvision.inference.export.pt2 import read_torch_export
from rnnvision.inference.export.safetensors_file import read_safetensors

READERS = {".onnx": read_onnx, ".pt2": read_torch_export, ".safetensors": read_safetensors}  # by suffix


def is_exported(path: Path) -> bool:
    """Whether a path is that of an exported file or folder, not of a checkpoint or run folder."""
    return is_hub(path) or (path.is_file() and path.suffix in READERS)


def load_exported(path: Path, device: str | torch.device = "cpu") -> tuple[nn.Module, dict[str, Any]]:
    """The network of an exported file or folder, in evaluation mode, and its card, which describes it.

    Raises:
        CheckpointError: for a file that is damaged, has no card, or one that is not its own.
        UsageError: where a package is missing.
    """
    network, card = read_hub(path) if path.is_dir() else READERS[path.suffix](path)
    return network.to(device).eval(), card
