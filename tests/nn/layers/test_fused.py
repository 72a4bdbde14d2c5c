"""Initialisations of the layers on torch's fused kernels. Their equations are in `test_equations.py`."""

import math

import pytest
import torch
from torch import Tensor

from rnnvision.nn import RECURRENCES
from rnnvision.nn.layers.fused import GRU, LSTM, RNN, FusedLayer, GatedLayer

FEATURES, HIDDEN = 4, 5
FUSED = [name for name, layer in RECURRENCES.items() if issubclass(layer, FusedLayer)]
GATED = [name for name, layer in RECURRENCES.items() if issubclass(layer, GatedLayer)]
KEEP_GATE = {"lstm": 1, "gru": 1}  # f of i, f, g, o; z of r, z, n
CANDIDATE_GATE = {"lstm": 2, "gru": 2}  # g; n

# Initialisations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUSED)
def test_by_default_each_recurrent_gate_is_orthogonal(name: str) -> None:
    layer = RECURRENCES[name](FEATURES, 32)
    for gate in range(layer.num_gates):
        u = layer.gate("weight_hh", gate)
        torch.testing.assert_close(u @ u.T, torch.eye(32), rtol=0, atol=1e-5)
    assert layer.kernel.weight_hh_l0.shape == (layer.num_gates * 32, 32)  # there is no other gate


@pytest.mark.parametrize("name", FUSED)
def test_orthogonal_gates_differ(name: str) -> None:
    layer = RECURRENCES[name](FEATURES, 8)
    gates = {tuple(layer.gate("weight_hh", gate).flatten().tolist()) for gate in range(layer.num_gates)}
    assert len(gates) == layer.num_gates


@pytest.mark.parametrize("name", FUSED)
def test_orthogonal_goes_with_glorot_input_weights_gate_by_gate(name: str) -> None:
    layer = RECURRENCES[name](40, 60, weight_init="orthogonal")
    bound = math.sqrt(6 / (40 + 60))
    for gate in range(layer.num_gates):
        weights = layer.gate("weight_ih", gate)
        assert 0.99 * bound < weights.abs().max() <= bound
        assert weights.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)  # of the uniform distribution


@pytest.mark.parametrize("name", FUSED)
def test_orthogonal_goes_with_zero_biases(name: str) -> None:
    options = {"gate_bias": "torch"} if name in GATED else {}
    layer = RECURRENCES[name](FEATURES, HIDDEN, weight_init="orthogonal", **options)
    assert layer.kernel.bias_ih_l0.count_nonzero() == 0
    assert layer.kernel.bias_hh_l0.count_nonzero() == 0


@pytest.mark.parametrize("name", FUSED)
def test_torch_initialisation_is_torchs_own(name: str) -> None:
    options = {"gate_bias": "torch"} if name in GATED else {}
    torch.manual_seed(3)
    layer = RECURRENCES[name](40, 60, weight_init="torch", **options)
    torch.manual_seed(3)
    reference = RECURRENCES[name].kernel_class(40, 60)
    for key, value in reference.state_dict().items():
        assert torch.equal(layer.kernel.state_dict()[key], value), key
    largest = max(p.abs().max().item() for p in layer.parameters())
    assert 0.99 / math.sqrt(60) < largest <= 1 / math.sqrt(60)


def without_weights(name: str, **options: object) -> GatedLayer:
    layer = RECURRENCES[name](FEATURES, 256, **options).double()
    with torch.no_grad():
        layer.kernel.weight_ih_l0.zero_()
        layer.kernel.weight_hh_l0.zero_()
    return layer


def kept_share(layer: GatedLayer) -> Tensor:
    """How much of the memory, the last part of the state, one token leaves: (D,). For a layer `without_weights`."""
    state = layer.initial_state(1, dtype=torch.float64)
    state = (*state[:-1], torch.full_like(state[-1], 0.3))
    _, after = layer.step(torch.zeros(1, FEATURES).double(), state)
    return (after[-1] / 0.3).squeeze(0).detach()


