"""Classifiers for the tests of exports: networks of the registry with random weights, described as in a checkpoint."""

from pathlib import Path
from typing import Any

import torch

from rnnvision.inference import Classifier
from rnnvision.nn import build
from rnnvision.training.checkpoint import FORMAT

NAMES = ["plain", 'with "quotes"', "<script>alert(1)</script>", "two\nlines", "```", "---", "猫", "\udce9"]
KEYS = torch.tensor([[-(2**63), 7], [2**63 - 1, 0], [1, 2]])  # as `rnnvision.data.membership.Record` has them


def classifier_of(network: dict[str, Any], **description: Any) -> Classifier:
    """A network with random weights, none of them zero, and class names of all kinds."""
    torch.manual_seed(0)
    made = build(**network).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    channels, classes = network["input_shape"][0], network["num_classes"]
    about = {
        "format": FORMAT,
        "network": {k: list(v) if isinstance(v, tuple) else v for k, v in network.items()},
        "class_names": (NAMES * classes)[:classes],
        "normalisation": {"mean": [0.1307] * channels, "std": [0.3081] * channels},
        "temperature": 1.7,
        "data": {"name": "fake", "root": "/home/somebody/data", "num_classes": classes},
        "files": {"root": "/home/somebody/secret", "digests": {"train": "0f"}, "files": {"train": KEYS.clone()}},
        "versions": {"python": "3"},
        **description,
    }
    return Classifier(made, about, Path("a.ckpt"))
