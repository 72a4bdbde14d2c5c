"""Classifier: a trained network with what its checkpoint says of it, for use from Python."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least
from rnnvision.training import find_checkpoint, load_network, read_checkpoint


def load(source: str | Path, *, device: str | torch.device = "cpu") -> "Classifier":
    """The classifier of a run folder (its best checkpoint, else its last) or of a checkpoint file.

    Raises:
        UsageError: if there is none, or it is damaged, or was pre-trained only, or needs a plugin.
    """
    path = find_checkpoint(source)
    checkpoint = read_checkpoint(path)
    network = load_network(checkpoint, path, classifies=True)
    return Classifier(network.to(device), checkpoint["rnnvision"], path)


class Classifier:
    """Images to ranked labels.

    Attributes:
        network: in evaluation mode.
        class_names: in the order of the logits.
        input_shape: (C, H, W) of the images that it reads.
        description: all that the checkpoint says of itself, see `rnnvision.training.checkpoint`.
        path: of the checkpoint.
    """

    def __init__(self, network: nn.Module, description: dict[str, Any], path: Path) -> None:
        self.network: Any = network
        self.description = description
        self.path = path
        self.class_names: tuple[str, ...] = tuple(description["class_names"])
        self.input_shape: tuple[int, ...] = tuple(description["network"]["input_shape"])

    def preprocess(self, images: Tensor) -> Tensor:
        """Pixels as the network reads them: uint8 or float in [0, 1], (B, C, H, W) or (C, H, W) -> float (B, C, H, W).

        Raises:
            ValueError: for images of another shape or range.
        """
        batch = images.unsqueeze(0) if images.ndim == 3 else images
        if tuple(batch.shape[1:]) != self.input_shape:
            wanted = ", ".join(map(str, self.input_shape))
            raise ValueError(f"images of shape {tuple(images.shape)}: this network reads ({wanted}) or (B, {wanted})")
        if images.dtype != torch.uint8 and not (images.is_floating_point() and 0 <= images.min() <= images.max() <= 1):
            raise ValueError(f"images of {images.dtype}: give pixels as uint8, or as floating point from 0 to 1")
        like = next(self.network.parameters())
        pixels = batch.to(like.device).float() / (255 if images.dtype == torch.uint8 else 1)
        facts = self.description["normalisation"]
        mean, std = (torch.tensor(facts[key], device=like.device)[:, None, None] for key in ("mean", "std"))
        return ((pixels - mean) / std).to(like.dtype)

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Of each class, in the order of `class_names`: (B, C, H, W) or (C, H, W) -> (B, num_classes)."""
        return self.network(self.preprocess(images)).float().softmax(dim=-1)

    def __call__(self, images: Tensor, top_k: int = 5) -> list[list[dict[str, Any]]]:
        """For each image its likeliest classes, best first: {"label": name, "score": probability}."""
        at_least("top_k", top_k, 1)
        scores, classes = self.probabilities(images).topk(min(top_k, len(self.class_names)))
        return [
            [{"label": self.class_names[c], "score": s} for c, s in zip(cs, ss, strict=True)]
            for cs, ss in zip(classes.tolist(), scores.tolist(), strict=True)
        ]
