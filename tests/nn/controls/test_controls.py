"""Controls: torchvision's networks are torchvision's own, and all fit pictures of other sizes and channels."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torchvision.models import VisionTransformer, resnet18

from rnnvision.nn import build
from rnnvision.nn.controls.feedforward import CONTROLS, MLP
from rnnvision.nn.controls.torchvision_networks import TORCHVISION_CONTROLS

ALL = {**CONTROLS, **TORCHVISION_CONTROLS}


def test_resnet18_with_the_stem_of_the_paper_is_torchvisions() -> None:
    mine = build("resnet18", input_shape=(3, 64, 64), num_classes=7, stem_size=7, stem_stride=2, stem_pool=True).eval()
    reference = resnet18(num_classes=7).eval()
    weights = {f"body.{k}": v for k, v in reference.state_dict().items() if not k.startswith("fc.")}
    mine.load_state_dict(weights | {f"head.{k}": v for k, v in reference.fc.state_dict().items()})
    image = torch.randn(2, 3, 64, 64)
    assert torch.equal(mine(image), reference(image))


def test_vit_is_torchvisions() -> None:
    mine = build("vit", input_shape=(3, 16, 16), num_classes=7, patch_size=8, hidden_size=128, num_layers=2).eval()
    reference = VisionTransformer(16, 8, 2, num_heads=2, hidden_dim=128, mlp_dim=512, num_classes=7).eval()
    weights = {f"body.{k}": v for k, v in reference.state_dict().items() if not k.startswith("heads.")}
    mine.load_state_dict(weights | {f"head.{k}": v for k, v in reference.heads.head.state_dict().items()})
    image = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(mine(image), reference(image))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 4, 4)])
def test_controls_fit_small_pictures_of_any_number_of_channels(name: str, shape: tuple[int, ...]) -> None:
    network = build(name, input_shape=shape, num_classes=3)
    assert network(torch.randn(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize("name", ["cnn", "resnet18"])
def test_convolutions_see_as_far_as_they_are_told(name: str) -> None:
    """Small stems keep the picture's size in the first stage."""
    network = build(name, input_shape=(1, 28, 28), num_classes=3)
    seen: list[torch.Size] = []
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    with first.register_forward_hook(lambda _, inputs, output: seen.append(output.shape[2:])):
        network(torch.randn(2, 1, 28, 28))
    assert seen == [(28, 28)]


@pytest.mark.parametrize(
    ("arguments", "hidden_layers"), [({}, 2), ({"num_layers": 1, "hidden_size": 5}, 1), ({"num_layers": 3}, 3)]
)
def test_a_perceptron_is_its_formula(arguments: dict[str, Any], hidden_layers: int) -> None:
    network = build("mlp", input_shape=(2, 3, 4), num_classes=3, **arguments).double().eval()
    image = torch.randn(5, 2, 3, 4).double()
    x = image.reshape(5, 24)
    matrices = [(p, b) for p, b in zip(*[iter(network.layers.parameters())] * 2, strict=True)]
    assert len(matrices) == hidden_layers
    for weight, bias in matrices:
        x = (x @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(network(image), x @ network.head.weight.T + network.head.bias)


def test_logistic_regression_is_linear_in_the_pixels() -> None:
    network = build("logistic", input_shape=(2, 3, 4), num_classes=3)
    image = torch.randn(5, 2, 3, 4)
    torch.testing.assert_close(network(image), image.reshape(5, 24) @ network.head.weight.T + network.head.bias)
    assert sum(p.numel() for p in network.parameters()) == 25 * 3


def test_vit_refuses_the_positions_of_another_number_of_patches() -> None:
    small, large = (build("vit", input_shape=(1, side, side), num_classes=3, num_layers=1) for side in (8, 16))
    with pytest.raises(ValueError, match=r"^input_shape: these weights have learned 4 positions, .* reads 16 patches"):
        large.load_state_dict(small.state_dict())


def test_rnnvision_nn_does_not_import_torchvision_until_it_is_needed() -> None:
    code = "import sys, rnnvision.nn as nn; nn.build('cnn', input_shape=(1, 8, 8), num_classes=2); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "rnnvision.nn.controls.torchvision_networks" in loaded
    assert not {"torchvision", "sklearn", "lightning"} & set(loaded)


def test_a_perceptron_drops_after_each_hidden_layer_in_training_only() -> None:
    network = MLP(input_shape=(1, 2, 2), num_classes=3, hidden_size=500, num_layers=2, dropout=0.5).eval()
    x = torch.rand(1, 1, 2, 2)
    assert torch.equal(network(x), network(x))
    for layer in network.layers:
        whole = layer.eval()(torch.ones(1, layer[0].in_features))
        dropped = layer.train()(torch.ones(1, layer[0].in_features))
        kept = dropped != 0
        assert 0.35 < kept[whole > 0].float().mean() < 0.65
        torch.testing.assert_close(dropped[kept], 2 * whole[kept])
