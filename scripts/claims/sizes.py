"""Claim 3, "recurrent networks are more flexible": accuracy on pictures of other sizes than those of the training."""

from typing import Any

import torch
from torch import nn
from torch.nn.functional import interpolate

from rnnvision.data import ImageData
from rnnvision.training import load_network

AXES = ("height", "width", "both")


def resized(shape: list[int], size: int, axis: str) -> list[int]:
    """(C, H, W) with its height, its width, or both set to `size`."""
    channels, height, width = shape
    return [channels, height if axis == "width" else size, width if axis == "height" else size]


def network_for(checkpoint: dict[str, Any], shape: list[int]) -> nn.Module:
    """The trained weights in the same network for pictures of `shape`.

    Raises:
        ValueError: if the network, or one of its weights, depends on the size.
    """
    try:
        return load_network(checkpoint, input_shape=shape)
    except RuntimeError as error:
        wrong = [line.strip() for line in str(error).splitlines()[1:]] or [str(error)]
        raise ValueError(wrong[0].partition(":")[0] + " has another shape") from error


def accuracy(network: nn.Module, data: ImageData, shape: list[int]) -> float:
    """Of the test pictures, stretched or squeezed to `shape` (bilinear, antialiased)."""
    correct = count = 0
    for images, labels in data.test_dataloader():
        if list(images.shape[1:]) != shape:
            images = interpolate(images, size=shape[1:], mode="bilinear", antialias=True)
        with torch.inference_mode():
            correct += int((network(images).argmax(dim=-1) == labels).sum())
        count += len(labels)
    return correct / count


def measure(checkpoint: dict[str, Any], sizes: list[int], axis: str, data: ImageData) -> dict[int, float | str]:
    """The accuracy at each size, or why the network cannot read pictures of it."""
    found: dict[int, float | str] = {}
    for size in sizes:
        shape = resized(checkpoint["rnnvision"]["network"]["input_shape"], size, axis)
        try:
            found[size] = accuracy(network_for(checkpoint, shape), data, shape)
        except ValueError as error:
            found[size] = str(error)
    return found


def markdown(found: dict[str, dict[int, float | str]], sizes: list[int], axis: str) -> str:
    """A row a network; what cannot be is "cannot", and explained below."""
    word = axis if axis != "both" else "side"
    lines = ["| network | " + " | ".join(f"{word} {size}" for size in sizes) + " |", "|---|" + "---:|" * len(sizes)]
    reasons: dict[str, None] = {}
    for label, row in found.items():
        cells = ["cannot" if isinstance(row[s], str) else f"{100 * float(row[s]):.2f} %" for s in sizes]
        lines.append(f"| `{label}` | {' | '.join(cells)} |")
        reasons |= dict.fromkeys(f"- `{label}` cannot: {row[s]}" for s in sizes if isinstance(row[s], str))
    return "\n".join([*lines, *(["", *reasons] if reasons else [])])
