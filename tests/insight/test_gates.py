"""Gates: the states follow from them by the equations of the layers, and saturation counts what it says."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rnnvision.insight import gate_values, network_gates, saturation
from rnnvision.insight.gates import GATES
from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.layers import RecurrentLayer
from tests.nn.cases import randomise
from tests.oracles import matrix_memory

FEATURES, HIDDEN = 4, 6


def positive(v: Tensor) -> Tensor:
    return torch.where(v >= 0, v + 0.5, 1 / (1 + torch.exp(-v)))


# Each: (gates of this token, the layer's weights, token, the state before) -> the state, its output first, by the
# equations of the layer's docstring, with gates as given and the candidate computed here.
State = tuple[Tensor, ...]


def lstm(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    h, c = state
    candidate = torch.tanh(
        x @ w["kernel.weight_ih_l0"][2 * HIDDEN : 3 * HIDDEN].T
        + h @ w["kernel.weight_hh_l0"][2 * HIDDEN : 3 * HIDDEN].T
        + (w["kernel.bias_ih_l0"] + w["kernel.bias_hh_l0"])[2 * HIDDEN : 3 * HIDDEN]
    )
    c = g["forget"] * c + g["input"] * candidate
    return g["output"] * torch.tanh(c), c


def gru(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    (h,) = state
    of_state = h @ w["kernel.weight_hh_l0"][2 * HIDDEN :].T + w["kernel.bias_hh_l0"][2 * HIDDEN :]
    of_input = x @ w["kernel.weight_ih_l0"][2 * HIDDEN :].T + w["kernel.bias_ih_l0"][2 * HIDDEN :]
    return ((1 - g["keep"]) * torch.tanh(of_input + g["reset"] * of_state) + g["keep"] * h,)


def mixing(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    candidate = positive(x @ w["affine.weight"][-HIDDEN:].T + w["affine.bias"][-HIDDEN:])
    keep = g["forget"] / (g["forget"] + g["input"]) if "forget" in g else g["keep"]
    torch.testing.assert_close(keep, g["keep"])
    return (keep * state[0] + (1 - keep) * candidate,)


def rglru(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    u = x @ w["entry.weight"].T + w["entry.bias"]
    keep = torch.sigmoid(w["decay"]) ** (8 * g["recurrence"])
    torch.testing.assert_close(keep, g["keep"])
    return (keep * state[0] + torch.sqrt(1 - keep**2) * g["input"] * u,)


def refined_share(g: dict[str, Tensor]) -> Tensor:
    f, r = g["forget"], g["refine"]
    torch.testing.assert_close(g["keep"], r * (1 - (1 - f) ** 2) + (1 - r) * f**2)
    return g["keep"]


def ur_lstm(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    h, c = state
    maps = x @ w["weight_ih"][3 * HIDDEN :].T + h @ w["weight_hh"][3 * HIDDEN :].T + w["bias"][2 * HIDDEN :]
    c = refined_share(g) * c + (1 - g["keep"]) * torch.tanh(maps)
    return g["output"] * torch.tanh(c), c


def ur_gru(g: dict[str, Tensor], w: dict[str, Tensor], x: Tensor, state: State) -> State:
    (h,) = state
    of_input = x @ w["weight_ih"][3 * HIDDEN :].T + w["bias"][2 * HIDDEN :]
    candidate = torch.tanh(of_input + g["reset"] * (h @ w["weight_hh"][3 * HIDDEN :].T))
    return (refined_share(g) * h + (1 - g["keep"]) * candidate,)


EQUATIONS: dict[str, Callable[..., State]] = {
    "lstm": lstm,
    "gru": gru,
    "mingru": mixing,
    "minlstm": mixing,
    "rglru": rglru,
    "ur_lstm": ur_lstm,
    "ur_gru": ur_gru,
}
GATED = [name for name, kind in RECURRENCES.items() if kind in GATES]


def made(name: str, **options: object) -> RecurrentLayer:
    torch.manual_seed(0)
    layer = RECURRENCES[name](FEATURES, HIDDEN, 7, **options).double()
    randomise(layer)
    return layer


@pytest.mark.parametrize("name", [name for name in GATED if name != "mlstm"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_states_follow_from_the_gates(name: str, batch: int) -> None:
    layer = made(name)
    x = torch.randn(batch, 7, FEATURES, dtype=torch.float64)
    start = tuple(torch.rand_like(s) for s in layer.initial_state(batch))
    gates = gate_values(layer, x, start)
    weights = {name: parameter.detach() for name, parameter in layer.named_parameters()}
    state, states = start, []
    for t in range(7):
        state = EQUATIONS[name]({gate: values[:, t] for gate, values in gates.items()}, weights, x[:, t], state)
        states.append(state[0])
    torch.testing.assert_close(torch.stack(states, dim=1), layer(x, start)[0].detach())


def test_the_outputs_of_an_mlstm_follow_from_its_gates() -> None:
    layer = made("mlstm", num_heads=2)
    x = torch.randn(3, 7, FEATURES, dtype=torch.float64)
    gates = gate_values(layer, x)
    q, k, v, _ = (part.unflatten(-1, (2, 3)).transpose(1, 2) for part in layer.project(x).chunk(4, dim=-1))
    i = layer.memory.gates(x)[..., :2].transpose(1, 2)
    f = gates["forget"].log().transpose(1, 2)
    h, _ = matrix_memory(q, k / 3**0.5, v, i, f, layer.initial_state(3))
    expected = gates["output"] * layer.memory._joined(h.transpose(1, 2))
    torch.testing.assert_close(layer(x)[0], expected)
    assert list(gate_values(made("mlstm", forget_gate="exponential"), x)) == ["output"]


@pytest.mark.parametrize("name", GATED)
def test_every_gate_of_a_network_is_between_0_and_1_and_moves(name: str) -> None:
    network = build(
        "sequence_classifier",
        input_shape=(1, 5, 4),
        num_classes=2,
        recurrence=name,
        hidden_size=6,
        num_layers=2,
        bidirectional=True,
        dropout=0.5,
    ).train()
    randomise(network)
    images = torch.randn(3, 1, 5, 4)
    found = network_gates(network, images)
    assert list(found) == [f"recurrence.{kind}.{i}" for kind in ("layers", "backward_layers") for i in range(2)]
    assert network.training
    network.eval()
    tokens = network.tokens(images)
    torch.testing.assert_close(found["recurrence.layers.0"], gate_values(network.recurrence.layers[0], tokens))
    torch.testing.assert_close(
        found["recurrence.backward_layers.0"], gate_values(network.recurrence.backward_layers[0], tokens.flip(1))
    )
    for gates in found.values():
        for values in gates.values():
            assert values.shape[:2] == (3, 5)
            assert 0 <= values.min() < values.max() <= 1


def test_a_decoder_that_reads_glimpse_by_glimpse_has_its_gates_in_time() -> None:
    torch.manual_seed(0)
    network = build("encoder_decoder", input_shape=(1, 5, 4), num_classes=2, hidden_size=6, num_glimpses=3).eval()
    found = network_gates(network, torch.randn(2, 1, 5, 4))
    assert {name: gates["forget"].shape[1] for name, gates in found.items()} == {
        "recurrence.layers.0": 5,
        "decoder.layers.0": 3,
    }


def test_saturation_counts_each_unit() -> None:
    gate = torch.rand(4, 5, 3)
    found = saturation(gate)
    for unit in range(3):
        values = gate[..., unit].flatten().tolist()
        assert found.shut[unit] == pytest.approx(sum(v < 0.1 for v in values) / 20)
        assert found.open[unit] == pytest.approx(sum(v > 0.9 for v in values) / 20)
    with pytest.raises(ValueError, match=r"gate of shape \(5, 3\): must be"):
        saturation(gate[0])


def test_what_has_no_gates_is_refused() -> None:
    with pytest.raises(ValueError, match="layer=RNN: has no gates; layers that do: lstm, gru"):
        gate_values(RECURRENCES["rnn"](2, 2), torch.zeros(1, 1, 2))
    with pytest.raises(ValueError, match="network=Linear: has no layer with gates"):
        network_gates(nn.Linear(2, 2), torch.zeros(1, 2))
