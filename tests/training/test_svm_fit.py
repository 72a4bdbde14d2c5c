"""Support vector machines: decided in torch as scikit-learn decides, with probabilities that mean something."""

import sys

import pytest
import sklearn
import torch
from sklearn.datasets import load_digits
from sklearn.svm import SVC, LinearSVC
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnvision.nn import MODELS, build, fits_in_one_go
from rnnvision.nn.controls.svm import SVMS
from rnnvision.training import TrainingError
from rnnvision.training.svm_fit import best_temperature, fit_in_one_go

KINDS = pytest.mark.parametrize("kind", SVMS)
CLASSES = pytest.mark.parametrize("num_classes", [2, 3, 10])


def digits(num_classes: int) -> tuple[Tensor, Tensor]:
    found = load_digits()
    chosen = found.target < num_classes
    return torch.from_numpy(found.images[chosen] / 16).unsqueeze(1), torch.from_numpy(found.target[chosen])


def fitted(kind: str, num_classes: int, **arguments: object) -> tuple[nn.Module, Tensor, Tensor, int]:
    """In float64, on the first two thirds of the digits; and all of the digits, and how many those are."""
    images, labels = digits(num_classes)
    count = len(images) * 2 // 3
    network = build(kind, input_shape=(1, 8, 8), num_classes=num_classes, **arguments).double()
    fit_in_one_go(network, (images[:count], labels[:count]), (images[count:], labels[count:]))
    return network.eval(), images, labels, count


def decisions(network: nn.Module, images: Tensor) -> Tensor:
    return network.decide(network.forward_features(images)).detach()


@CLASSES
@pytest.mark.parametrize("cost", [1.0, 0.05])
def test_the_kernel_machine_decides_as_scikit_learn_does(num_classes: int, cost: float) -> None:
    network, images, labels, count = fitted("rbf_svm", num_classes, cost=cost)
    x = images.flatten(1).numpy()
    machine = SVC(C=cost, break_ties=True).fit(x[:count], labels[:count].numpy())
    expected = torch.from_numpy(machine.predict(x))
    machine.set_params(decision_function_shape="ovo", break_ties=False)
    pairs = torch.from_numpy(machine.decision_function(x)).reshape(len(x), -1) * (-1 if num_classes == 2 else 1)
    found = network.head(network.forward_features(images)).detach()
    torch.testing.assert_close(found, pairs, rtol=0, atol=1e-6)  # gamma passes through float32
    assert torch.equal(decisions(network, images).argmax(dim=1), expected)
    assert len(network.vectors) == len(machine.support_vectors_)


@pytest.mark.parametrize("num_classes", [3, 10])
def test_the_kernel_machines_classes_are_scored_as_by_scikit_learn(num_classes: int) -> None:
    network, images, labels, count = fitted("rbf_svm", num_classes, gamma=0.5)
    x = images.flatten(1).numpy()
    machine = SVC(gamma=0.5, decision_function_shape="ovr").fit(x[:count], labels[:count].numpy())
    expected = torch.from_numpy(machine.decision_function(x))
    torch.testing.assert_close(decisions(network, images), expected, rtol=0, atol=1e-10)


@CLASSES
def test_the_linear_machine_decides_as_scikit_learn_does(num_classes: int) -> None:
    network, images, labels, count = fitted("linear_svm", num_classes, cost=0.1)
    x = images.flatten(1).numpy()
    machine = LinearSVC(C=0.1, dual=False).fit(x[:count], labels[:count].numpy())
    expected = torch.from_numpy(machine.decision_function(x))
    found = decisions(network, images)
    torch.testing.assert_close(found if num_classes > 2 else found[:, 1], expected, rtol=0, atol=1e-10)
    assert torch.equal(found.argmax(dim=1), torch.from_numpy(machine.predict(x)))


@KINDS
def test_single_precision_decides_alike(kind: str) -> None:
    network, images, _, _ = fitted(kind, 10)
    expected = network(images).argmax(dim=1)
    assert (network.float()(images.float()).argmax(dim=1) == expected).float().mean() > 0.998


@KINDS
def test_the_temperature_moves_no_decision_and_is_the_best(kind: str) -> None:
    network, images, labels, count = fitted(kind, 10)
    scores, unseen = decisions(network, images[count:]), labels[count:]
    assert torch.equal(network(images[count:]).argmax(dim=1), scores.argmax(dim=1))
    best = network.temperature.item()

    def loss(temperature: float) -> float:
        return cross_entropy(scores / temperature, unseen, label_smoothing=10 / (len(unseen) + 10)).item()

    assert loss(best) < min(loss(best * 1.1), loss(best / 1.1))
    assert best == pytest.approx(best_temperature(scores, unseen), rel=1e-6)


def test_the_temperature_of_faultless_scores_is_not_nothing() -> None:
    labels = torch.arange(4).repeat(25)
    scores = nn.functional.one_hot(labels).double()
    # softmax(1 / t) = (n + 1) / (n + K), so 1 / t = log((n + 1) / 1)
    assert 1 / best_temperature(scores, labels) == pytest.approx(torch.tensor(101.0).log().item(), rel=1e-3)


def test_a_fit_says_what_makes_the_network_again() -> None:
    images, labels = digits(10)
    arguments = {"name": "rbf_svm", "input_shape": (1, 8, 8), "num_classes": 10}
    network = build(**arguments)
    changed = fit_in_one_go(network, (images.float(), labels), (images.float(), labels))
    again = build(**arguments | changed)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(images.float()), network(images.float()))


@KINDS
def test_a_class_without_an_image_is_named(kind: str) -> None:
    images, labels = digits(3)
    network = build(kind, input_shape=(1, 8, 8), num_classes=4)
    with pytest.raises(TrainingError, match="class 3 has no training image"):
        fit_in_one_go(network, (images.float(), labels), (images.float(), labels))


@KINDS
def test_half_precision_around_it_moves_nothing(kind: str) -> None:
    network, images, _, _ = fitted(kind, 10)
    network, images = network.float(), images.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(images)
    assert torch.equal(found, network(images))


@KINDS
def test_what_to_install_is_told(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    monkeypatch.delattr(sklearn, "svm")
    with pytest.raises(TrainingError, match=r'^[^\n]*scikit-learn: pip install "scikit-learn>=1.5"$'):
        fitted(kind, 2)


def test_only_these_are_fitted() -> None:
    assert {name for name in MODELS if fits_in_one_go(name)} == set(SVMS)
