"""Support vector machines as networks: fitted by scikit-learn (`rnnvision.training.svm_fit`), evaluated in torch.

A margin is not a probability. The logits are the decision values divided by a temperature, which the fit chooses on the
validation split (Guo et al. 2017, arXiv 1706.04599); it changes no decision.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, positive
from rnnvision.nn.controls.feedforward import Control, num_values
from rnnvision.nn.fixed import FixedBuffers
from rnnvision.nn.kernels.exported import autocast_off


class SVM(Control):
    """Base of both machines.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: at least 2.
        num_features: input width of the head.
        num_decisions: output width of the head.
        cost: C of Cortes & Vapnik (1995), the weight of margin violations.
    """

    temperature: Tensor

    def __init__(
        self, input_shape: Sequence[int], num_classes: int, *, num_features: int, num_decisions: int, cost: float
    ) -> None:
        at_least("num_classes", num_classes, 2)
        positive("cost", cost)
        super().__init__(input_shape, num_classes, num_features)
        self.head = nn.Linear(num_features, num_decisions)
        self.num_classes = num_classes
        self.cost = cost
        self.register_buffer("temperature", torch.tensor(1.0))
        self.requires_grad_(False)  # fitted, not trained

    def decide(self, features: Tensor) -> Tensor:
        """scikit-learn's decision values, one per class, the largest of which wins: (B, D) -> (B, num_classes)."""
        return self.head(features)

    def forward_head(self, features: Tensor) -> Tensor:
        return self.decide(features) / self.temperature

    def forward(self, x: Tensor) -> Tensor:
        with autocast_off(x.device.type):  # half precision changes decisions: sums nearly cancel
            return super().forward(x)


class LinearSVM(SVM):
    """One linear machine per class against the rest, with the squared hinge loss (scikit-learn's LinearSVC).

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: at least 2.
        cost: weight of margin violations.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(self, *, input_shape: Sequence[int], num_classes: int, cost: float = 1.0) -> None:
        size = num_values(input_shape)
        super().__init__(input_shape, num_classes, num_features=size, num_decisions=num_classes, cost=cost)

    def forward_features(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class RBFSVM(FixedBuffers, SVM):
    """One machine per pair of classes, with the kernel exp(-gamma |x - s|^2) (scikit-learn's SVC).

    The features are the kernel's values at the support vectors s, the head's outputs the decisions d_ij of the pairs
    i < j, positive for i. As in scikit-learn's `decision_function` and its `break_ties=True`, classes are ranked by
    votes and ties broken by confidence: votes_i + c_i / (3 (|c_i| + 1)), c_i = sum_j d_ij - sum_j d_ji.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: at least 2.
        cost: weight of margin violations.
        gamma: of the kernel; None: 1 / (values per image * variance of the training pixels).
        num_vectors: number of support vectors. The fit determines it; until then there are this many random ones.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    gamma: Tensor
    sides: Tensor

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        cost: float = 1.0,
        gamma: float | None = None,
        num_vectors: int = 100,
    ) -> None:
        at_least("num_classes", num_classes, 2)
        at_least("num_vectors", num_vectors, 1)
        if gamma is not None:
            positive("gamma", gamma)
        decisions = num_classes * (num_classes - 1) // 2
        super().__init__(input_shape, num_classes, num_features=num_vectors, num_decisions=decisions, cost=cost)
        pairs = list(combinations(range(num_classes), 2))
        self.gamma_by_data = gamma is None
        self.vectors = nn.Parameter(torch.randn(num_vectors, num_values(input_shape)), requires_grad=False)
        self.register_buffer("gamma", torch.tensor(1 / num_values(input_shape) if gamma is None else gamma))
        sides = torch.zeros(len(pairs), num_classes, device="cpu")  # 1 for the first class of a pair, -1 for the second
        for k, (i, j) in enumerate(pairs):
            sides[k, i], sides[k, j] = 1, -1
        self.fix("sides", sides)

    def forward_features(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        square = x.square().sum(dim=1, keepdim=True) + self.vectors.square().sum(dim=1) - 2 * x @ self.vectors.T
        return torch.exp(-self.gamma * square.clamp(min=0))  # (B, num_vectors)

    def decide(self, features: Tensor) -> Tensor:
        pairs = self.head(features)
        confidence = pairs @ self.sides
        votes = (torch.where(pairs < 0, -1.0, 1.0).to(pairs.dtype) @ self.sides + self.num_classes - 1) / 2
        return votes + confidence / (3 * (confidence.abs() + 1))


SVMS: dict[str, type[nn.Module]] = {"linear_svm": LinearSVM, "rbf_svm": RBFSVM}
