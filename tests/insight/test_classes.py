"""Scores of classes, reliability and McNemar's test equal those of scikit-learn, torchmetrics and exact arithmetic."""

import math
import random
import subprocess
import sys
from fractions import Fraction

import pytest
import torch
from sklearn.metrics import confusion_matrix as sklearn_matrix
from sklearn.metrics import precision_recall_fscore_support
from torch import Tensor
from torchmetrics.functional.classification import multiclass_calibration_error

from rnnvision import insight
from rnnvision.insight import (
    calibration_error,
    class_scores,
    confusion_matrix,
    disagreements,
    mcnemar_test,
    most_confused,
    names_in,
    reliability_bins,
)
from rnnvision.insight.anytime import _gaps
from rnnvision.training.scores import CalibrationError

NAMES = [f"class {i}" for i in range(7)]


def answers_of(count: int) -> tuple[list[str], list[str]]:
    """Of a classifier that is often right; class 5 is never true, class 6 never answered."""
    draw = random.Random(0)
    truth = [draw.choice([*NAMES[:5], NAMES[6]]) for _ in range(count)]
    return truth, [t if t != NAMES[6] and draw.random() < 0.6 else draw.choice(NAMES[:6]) for t in truth]


def test_scores_and_matrix_are_those_of_scikit_learn() -> None:
    truth, answers = answers_of(300)
    assert names_in(truth, answers) == NAMES
    shuffled = [NAMES[i] for i in (3, 1, 6, 0, 2, 5, 4)]
    for classes in (None, shuffled, [*NAMES, "never seen"]):
        labels = classes or NAMES
        scores = class_scores(truth, answers, classes)
        expected = precision_recall_fscore_support(truth, answers, labels=labels, zero_division=0)
        assert [s.name for s in scores] == labels
        for mine, theirs in zip(
            zip(*[(s.precision, s.recall, s.f1, s.support) for s in scores], strict=True), expected, strict=True
        ):
            assert list(mine) == pytest.approx(list(theirs))
        matrix = confusion_matrix(truth, answers, classes)
        assert matrix == sklearn_matrix(truth, answers, labels=labels).tolist()
        assert [s.answered for s in scores] == [sum(column) for column in zip(*matrix, strict=True)]


def test_the_most_confused_pairs_are_the_largest_counts_off_the_diagonal() -> None:
    truth = [*"aaaaa", *"bbbb", *"cc"]
    answers = [*"bbcaa", *"aacb", *"ac"]
    found = [(pair.truth, pair.answer, pair.count, pair.share) for pair in most_confused(truth, answers, top=4)]
    assert found == [("b", "a", 2, 0.5), ("a", "b", 2, 0.4), ("c", "a", 1, 0.5), ("b", "c", 1, 0.25)]
    assert most_confused(["a"], ["a"]) == []


def calibration_error_by_hand(confidences: list[float], right: list[bool]) -> float:
    """Guo et al. 2017, equation 3, over the 15 bins [k / 15, (k + 1) / 15), of which the last holds 1 too."""
    bins = [next(k for k in range(15) if p < (k + 1) / 15 or k == 14) for p in confidences]
    gaps = [
        abs(sum(ok - p for p, ok, where in zip(confidences, right, bins, strict=True) if where == k)) for k in range(15)
    ]
    return sum(gaps) / len(right)


def two_classes(sure: Tensor) -> Tensor:
    """Probabilities of class 0 of two classes or more whose largest is `sure`: (N,) -> (N, 16)."""
    return torch.cat((sure[:, None], ((1 - sure) / 15)[:, None].expand(-1, 15)), dim=1)


EDGES = [float(torch.tensor(k / 15)) for k in range(1, 16)]  # in float32, as a network gives them
CONFIDENCES = {
    "one": [0.96875, 1.0, 0.96875, 0.96875],  # the second is wrong, the others are less sure than they are right
    "edges": EDGES * 2,
    "beside the edges": [
        float(torch.nextafter(torch.tensor(p), torch.tensor(to))) for p in EDGES[:-1] for to in (0.0, 1.0)
    ],
}


