"""Classifiers of networks that nothing has trained, with weights that tell images apart."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnvision.inference import Classifier
from rnnvision.nn import build
from tests.nn.cases import randomise, tiny

NAMES = ("cat", "dog", "owl")


def make_classifier(
    model: str = "sequence_classifier",
    *,
    names: tuple[str, ...] = NAMES,
    temperature: float = 1.0,
    data: dict[str, Any] | None = None,
    mean: float = 0.5,
    batch_size: int | None = None,
    seed: int = 0,
    **arguments: Any,
) -> Classifier:
    torch.manual_seed(seed)
    given = {"name": model, **tiny(model), **{"input_shape": (3, 6, 8), "num_classes": len(names), **arguments}}
    network = build(**given).eval()
    randomise(network, scale=0.5)
    channels = given["input_shape"][0]
    description = {
        "network": given,
        "class_names": list(names),
        "normalisation": {"mean": [mean] * channels, "std": [0.25] * channels},
        "temperature": temperature,
        "data": {"name": "fake", "eval_batch_size": batch_size, **(data or {})},
    }
    return Classifier(network, description, Path("a.ckpt"))


def images(classifier: Classifier, number: int, seed: int = 0) -> Tensor:
    """uint8 (number, C, H, W), as the network sees them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (number, *classifier.input_shape), dtype=torch.uint8, generator=generator)
