"""Weights of timm's Sequencer2D: the same logits, the published counts, and what is said of weights that do not fit."""

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from rnnvision.nn import Sequencer2D
from rnnvision.nn.networks.timm_weights import from_timm, load_timm_weights
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
        mapped = from_timm(timm.create_model(f"sequencer2d_{variant}", pretrained=False).state_dict())
        expected = ours(variant).state_dict()
    assert {key: value.shape for key, value in mapped.items()} == {k: v.shape for k, v in expected.items()}


def test_sequencer2d_s_gives_the_logits_that_timm_gives() -> None:
    reference, network = theirs("s"), ours("s")
    load_timm_weights(network, reference.state_dict())
    images = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        expected, logits = reference(images), network(images)
    assert expected.std() > 0.01
    assert (logits - expected).abs().max() < 1e-5


def test_logits_and_gradients_are_those_of_timm_on_images_that_are_not_square(small_weights: dict[str, Tensor]) -> None:
    reference, network = theirs(**SMALL, num_classes=7).double(), small().double()
    reference.load_state_dict(small_weights)
    load_timm_weights(network, small_weights)
    images = torch.randn(3, 3, 16, 24, dtype=torch.float64)
    outputs = [made(images).square().sum() for made in (reference, network)]
    for output in outputs:
        output.backward()
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-10, atol=1e-10)
    expected = from_timm({name: parameter.grad for name, parameter in reference.named_parameters()})
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-10)


def test_without_the_head_the_network_keeps_its_own(small_weights: dict[str, Tensor]) -> None:
    network = small(num_classes=4)
    head = network.head.weight.clone()
    load_timm_weights(network, small_weights, with_head=False)
    assert torch.equal(network.head.weight, head)
    assert torch.equal(network.norm.weight, small_weights["norm.weight"])


# Weights that do not fit ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "given", "message"),
    [
        ("s", "m", r"^layers=\[4, 3, 8, 3\]: the weights have \[4, 3, 14, 3\]; .* variant=m$"),
        ("tiny", "s", r"^layers=\[2, 4\]: the weights have \[4, 3, 8, 3\]; .* variant=s$"),
    ],
)
def test_weights_of_another_variant_are_told_by_name(variant: str, given: str, message: str) -> None:
    with torch.device("meta"):
        weights = timm.create_model(f"sequencer2d_{given}", pretrained=False).state_dict()
        network = ours(variant)
    with pytest.raises(ValueError, match=message):
        load_timm_weights(network, weights)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patch_sizes": [2, 4]},
            r"^patch_sizes=\[2, 4\]: the weights have \[4, 2\]; .* layers=\[1, 2\], patch_sizes=",
        ),
        ({"embed_dims": [8, 13]}, r"^embed_dims=\[8, 13\]: the weights have \[8, 12\]"),
        ({"hidden_sizes": [4, 5]}, r"^hidden_sizes=\[4, 5\]: the weights have \[3, 5\]"),
        ({"mlp_ratios": [3.0, 3.0]}, r"^mlp_ratios=\[3\.0, 3\.0\]: the weights have \[3\.0, 2\.0\]"),
        ({"num_classes": 10}, r"^num_classes=10: the weights have 7; .* num_classes=7, or .* with_head=False"),
        ({"input_shape": (1, 16, 24)}, r"^input_shape=\(1, 16, 24\): the weights are for images of 3 channels"),
        ({"recurrence": "gru"}, r"^recurrence: the weights are of LSTMs; build the network with recurrence=lstm"),
    ],
)
def test_weights_of_other_sizes_are_told_by_the_argument(
    small_weights: dict[str, Tensor], arguments: dict[str, Any], message: str
) -> None:
    network = small(**arguments)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        load_timm_weights(network, small_weights)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def renamed(weights: dict[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    return {key.replace(old, new): value for key, value in weights.items()}


@pytest.mark.parametrize("part", ["stem", "blocks.0.norm1", "blocks.1.rnn_tokens.rnn_v.bias_hh_l0_reverse", "head.fc"])
def test_weights_of_another_network_are_told_by_the_key(small_weights: dict[str, Tensor], part: str) -> None:
    strange = renamed(small_weights, part, part + "X")
    key = next(key for key in strange if "X" in key)
    with pytest.raises(ValueError, match=r"^weights: are not those of timm's sequencer2d_s, .*_m or .*_l: ") as error:
        load_timm_weights(small(), strange)
    assert "X" in str(error.value), key


@pytest.mark.parametrize("weights", [{}, {"conv1.weight": torch.ones(1)}, {"state_dict": {}}], ids=["none", "a", "b"])
def test_weights_of_no_sequencer_are_told(weights: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^weights: are not those of timm's sequencer2d_s"):
        load_timm_weights(small(), weights)


def test_a_tensor_of_another_shape_is_told(small_weights: dict[str, Tensor]) -> None:
    key = "stages.0.blocks.0.rnn_tokens.fc.bias"
    with pytest.raises(ValueError, match=r"^weights: stages\.0\.blocks\.0\.mixer\.merge\.bias has shape \(3,\)"):
        load_timm_weights(small(), {**small_weights, key: torch.ones(3)})