def let_in_share(layer: GatedLayer, candidate: int) -> Tensor:
    """How much of a new value of 1 one token brings into an empty memory: (D,). For a layer `without_weights`."""
    with torch.no_grad():
        layer.gate("bias_ih", candidate).fill_(50.0)  # tanh(50) = 1
    _, after = layer.step(torch.zeros(1, FEATURES).double(), layer.initial_state(1, dtype=torch.float64))
    return after[-1].squeeze(0).detach()


@pytest.mark.parametrize("options", [{}, {"gate_bias": "forget"}], ids=["default", "forget"])
@pytest.mark.parametrize("name", GATED)
def test_forget_keeps_the_state_by_the_logistic_of_one(name: str, options: dict[str, str]) -> None:
    share = kept_share(without_weights(name, **options))
    torch.testing.assert_close(share, torch.ones(256).double().sigmoid())


@pytest.mark.parametrize("weight_init", ["torch", "orthogonal"])
@pytest.mark.parametrize("name", KEEP_GATE)
def test_forget_biases_sum_to_one_and_leave_the_other_gates(name: str, weight_init: str) -> None:
    torch.manual_seed(3)
    layer = RECURRENCES[name](FEATURES, HIDDEN, weight_init=weight_init, gate_bias="forget")
    torch.manual_seed(3)
    plain = RECURRENCES[name](FEATURES, HIDDEN, weight_init=weight_init, gate_bias="torch")
    for gate in range(layer.num_gates):
        total = layer.gate("bias_ih", gate) + layer.gate("bias_hh", gate)
        before = plain.gate("bias_ih", gate) + plain.gate("bias_hh", gate)
        assert torch.equal(total, torch.ones(HIDDEN) if gate == KEEP_GATE[name] else before)
    assert torch.equal(layer.kernel.weight_hh_l0, plain.kernel.weight_hh_l0)


@pytest.mark.parametrize("name", GATED)
def test_chrono_memories_span_the_sequence(name: str) -> None:
    share = kept_share(without_weights(name, gate_bias="chrono", sequence_length=100))
    u = (share.logit()).exp()  # share = logistic(log u), u uniform in [1, T - 1]
    assert u.min() >= 1
    assert u.max() <= 99
    torch.testing.assert_close(u.sort().values, torch.linspace(1, 99, 256).double(), rtol=0, atol=12)


@pytest.mark.parametrize("name", CANDIDATE_GATE)
def test_chrono_lets_in_what_it_does_not_keep(name: str) -> None:
    layer = without_weights(name, gate_bias="chrono", sequence_length=100)
    kept = kept_share(layer)
    torch.testing.assert_close(let_in_share(layer, CANDIDATE_GATE[name]), 1 - kept)


def test_chrono_input_bias_of_an_lstm_is_the_negative_forget_bias() -> None:
    layer = LSTM(FEATURES, 64, gate_bias="chrono", sequence_length=100)
    bias = layer.kernel.bias_ih_l0 + layer.kernel.bias_hh_l0
    i, f, g, o = bias.split(64)
    assert torch.equal(i, -f)
    assert f.min() >= 0
    assert f.max() <= math.log(99)
    assert g.count_nonzero() == o.count_nonzero() == 0


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("name", GATED)
def test_chrono_of_a_very_short_sequence_stays_between_zero_and_log_two(name: str, length: int) -> None:
    share = kept_share(without_weights(name, gate_bias="chrono", sequence_length=length))
    assert share.min() >= 1 / 2
    assert share.max() <= 2 / 3
    assert share.unique().numel() > 200


@pytest.mark.parametrize(
    ("layer", "option", "value", "legal"),
    [
        (RNN, "weight_init", "orthogonl", ["torch", "orthogonal"]),
        (LSTM, "weight_init", "xavier", ["torch", "orthogonal"]),
        (LSTM, "gate_bias", "forgt", ["torch", "forget", "chrono"]),
        (GRU, "gate_bias", "", ["torch", "forget", "chrono"]),
    ],
)
def test_an_unknown_name_is_told_with_the_legal_ones(
    layer: type[FusedLayer], option: str, value: str, legal: list[str]
) -> None:
    with pytest.raises(ValueError, match=f"^{option}={value}: ") as error:
        layer(FEATURES, HIDDEN, **{option: value})
    assert all(name in str(error.value) for name in legal)
