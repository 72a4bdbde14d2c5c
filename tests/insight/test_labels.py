"""Confident learning, as the paper's equations in loops, finds labels that were changed."""

import math

import pytest
import torch
from torch import Tensor

from rnnvision.insight import class_thresholds, confident_classes, confident_joint, wrong_labels


def slow(probabilities: list[list[float]], labels: list[int]) -> tuple[list[float], list[list[int]], list[int]]:
    classes = len(probabilities[0])
    thresholds = []
    for j in range(classes):
        own = [p[j] for p, label in zip(probabilities, labels, strict=True) if label == j]
        thresholds.append(sum(own) / len(own) if own else math.inf)
    joint, found = [[0] * classes for _ in range(classes)], []
    for p, label in zip(probabilities, labels, strict=True):
        candidates = [j for j in range(classes) if p[j] >= thresholds[j] - 1e-9]
        found.append(max(candidates, key=lambda j: p[j]) if candidates else -1)
        if candidates:
            joint[label][found[-1]] += 1
    return thresholds, joint, found


def sample(count: int, classes: int, wrong: float) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of a good network, labels of which a share is changed, and which ones are."""
    torch.manual_seed(0)
    truth = torch.randint(classes, (count,))
    changed = torch.rand(count) < wrong
    labels = torch.where(changed, (truth + torch.randint(1, classes, (count,))) % classes, truth)
    logits = torch.randn(count, classes) + 4 * torch.nn.functional.one_hot(truth, classes)
    return logits.softmax(dim=1), labels, changed


@pytest.mark.parametrize("classes", [2, 3, 30])
def test_it_is_what_the_equations_give(classes: int) -> None:
    probabilities, labels, _ = sample(200, classes, 0.1)
    labels[labels == classes - 1] = 0 if classes > 2 else 1  # of more than two, one has no image
    thresholds, joint, found = slow(probabilities.tolist(), labels.tolist())
    assert class_thresholds(probabilities, labels).tolist() == pytest.approx(thresholds, rel=1e-5)
    assert confident_classes(probabilities, labels).tolist() == found
    assert confident_joint(probabilities, labels).tolist() == joint
    suspects = wrong_labels(probabilities, labels)
    assert len(suspects) == sum(map(sum, joint)) - sum(joint[i][i] for i in range(classes))
    assert [s.margin for s in suspects] == sorted(s.margin for s in suspects)
    for s in suspects:
        assert (labels[s.index], found[s.index]) == (s.label, s.suggested)
        assert (s.of_label, s.of_suggested) == tuple(probabilities[s.index, [s.label, s.suggested]].tolist())
    assert wrong_labels(probabilities, labels, top=3) == suspects[:3]


def test_changed_labels_are_found() -> None:
    probabilities, labels, changed = sample(2000, 10, 0.05)
    suspects = wrong_labels(probabilities, labels)
    right = sum(bool(changed[s.index]) for s in suspects)
    assert right / len(suspects) > 0.9  # precision
    assert right / int(changed.sum()) > 0.6  # recall: a network that is not sure of an image suspects nothing
    assert all(changed[s.index] for s in suspects[:50])


def test_a_single_image_is_no_suspect() -> None:
    assert wrong_labels(torch.tensor([[0.3, 0.7]]), torch.tensor([0])) == []


def test_what_is_no_probability_or_label_is_refused() -> None:
    p = torch.tensor([[0.3, 0.7]])
    with pytest.raises(ValueError, match=r"probabilities of shape \(1, 2\) and labels of \(2,\): must be"):
        wrong_labels(p, torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="logits are none"):
        wrong_labels(torch.tensor([[-3.0, 2.0]]), torch.tensor([0]))
    with pytest.raises(ValueError, match="labels: must be whole numbers from 0 to 1"):
        wrong_labels(p, torch.tensor([2]))
