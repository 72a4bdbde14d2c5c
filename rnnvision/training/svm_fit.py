"""The fit of support vector machines by scikit-learn, in one go."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnvision.nn.controls.svm import RBFSVM, SVM, LinearSVM
from rnnvision.training.failures import TrainingError

Examples = tuple[Tensor, Tensor]  # images (N, C, H, W), labels (N,)


def fit_in_one_go(network: nn.Module, train: Examples, val: Examples) -> dict[str, Any]:
    """Fit the network to `train`, and the temperature of its probabilities to `val`.

    Returns:
        The constructor arguments that the fit has changed.

    Raises:
        TrainingError: if a class has no training image, or scikit-learn is not installed.
    """
    assert isinstance(network, SVM)
    images, labels = train
    if missing := sorted(set(range(network.num_classes)) - set(labels.tolist())):
        raise TrainingError(f"class {missing[0]} has no training image; a support vector machine needs one of each")
    changed = FITS[type(network)](network, images.flatten(1).double().numpy(), labels.numpy())
    with torch.inference_mode():
        scores = torch.cat([network.decide(network.forward_features(part)) for part in val[0].split(1000)])
    network.temperature.fill_(best_temperature(scores.double(), val[1]))
    return changed


def best_temperature(scores: Tensor, labels: Tensor) -> float:
    """The temperature for which softmax(scores / temperature) has the smallest cross-entropy: (N, K), (N,).

    The labels are smoothed as if each class had been seen once more (Platt 1999), so that it stays above 0 where all
    predictions are correct.
    """
    count, classes = scores.shape
    smoothing = classes / (count + classes)

    def loss(log_temperature: float) -> float:
        return cross_entropy(scores * np.exp(-log_temperature), labels, label_smoothing=smoothing).item()

    low, high = np.log(1e-4), np.log(1e4)
    for _ in range(80):  # the loss is convex in 1 / temperature, so it has one minimum
        left, right = low + (high - low) / 3, high - (high - low) / 3
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


@torch.no_grad()
def _fit_linear(network: LinearSVM, x: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    machine = _machines().LinearSVC(C=network.cost, dual=False).fit(x, labels)
    weight, bias = torch.from_numpy(machine.coef_), torch.from_numpy(machine.intercept_)
    if network.num_classes == 2:  # one machine, positive for the second class
        weight, bias = torch.cat((-weight, weight)), torch.cat((-bias, bias))
    network.head.weight.copy_(weight)
    network.head.bias.copy_(bias)
    return {}


@torch.no_grad()
def _fit_rbf(network: RBFSVM, x: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    svm = _machines()
    if network.gamma_by_data:
        network.gamma.fill_(1 / (x.shape[1] * x.var()))
    # In MB; with libsvm's default of 200 the kernel of some 50,000 images is recomputed many times over.
    machine = svm.SVC(C=network.cost, gamma=network.gamma.item(), cache_size=1000).fit(x, labels)
    dtype = network.vectors.dtype
    network.vectors = nn.Parameter(torch.from_numpy(machine.support_vectors_).to(dtype), requires_grad=False)
    network.head = nn.Linear(len(network.vectors), network.head.out_features, dtype=dtype).requires_grad_(False)
    network.head.weight.copy_(_of_pairs(machine.dual_coef_, machine.n_support_))
    network.head.bias.copy_(torch.from_numpy(machine.intercept_ * (-1 if network.num_classes == 2 else 1)))
    return {"num_vectors": len(network.vectors)}


def _machines() -> Any:
    try:
        from sklearn import svm
    except ImportError as error:
        raise TrainingError(
            'a support vector machine is fitted by scikit-learn: pip install "scikit-learn>=1.5"'
        ) from error
    return svm


def _of_pairs(coefficients: np.ndarray, counts: np.ndarray) -> Tensor:
    """The coefficient of each support vector in each pair's decision: (K - 1, N), (K,) -> (pairs, N).

    libsvm sorts the vectors by class, and keeps of a vector of class i its coefficient against class j in row j, or in
    row j - 1 where j > i.
    """
    first = np.concatenate(([0], np.cumsum(counts)))
    pairs = list(combinations(range(len(counts)), 2))
    found = torch.zeros(len(pairs), coefficients.shape[1], dtype=torch.float64)
    for k, (i, j) in enumerate(pairs):
        for own, row in ((i, j - 1), (j, i)):
            mine = slice(first[own], first[own + 1])
            found[k, mine] = torch.from_numpy(coefficients[row, mine])
    return found * (-1 if len(counts) == 2 else 1)


FITS: dict[type[nn.Module], Callable[..., dict[str, Any]]] = {LinearSVM: _fit_linear, RBFSVM: _fit_rbf}
