"""Class weights: those of scikit-learn, and the loss that they make, held to a plain loop."""

import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn

from rnnvision.training import Learner, class_weights

NAMES = tuple("abcde")


@pytest.mark.parametrize("counts", [[10, 10, 10, 10, 10], [600, 150, 30, 5, 1], [1, 2, 3, 4, 5]])
def test_balanced_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    labels = torch.repeat_interleave(torch.arange(5), torch.tensor(counts)).numpy()
    expected = compute_class_weight("balanced", classes=labels[[0]] * 0 + range(5), y=labels)
    assert class_weights(counts, NAMES, class_weight="balanced") == pytest.approx(expected.tolist())


def test_a_class_without_images_has_no_weight_and_takes_none_from_the_others() -> None:
    found = class_weights([30, 0, 10], "abc", class_weight="balanced")
    assert found == pytest.approx([40 / (2 * 30), 0.0, 40 / (2 * 10)])


@pytest.mark.parametrize("factor", [1.0, 1e-4, 50])
def test_of_a_list_only_the_ratios_count(factor: float) -> None:
    counts, typed = [600, 150, 30, 5, 0], [1, 0, 2.5, 10, 3]
    found = class_weights(counts, NAMES, class_weight=[factor * value for value in typed])
    assert found is not None
    assert sum(c * w for c, w in zip(counts, found, strict=True)) / sum(counts) == pytest.approx(1.0)
    assert [w / found[0] for w in found] == pytest.approx([1, 0, 2.5, 10, 0])
    assert class_weights(counts, NAMES) is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("balancd", r"class_weight=balancd: choose balanced, null, or a list .*; did you mean balanced\?$"),
        ("", r"class_weight=: choose balanced, null, or a list of one number a class$"),
        ([1, 2], r"class_weight=\[1, 2\]: gives 2 numbers for 5 classes \(a, b, c, d, e\)$"),
        ([], r"class_weight=\[\]: gives 0 numbers for 5 classes"),
        ([1, 1, -1, 1, 1], r"class_weight=.*: -1 is no number of at least 0$"),
        ([1, 1, float("nan"), 1, 1], r"class_weight=.*: nan is no number of at least 0$"),
        ([1, 1, float("inf"), 1, 1], r"class_weight=.*: inf is no number up to 1e\+09$"),
        ([1, 1, "x", 1, 1], r"class_weight=.*: x is no number of at least 0$"),
        ([1, 1, True, 1, 1], r"class_weight=.*: True is no number of at least 0$"),
        ([0, 0, 0, 0, 3], r"class_weight=.*: leaves no training image with a weight above 0$"),
    ],
)
def test_what_cannot_be_a_weight_is_told(typed: object, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        class_weights([5, 4, 3, 2, 0], NAMES, class_weight=typed)  # type: ignore[arg-type]


# The loss -------------------------------------------------------------------------------------------------------------

WEIGHTS = [0.5, 2.0, 0.0, 7.0]


class Told(nn.Module):
    """Answers with logits that are given as images."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


def learner(**arguments: object) -> Learner:
    return Learner(Told(), num_classes=4, **arguments)  # type: ignore[arg-type]


def by_hand(logits: Tensor, targets: Tensor, smoothing: float) -> float:
    """Sum over images and classes of weight * target * -log p, over the number of images."""
    total = 0.0
    for row, target in zip(logits.double(), targets.double(), strict=True):
        log_p = row - row.exp().sum().log()
        smooth = (1 - smoothing) * target + smoothing / 4
        total -= sum(w * float(t * p) for w, t, p in zip(WEIGHTS, smooth, log_p, strict=True))
    return total / len(logits)


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("autocast", [False, True])
def test_the_training_loss_is_the_weighted_one(mixed: bool, smoothing: float, autocast: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 1, 2, 2, generator=generator)
    labels = torch.tensor([0, 1, 2, 3, 3, 0])
    targets = nn.functional.one_hot(labels, 4).float()
    if mixed:
        targets = 0.7 * targets + 0.3 * targets.roll(1, 0)
    made = learner(class_weight=WEIGHTS, label_smoothing=smoothing)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = made.training_step((images, targets if mixed else labels), 0)
    assert loss.item() == pytest.approx(by_hand(images.flatten(1), targets, smoothing), rel=1e-5)
    assert made.sums.sums[0].item() == pytest.approx(6 * loss.item())  # which is train/loss
    plain = learner(label_smoothing=smoothing)._step((images, targets if mixed else labels))[0]
    assert made._step((images, targets if mixed else labels))[0].item() == plain.item()  # as it is validated


def test_a_batch_of_classes_without_weight_has_a_loss_of_zero() -> None:
    made = learner(class_weight=WEIGHTS)
    assert made.training_step((torch.randn(3, 1, 2, 2), torch.tensor([2, 2, 2])), 0).item() == 0.0


def test_a_checkpoint_is_the_same_with_and_without() -> None:
    assert learner(class_weight=WEIGHTS).state_dict().keys() == learner().state_dict().keys()
    with pytest.raises(ValueError, match=r"^class_weight=\[1.0\]: must be 4 numbers, one a class$"):
        learner(class_weight=[1.0])
