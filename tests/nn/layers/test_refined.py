"""Layers without a fused kernel: initialisations, half precision. Their equations are tested with all others."""

import math

import pytest
import torch
from torch import nn

from rnnvision.nn import RECURRENCES
from rnnvision.nn.layers.fused import LSTM
from rnnvision.nn.layers.indrnn import IndRNN
from rnnvision.nn.layers.position_wise import PositionWise
from rnnvision.nn.layers.refined import URGRU, URLSTM, RefinedLayer

BATCH, FEATURES, HIDDEN = 3, 4, 32
REFINED = pytest.mark.parametrize("kind", [URLSTM, URGRU])


@REFINED
def test_uniform_gates_span_all_shares(kind: type[RefinedLayer]) -> None:
    """With no weights the gate f is uniform in [1/D, 1 - 1/D], and the refine gate 1 - f."""
    layer = kind(FEATURES, 256)
    with torch.no_grad():
        layer.weight_ih.zero_()
    gates = layer.project(torch.zeros(1, FEATURES)).sigmoid().squeeze(0)
    f, r = gates[:256], gates[256:512]
    assert f.min() >= 1 / 256 - 1e-6
    assert f.max() <= 1 - 1 / 256 + 1e-6
    torch.testing.assert_close(f.sort().values, torch.linspace(0, 1, 256), rtol=0, atol=0.12)
    torch.testing.assert_close(r, 1 - f)
    assert gates[512:].sub(0.5).count_nonzero() == 0


@REFINED
@pytest.mark.parametrize("hidden_size", [1, 2])
def test_uniform_gates_of_the_narrowest_layers_are_halves(kind: type[RefinedLayer], hidden_size: int) -> None:
    assert kind(FEATURES, hidden_size).bias.abs().max() < 1e-6


@REFINED
def test_recurrent_gates_are_orthogonal_and_differ(kind: type[RefinedLayer]) -> None:
    gates = kind(FEATURES, HIDDEN).weight_hh.detach().chunk(4)
    for u in gates:
        torch.testing.assert_close(u @ u.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)
    assert len({u[0, 0].item() for u in gates}) == 4


@REFINED
def test_input_weights_are_glorots_gate_by_gate(kind: type[RefinedLayer]) -> None:
    bound = math.sqrt(6 / (40 + 60))
    for w in kind(40, 60).weight_ih.chunk(4):
        assert 0.99 * bound < w.abs().max() <= bound


@pytest.mark.parametrize("length", [1, 2, 784])
def test_no_independent_feature_more_than_doubles_over_the_sequence(length: int) -> None:
    layer = IndRNN(FEATURES, 4096, sequence_length=length)
    assert layer.recurrent.min() >= 0
    growth = layer.recurrent.double().max().pow(length)
    assert 2 * 0.99**length < growth <= 2 + 1e-3
    assert layer.bias.count_nonzero() == 0


def test_independent_input_weights_are_hes() -> None:
    bound = math.sqrt(6 / 40)
    assert 0.99 * bound < IndRNN(40, 60).weight.abs().max() <= bound


def test_an_independent_network_needs_a_sequence() -> None:
    with pytest.raises(ValueError, match=r"^sequence_length=0: "):
        IndRNN(FEATURES, HIDDEN, sequence_length=0)


@pytest.mark.parametrize(("input_size", "hidden_size"), [(28, 128), (128, 128), (1, 64)])
def test_no_recurrence_is_as_large_as_an_lstm(input_size: int, hidden_size: int) -> None:
    def matrices(layer: nn.Module) -> int:
        return sum(p.numel() for p in layer.parameters() if p.ndim == 2)

    assert matrices(PositionWise(input_size, hidden_size)) == matrices(LSTM(input_size, hidden_size))


def test_no_recurrence_sees_one_token_at_a_time() -> None:
    layer, x = PositionWise(FEATURES, HIDDEN), torch.randn(BATCH, 7, FEATURES)
    order = torch.randperm(7)
    torch.testing.assert_close(layer(x[:, order])[0], layer(x)[0][:, order])
    assert layer(x)[1] == layer.initial_state(BATCH) == ()


@pytest.mark.parametrize("name", RECURRENCES)
def test_half_precision_follows_full_precision_forward_and_backward(name: str) -> None:
    if name == "lstm" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("PyTorch has no LSTM in bfloat16 for this processor")
    layer, x = RECURRENCES[name](FEATURES, HIDDEN), torch.randn(BATCH, 28, FEATURES)
    expected, _ = layer(x)
    gradients = torch.autograd.grad(expected.square().sum(), list(layer.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        states, state = layer(x)
        first, half = layer(x[:, :14])
        second, _ = layer(x[:, 14:], half)
    torch.testing.assert_close(states.float(), expected, rtol=0.05, atol=0.05)
    torch.testing.assert_close(torch.cat((first, second), dim=1), states, rtol=0.02, atol=0.02)
    assert [s.shape for s in state] == [s.shape for s in layer.initial_state(BATCH)]
    found = torch.autograd.grad(states.float().square().sum(), list(layer.parameters()))
    for mine, reference in zip(found, gradients, strict=True):
        assert mine.dtype == torch.float32
        assert (mine - reference).norm() < 0.1 * reference.norm() + 1e-3