@pytest.mark.parametrize("confidences", CONFIDENCES.values(), ids=CONFIDENCES)
def test_calibration_errors_are_over_fifteen_bins_wherever_they_are_computed(confidences: list[float]) -> None:
    right = [i % 3 != 1 for i in range(len(confidences))]
    expected = calibration_error_by_hand(confidences, right)
    assert calibration_error(confidences, right) == pytest.approx(expected, rel=1e-12)
    bins = reliability_bins(confidences, right)
    assert len(bins) == 15
    assert sum(b.count * abs((b.accuracy or 0) - (b.confidence or 0)) for b in bins) / len(right) == pytest.approx(
        expected
    )
    probabilities, labels = two_classes(torch.tensor(confidences)), torch.tensor([0 if ok else 1 for ok in right])
    of_a_test = CalibrationError()
    for part in range(2):  # in batches
        of_a_test.update(probabilities[part::2], labels[part::2])
    assert of_a_test.compute() == pytest.approx(expected, rel=1e-12)
    gaps = _gaps(torch.tensor(confidences)[:, None], torch.tensor(right)[:, None])  # after one token
    assert float(gaps.abs().sum()) / len(right) == pytest.approx(expected, rel=1e-12)


def test_the_calibration_error_is_that_of_torchmetrics_where_no_answer_is_certain() -> None:
    torch.manual_seed(0)
    for scale in (0.1, 1.0, 3.0):
        probabilities, labels = (scale * torch.randn(500, 4)).softmax(dim=1), torch.randint(4, (500,))
        surest, classes = probabilities.max(dim=1)
        expected = multiclass_calibration_error(probabilities, labels, num_classes=4, n_bins=15)
        found = calibration_error(surest.tolist(), (classes == labels).tolist())
        assert found == pytest.approx(float(expected), abs=1e-6)
        bins = reliability_bins(surest.tolist(), (classes == labels).tolist())
        for k, part in enumerate(bins):
            inside = (surest >= k / 15) & ((surest < (k + 1) / 15) | (k == 14))
            assert part.count == int(inside.sum())
            if part.count:
                assert part.confidence == pytest.approx(float(surest[inside].double().mean()))
                assert part.accuracy == pytest.approx(float((classes == labels)[inside].double().mean()))


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 1), (3, 3), (2, 9), (9, 2), (70, 110), (400, 200)])
def test_mcnemar_is_the_binomial_sum(b: int, c: int) -> None:
    tail = sum(Fraction(math.comb(b + c, i), 2 ** (b + c)) for i in range(min(b, c) + 1))
    assert mcnemar_test(b, c) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-12)


def test_mcnemar_of_many_images_is_near_its_normal_approximation() -> None:
    b, c = 60_000, 60_700
    z = (abs(b - c) - 1) / math.sqrt(b + c)
    assert mcnemar_test(b, c) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-3)


def test_what_does_not_fit_is_refused() -> None:
    assert disagreements([1, 2, 3, 3], [1, 2, 3, 0], [1, 0, 0, 0]) == (2, 0)
    with pytest.raises(ValueError, match="answers=1 of them: must be as many as truth, 2"):
        class_scores(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="classes=a: must hold each class that occurs, such as b"):
        confusion_matrix(["a"], ["b"], ["a"])
    with pytest.raises(ValueError, match="answers=1 and 2: must both be as many as truth, 1"):
        disagreements(["a"], ["a"], ["a", "b"])
    with pytest.raises(ValueError, match="b=-1: must be"):
        mcnemar_test(-1, 0)
    with pytest.raises(ValueError, match="right=0 answers"):
        reliability_bins([0.5], [])
    with pytest.raises(ValueError, match=r"confidences=1.5: must be probabilities"):
        calibration_error([1.5], [True])
    with pytest.raises(ValueError, match="there is no answer"):
        calibration_error([], [])


def test_every_name_is_found_and_what_needs_no_torch_does_without() -> None:
    assert all(getattr(insight, name).__name__ == name for name in insight.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        insight.nothing  # noqa: B018
    program = "import sys; from rnnvision.insight import class_scores, mcnemar_test; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
