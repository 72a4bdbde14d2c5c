"""Weights of timm's Sequencer2D: the same logits and gradients, and the published counts."""

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from rnnvision.nn import Sequencer2D
from rnnvision.nn.networks.published import published
from tests.nn.cases import randomise

# Millions, of the paper's table (arXiv 2205.01972).
PUBLISHED = {"s": 27.65, "m": 38.31, "l": 54.30}
SMALL: dict[str, Any] = {
    "layers": [1, 2],
    "patch_sizes": [4, 2],
    "embed_dims": [8, 12],
    "hidden_sizes": [3, 5],
    "mlp_ratios": [3.0, 2.0],
}


def theirs(variant: str = "s", **arguments: Any) -> nn.Module:
    network = timm.create_model(f"sequencer2d_{variant}", pretrained=False, **arguments).eval()
    randomise(network, scale=0.1)  # timm's own start has a head of zeros
    return network


def ours(variant: str = "s", num_classes: int = 1000, **arguments: Any) -> Sequencer2D:
    given = {"input_shape": (3, 224, 224), "num_classes": num_classes, **arguments}
    return Sequencer2D(variant=variant, **given).eval()


def small(num_classes: int = 7, **arguments: Any) -> Sequencer2D:
    return ours(**{**SMALL, "input_shape": (3, 16, 24), "num_classes": num_classes, **arguments})


@pytest.fixture(scope="module")
def small_weights() -> dict[str, Tensor]:
    return theirs(**SMALL, num_classes=7).state_dict()


@pytest.mark.parametrize("variant", PUBLISHED)
def test_the_number_of_parameters_is_the_published_one(variant: str) -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in ours(variant).parameters())
    assert round(count / 1e6, 2) == PUBLISHED[variant]


@pytest.mark.parametrize("variant", PUBLISHED)
def test_every_weight_of_timm_has_its_place(variant: str) -> None:
    with torch.device("meta"):
        found = published(timm.create_model(f"sequencer2d_{variant}", pretrained=False).state_dict())
        expected = ours(variant).state_dict()
    assert found.arguments["variant"] == variant
    assert {key: value.shape for key, value in found.weights.items()} == {k: v.shape for k, v in expected.items()}


def test_sequencer2d_s_gives_the_logits_that_timm_gives() -> None:
    reference, network = theirs("s"), ours("s")
    network.load_state_dict(published(reference.state_dict()).weights)
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        expected, logits = reference(images), network(images)
    assert expected.std() > 0.01
    assert (logits - expected).abs().max() < 1e-5


def test_logits_and_gradients_are_those_of_timm_on_images_that_are_not_square(small_weights: dict[str, Tensor]) -> None:
    reference, network = theirs(**SMALL, num_classes=7).double(), small().double()
    reference.load_state_dict(small_weights)
    network.load_state_dict(published(small_weights).weights)
    images = torch.randn(3, 3, 16, 24, dtype=torch.float64)
    outputs = [made(images).square().sum() for made in (reference, network)]
    for output in outputs:
        output.backward()
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-10, atol=1e-10)
    expected = published({name: parameter.grad for name, parameter in reference.named_parameters()}).weights
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-10)
