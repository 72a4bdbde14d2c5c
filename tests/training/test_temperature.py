"""Temperature: the one that SciPy finds, finite whatever the logits, and no answer changes."""

import math

import pytest
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnvision.nn import build
from rnnvision.training import Calibration, fit_temperature
from rnnvision.training.temperature import RANGE


def made(number: int, classes: int, scale: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, and labels drawn from softmax(logits / scale): the temperature that fits them is about `scale`."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(number, classes, generator=generator)
    labels = (logits / scale).softmax(dim=1).multinomial(1, generator=generator).squeeze(1)
    return logits, labels


def by_scipy(logits: Tensor, labels: Tensor) -> float:
    """The minimum of the definition, in float64: one image more, answered by chance."""
    smoothing = 1 / (len(labels) + 1)

    def loss(log_t: float) -> float:
        return float(cross_entropy(logits.double() / math.exp(log_t), labels, label_smoothing=smoothing))

    low, high = (-math.log(b) for b in reversed(RANGE))
    return math.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).x)


@pytest.mark.parametrize("scale", [0.3, 0.9, 1.0, 2.5, 8.0])
@pytest.mark.parametrize(("number", "classes"), [(400, 2), (3000, 10), (50, 100)])
def test_it_is_the_minimum_that_scipy_finds(number: int, classes: int, scale: float) -> None:
    logits, labels = made(number, classes, scale)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(by_scipy(logits, labels), rel=2e-3)
    if number == 3000:
        assert found == pytest.approx(scale, rel=0.1)


@pytest.mark.parametrize("factor", [0.02, 50.0])
@pytest.mark.parametrize("shift", [-1e4, 1e3])
def test_it_follows_the_scale_of_the_logits_and_not_their_height(factor: float, shift: float) -> None:
    logits, labels = made(2000, 10, 1.0)
    expected = factor * fit_temperature(logits, labels)
    found = fit_temperature(factor * logits, labels)
    assert found == pytest.approx(expected, rel=2e-3)
    assert fit_temperature(logits + shift, labels) == pytest.approx(expected / factor, rel=1e-2)


@pytest.mark.parametrize("number", [10, 1000])
def test_a_network_that_is_always_right_stays_finite_and_not_wholly_sure(number: int) -> None:
    labels = torch.arange(number) % 5
    logits = 4.0 * torch.nn.functional.one_hot(labels, 5)
    found = fit_temperature(logits, labels)
    sure = float((logits / found).softmax(dim=1).max())
    # One more image, answered by chance: 1 - p is (4 / 5) / (N + 1).
    assert 1 - sure == pytest.approx(0.8 / (number + 1), rel=0.02)


def test_logits_that_say_nothing_end_at_the_limit_of_the_range() -> None:
    logits, labels = made(500, 4, 1.0)
    assert fit_temperature(torch.zeros_like(logits), labels) == pytest.approx(1.0)
    wrong = 5.0 * torch.nn.functional.one_hot((labels + 1) % 4, 4)  # the surer the worse
    assert fit_temperature(wrong, labels) == pytest.approx(1 / RANGE[0], rel=0.01)


def test_it_lowers_the_loss_and_changes_no_answer() -> None:
    logits, labels = made(1000, 10, 3.0)
    found = fit_temperature(logits.half(), labels)
    assert float(cross_entropy(logits / found, labels)) < float(cross_entropy(logits, labels))
    assert torch.equal((logits / found).argmax(dim=1), logits.argmax(dim=1))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_cannot_be_fitted_is_refused(bad: float) -> None:
    logits, labels = made(10, 3, 1.0)
    logits[3, 1] = bad
    with pytest.raises(ValueError, match=r"^logits: must be finite$"):
        fit_temperature(logits, labels)
    with pytest.raises(ValueError, match=r"^logits: there is no image to fit a temperature on$"):
        fit_temperature(logits[:0], labels[:0])


def test_answers_on_the_way_that_are_not_finite_cost_no_score() -> None:
    """A training has ended, and its last answers can be calibrated."""
    network = build(name="sequence_classifier", input_shape=(1, 4, 4), num_classes=3, hidden_size=4).eval()
    logits, labels = made(5, 3, 1.0)
    calibration = Calibration()
    calibration.add(network, torch.full((5, 1, 4, 4), math.nan), logits, labels)
    assert calibration.fit().keys() == {"temperature"}
