"""Gradients over time equal those of the equations written as plain loops; memory equals its closed form."""

import math

import pytest
import torch
from torch import nn

from rnnvision.insight import gradient_flow, memory_length, token_influence
from rnnvision.insight.gradients import differentiable
from rnnvision.nn import MODELS, RECURRENCES, SequenceClassifier, build
from tests.nn.cases import randomise, tiny

T, F, K = 6, 4, 3


def network_of(recurrence: str, **options: object) -> SequenceClassifier:
    torch.manual_seed(0)
    network = SequenceClassifier(
        input_shape=(1, T, F), num_classes=K, recurrence=recurrence, hidden_size=5, **options
    ).double()
    randomise(network)
    return network


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_the_gradients_of_an_lstm_are_those_of_a_loop(readout: str) -> None:
    network = network_of("lstm", readout=readout, dropout=0.5, head_dropout=0.5, num_layers=1).train()
    images, labels = torch.randn(4, 1, T, F, dtype=torch.float64), torch.tensor([0, 2, 1, 1])
    flow = gradient_flow(network, images, labels)
    assert network.training
    kernel = network.recurrence.layers[0].kernel
    states, tokens = torch.zeros(T, dtype=torch.float64), torch.zeros(T, dtype=torch.float64)
    for image, label in zip(images, labels, strict=True):
        h, c = (torch.zeros(5, dtype=torch.float64, requires_grad=True) for _ in range(2))
        rows = [row.clone().requires_grad_() for row in image[0]]
        met, outputs = [], []
        for x in rows:
            met += [h, c]
            i, f, g, o = (
                kernel.weight_ih_l0 @ x + kernel.bias_ih_l0 + kernel.weight_hh_l0 @ h + kernel.bias_hh_l0
            ).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            out = o.sigmoid() * c.tanh()
            outputs.append(out)
            h, c = out.clone(), c.clone()  # what is handed on, apart from what this token's output is made of
        vector = out if readout == "last" else sum(outputs, torch.zeros(())) / T
        loss = -(network.head.weight @ vector + network.head.bias).log_softmax(0)[label]
        found = torch.autograd.grad(loss, [*met, *rows])
        for t in range(T):
            states[t] += torch.cat(found[2 * t : 2 * t + 2]).norm() / 4
            tokens[t] += found[2 * T + t].norm() / 4
    torch.testing.assert_close(flow.states["recurrence.layers.0"], states)
    torch.testing.assert_close(flow.tokens, tokens)


@pytest.mark.parametrize(("factor", "verdict"), [(0.3, "vanishing"), (1.0, "fine"), (3.0, "exploding"), (0.0, "none")])
def test_the_verdict_is_that_of_the_factor_by_which_a_gradient_changes(factor: float, verdict: str) -> None:
    network = network_of("indrnn")
    layer = network.recurrence.layers[0]
    with torch.no_grad():
        layer.recurrent.fill_(factor)
        layer.weight.abs_()
        layer.bias.fill_(1.0)  # all states positive: the layer is linear
    images, labels = torch.rand(2, 1, T, F, dtype=torch.float64), torch.tensor([0, 1])
    flow = gradient_flow(network, images, labels)
    assert flow.ratios["recurrence.layers.0"] == pytest.approx(factor ** (T - 1) if factor else math.nan, nan_ok=True)
    assert flow.verdicts == {"recurrence.layers.0": verdict}


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_memory_is_the_centre_of_mass_of_a_geometric_influence(factor: float) -> None:
    network = network_of("indrnn")
    with torch.no_grad():
        network.recurrence.layers[0].recurrent.fill_(factor)
        network.recurrence.layers[0].weight.abs_()
        network.recurrence.layers[0].bias.fill_(1.0)
    images = torch.rand(3, 1, T, F, dtype=torch.float64)
    influence = token_influence(network, images)
    weights = [factor**back for back in range(T)]
    torch.testing.assert_close(influence.flip(1) / influence[:, -1:], torch.tensor([weights] * 3, dtype=torch.float64))
    expected = sum(back * w for back, w in enumerate(weights)) / sum(weights)
    assert memory_length(network, images).tolist() == pytest.approx([expected] * 3)


def test_the_influence_is_that_of_finite_differences() -> None:
    network = network_of("gru", scan="hilbert", readout="attention").eval()
    images = torch.randn(1, 1, T, F, dtype=torch.float64)
    with torch.no_grad():
        chosen = network(images).argmax()
        found = []
        for i in range(images.numel()):
            step = torch.zeros_like(images)
            step.view(-1)[i] = 1e-6
            found.append((network(images + step) - network(images - step))[0, chosen] / 2e-6)
        expected = network.scan(torch.stack(found).view_as(images)).abs()[..., 0]
    torch.testing.assert_close(token_influence(network, images), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_every_layer_read_token_by_token_gives_the_gradients_of_the_images(recurrence: str) -> None:
    network = network_of(recurrence, num_layers=2, bidirectional=True, block="gated")
    images, labels = torch.randn(1, 1, T, F, dtype=torch.float64), torch.tensor([1])
    with torch.inference_mode():
        flow = gradient_flow(network, images, labels)
    assert all("forward" not in vars(layer) for layer in network.modules())
    x = images.requires_grad_()
    nn.functional.cross_entropy(network(x), labels).backward()
    assert x.grad is not None
    assert flow.tokens is not None
    torch.testing.assert_close(flow.tokens, x.grad[0, 0].norm(dim=1), check_dtype=False, rtol=1e-5, atol=1e-6)
    assert len(flow.states) == (0 if recurrence == "none" else 4)
    assert all(norms.shape == (T,) and norms.isfinite().all() for norms in flow.states.values())


@pytest.mark.parametrize("name", ["renet", "sequencer2d", "encoder_decoder"])
def test_networks_with_several_sequences_have_a_flow(name: str) -> None:
    torch.manual_seed(0)
    arguments = tiny(name)
    network = build(name, **arguments)
    flow = gradient_flow(network, torch.randn(2, *arguments["input_shape"]), torch.tensor([0, 1]))
    assert flow.states
    assert (flow.tokens is None) == (name != "encoder_decoder")


def test_what_has_no_time_is_refused() -> None:
    mlp, images = build("mlp", **tiny("mlp")), torch.zeros(1, 1, 4, 6)
    assert "mlp" in MODELS
    with pytest.raises(ValueError, match="network=MLP: has no recurrent layer"):
        gradient_flow(mlp, images, torch.tensor([0]))
    with pytest.raises(ValueError, match="network=MLP: does not read an image as one sequence"):
        token_influence(mlp, images)
    both = network_of("gru", bidirectional=True)
    with pytest.raises(ValueError, match="does not read in one direction"):
        memory_length(both, torch.zeros(1, 1, T, F, dtype=torch.float64))


@pytest.mark.gpu
def test_gradients_of_cudnn_layers_in_evaluation_mode() -> None:
    network = network_of("lstm").float().eval()
    images, labels = torch.randn(2, 1, T, F), torch.tensor([0, 1])
    here = gradient_flow(network, images, labels)
    there = gradient_flow(network.cuda(), images.cuda(), labels)
    torch.testing.assert_close(there.states, here.states, rtol=1e-3, atol=1e-5)
    with differentiable(network):
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled


def test_the_mode_of_a_network_is_put_back_after_an_error() -> None:
    network = network_of("lstm").train()
    with pytest.raises(ValueError, match="this scan reads"):
        gradient_flow(network, torch.zeros(1, 1, 2, 2, dtype=torch.float64), torch.tensor([0]))
    assert network.training
    assert all("forward" not in vars(layer) for layer in network.modules())
