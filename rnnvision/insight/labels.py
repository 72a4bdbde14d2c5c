"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, arXiv 1911.00068).

Probabilities must be of images that the network was not trained on (a validation or test split, or cross-validation):
of its training images a network repeats the labels, wrong ones too.

Shapes: N images, K classes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnvision.checks import at_least


@dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong.

    Attributes:
        index: of the image, 0 to N - 1.
        label: the class that it is labelled with.
        suggested: the class that it confidently belongs to.
        of_label, of_suggested: the probabilities of the two.
    """

    index: int
    label: int
    suggested: int
    of_label: float
    of_suggested: float

    @property
    def margin(self) -> float:
        """p(label) - p(suggested), -1 to 1: the lower, the surer that the label is wrong."""
        return self.of_label - self.of_suggested


def class_thresholds(probabilities: Tensor, labels: Tensor) -> Tensor:
    """How sure the network is of a class when it is right to be: (N, K), (N,) -> (K,).

        t_j = mean of p_j over the images labelled j

    Infinity for a class without images, of which nothing is known.
    """
    _check(probabilities, labels)
    classes = probabilities.shape[1]
    own = probabilities.gather(1, labels.unsqueeze(1)).squeeze(1).double()
    total = torch.zeros(classes, dtype=torch.float64, device=own.device).scatter_add_(0, labels, own)
    count = torch.bincount(labels, minlength=classes)
    return torch.where(count > 0, total / count.clamp_min(1), torch.inf)


def confident_classes(probabilities: Tensor, labels: Tensor) -> Tensor:
    """The class that each image confidently belongs to: (N, K), (N,) -> (N,), -1 where there is none.

    The likeliest of the classes j with p_j >= t_j, t as in `class_thresholds`. The threshold of a class that the
    network is always sure of is high: what it is only half sure of does not count there.
    """
    thresholds = class_thresholds(probabilities, labels)
    confident = probabilities >= thresholds.to(probabilities.device) - 1e-9  # a class of one image meets its own
    surest = torch.where(confident, probabilities, -torch.inf).argmax(dim=1)
    return torch.where(confident.any(dim=1), surest, -1)


def confident_joint(probabilities: Tensor, labels: Tensor) -> Tensor:
    """`C[i][j]`: images labelled i that confidently belong to j: (N, K), (N,) -> (K, K).

    Off the diagonal it counts probable errors: which classes people confuse when they label.
    """
    found, classes = confident_classes(probabilities, labels), probabilities.shape[1]
    some = found >= 0
    return torch.bincount(labels[some] * classes + found[some], minlength=classes**2).view(classes, classes)


def wrong_labels(probabilities: Tensor, labels: Tensor, top: int | None = None) -> list[Suspect]:
    """The images whose label is probably wrong, the surest first: (N, K), (N,).

    Candidates confidently belong to a class other than their label (`confident_classes`); they are ranked by
    p(label) - p(suggested), lowest first. At most `top`, all by default.

    Raises:
        ValueError: for probabilities that are none, or labels that do not fit them.

    Examples:
        >>> p = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.95, 0.05]])
        >>> [(s.index, s.label, s.suggested) for s in wrong_labels(p, torch.tensor([0, 0, 1, 1, 1]))]
        [(4, 1, 0)]
    """
    if top is not None:
        at_least("top", top, 1)
    found = confident_classes(probabilities, labels)
    indices = ((found >= 0) & (found != labels)).nonzero().squeeze(1)
    rows, of, to = probabilities[indices], labels[indices].unsqueeze(1), found[indices].unsqueeze(1)
    columns = (indices, of.squeeze(1), to.squeeze(1), rows.gather(1, of).squeeze(1), rows.gather(1, to).squeeze(1))
    suspects = [Suspect(*values) for values in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(suspects, key=lambda suspect: suspect.margin)[:top]


def _check(probabilities: Tensor, labels: Tensor) -> None:
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or 0 in probabilities.shape:
        raise ValueError(
            f"probabilities of shape {tuple(probabilities.shape)} and labels of {tuple(labels.shape)}: must be "
            "(images, classes) and (images,), none of them 0"
        )
    sums = probabilities.double().sum(dim=1)
    if not bool((probabilities >= 0).all()) or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        raise ValueError("probabilities: must be at least 0 and sum to 1 for each image; logits are none")
    if labels.is_floating_point() or not 0 <= int(labels.min()) <= int(labels.max()) < probabilities.shape[1]:
        raise ValueError(f"labels: must be whole numbers from 0 to {probabilities.shape[1] - 1}")
