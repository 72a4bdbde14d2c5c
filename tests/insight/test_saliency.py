"""Saliency equals finite differences; integrated gradients are complete; attention lies where the scan read it."""

import pytest
import torch
from torch import Tensor, nn

from rnnvision.insight import (
    attention_maps,
    completeness_gap,
    gradient_saliency,
    input_times_gradient,
    integrated_gradients,
    scan_path,
)
from rnnvision.nn import build
from rnnvision.nn.networks.encoder_decoder import EncoderDecoder
from tests.nn.cases import randomise, tiny

IMAGES = (2, 2, 4, 6)


def network_of(**options: object) -> nn.Module:
    torch.manual_seed(0)
    network = build("sequence_classifier", input_shape=IMAGES[1:], num_classes=3, hidden_size=5, **options).double()
    randomise(network)
    return network


def score(network: nn.Module, images: Tensor, classes: Tensor, of: str) -> Tensor:
    with torch.no_grad():
        logits = network(images)
    values = logits if of == "logit" else torch.log(logits.exp() / logits.exp().sum(dim=1, keepdim=True))
    return values.gather(1, classes.unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("of", ["logit", "log_probability"])
def test_gradients_are_finite_differences(of: str) -> None:
    network, images = network_of(head_dropout=0.5).eval(), torch.randn(IMAGES, dtype=torch.float64)
    classes = torch.tensor([2, 0])
    slopes = torch.empty(IMAGES, dtype=torch.float64)
    for c, y, x in torch.cartesian_prod(*(torch.arange(side) for side in IMAGES[1:])).tolist():
        step = torch.zeros(IMAGES, dtype=torch.float64)
        step[:, c, y, x] = 1e-6
        slopes[:, c, y, x] = score(network, images + step, classes, of) - score(network, images - step, classes, of)
    slopes /= 2e-6
    network.train()
    found = gradient_saliency(network, images, classes, of=of)
    assert network.training
    torch.testing.assert_close(found, slopes.abs().amax(dim=1), rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(
        input_times_gradient(network, images, classes, of=of), (images * slopes).sum(dim=1), rtol=1e-5, atol=1e-8
    )


@pytest.mark.parametrize("of", ["logit", "log_probability"])
def test_integrated_gradients_are_complete(of: str) -> None:
    network, images = network_of().eval(), 2 * torch.randn(IMAGES, dtype=torch.float64)
    baseline = torch.rand(IMAGES[1:], dtype=torch.float64)
    likeliest = network(images).argmax(dim=1)
    total = score(network, images, likeliest, of) - score(network, baseline.expand_as(images), likeliest, of)
    gaps = []
    for steps in (4, 64):
        maps = integrated_gradients(network, images, of=of, baseline=baseline, steps=steps)
        assert maps.shape == (2, 4, 6)
        gap = completeness_gap(network, images, maps, of=of, baseline=baseline)
        torch.testing.assert_close(gap, (maps.sum(dim=(1, 2)) - total).abs() / total.abs())
        gaps.append(float(gap.max()))
    assert gaps[1] < 1e-3 < gaps[0]


def test_of_a_linear_network_integrated_gradients_are_input_times_gradient() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 3))
    images, classes = torch.randn(IMAGES), torch.tensor([1, 2])
    expected = (images * network[1].weight[classes].view(IMAGES)).sum(dim=1)
    torch.testing.assert_close(integrated_gradients(network, images, classes, steps=1), expected)
    torch.testing.assert_close(input_times_gradient(network, images, classes), expected)
    with pytest.raises(ValueError, match="of=logits: choose one of logit, log_probability; did you mean logit"):
        gradient_saliency(network, images, of="logits")


def test_attention_lies_on_the_pixels_of_its_tokens() -> None:
    network = network_of(scan="snake", patch_size=2, readout="attention", bidirectional=True, head_dropout=0.5).train()
    images = torch.randn(IMAGES, dtype=torch.float64)
    maps = attention_maps(network, images)
    assert network.training
    network.eval()
    weights = network.readout.weights(network.states(images))
    assert maps.shape == (2, 1, 4, 6)
    for t, (row, column) in enumerate(scan_path(network).tolist()):
        for y in (row - 0.5, row + 0.5):
            for x in (column - 0.5, column + 0.5):
                torch.testing.assert_close(maps[:, 0, int(y), int(x)], weights[:, t])
    torch.testing.assert_close(maps.sum(dim=(1, 2, 3)), torch.full((2,), 4.0, dtype=torch.float64))


@pytest.mark.parametrize("name", ["encoder_decoder", "renet", "vision_lstm"])
def test_every_network_with_attention_has_maps(name: str) -> None:
    torch.manual_seed(0)
    arguments = tiny(name) | ({} if name == "encoder_decoder" else {"readout": "attention"})
    network = build(name, **arguments).eval()
    images = torch.randn(2, *arguments["input_shape"])
    maps = attention_maps(network, images)
    glimpses = network.num_glimpses if isinstance(network, EncoderDecoder) else 1
    assert maps.shape == (2, glimpses, *arguments["input_shape"][1:])
    tokens = maps.flatten(2).unique(dim=2).shape[2]
    assert tokens > 1
    pixels = {"encoder_decoder": 6, "renet": 4, "vision_lstm": 4}[name]  # of a token
    torch.testing.assert_close(maps.sum(dim=(2, 3)), torch.full((2, glimpses), float(pixels)))


def test_the_cells_of_a_renet_are_in_their_place() -> None:
    network = build("renet", **tiny("renet"), readout="attention").eval()
    images = torch.randn(1, 1, 4, 6)
    grid = network.forward_grid(images)  # (1, 2, 3, D)
    weights = network.readout.weights(grid.flatten(1, 2)).view(2, 3).detach()
    maps = attention_maps(network, images)[0, 0]
    for y in range(4):
        for x in range(6):
            assert maps[y, x] == pytest.approx(float(weights[y // 2, x // 2]))


def test_what_has_no_attention_or_path_is_refused() -> None:
    with pytest.raises(ValueError, match="network=SequenceClassifier: has no attention"):
        attention_maps(network_of(), torch.zeros(IMAGES, dtype=torch.float64))
    with pytest.raises(ValueError, match="network=Linear: does not read an image as one sequence"):
        scan_path(nn.Linear(2, 2))
