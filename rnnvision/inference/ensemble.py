"""Ensembles: several networks whose probabilities are averaged."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rnnvision.errors import UsageError
from rnnvision.inference.classifier import Classifier
from rnnvision.inference.pixels import listed
from rnnvision.inference.predict import How, labels_of, table_of
from rnnvision.inference.predictions import Predictions


class Ensemble:
    """The mean of the probabilities of several classifiers, each with its own preprocessing.

    Args:
        members: with the same classes in the same order.

    Raises:
        UsageError: for none, or other classes.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        if not members:
            raise UsageError("ckpt=[]: give at least one checkpoint")
        for member in members[1:]:
            if member.class_names != members[0].class_names:
                raise UsageError(
                    f"ckpt: {member.path} has other classes than {members[0].path}; an average needs the same ones"
                )
        self.members = tuple(members)
        self.class_names = members[0].class_names

    def probabilities(self, images: Any) -> Tensor:
        """(B, K), rows that sum to 1."""
        pictures = list(listed(images))
        return torch.stack([member.probabilities(pictures) for member in self.members]).mean(dim=0)

    def __call__(self, images: Any, top_k: int = 5, **how: Any) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
        """As `Classifier.__call__`."""
        return labels_of(self.members, images, How(top_k=top_k, **how))

    def predict(self, images: Any, top_k: int = 5, **how: Any) -> Predictions:
        """As `Classifier.predict`."""
        return table_of(self.members, images, How(top_k=top_k, **how))
