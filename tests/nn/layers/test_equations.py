"""Every recurrent layer against its equations: states, gradients, single precision; reading in parts, to the last bit.

The mLSTM, whose equations are of heads, has its own in `test_mlstm.py`.
"""

import pytest
import torch
from torch import Tensor

from rnnvision.nn import RECURRENCES
from rnnvision.nn.layers import RecurrentLayer, State
from tests.nn.cases import randomise
from tests.oracles import ORACLES

BATCH, FEATURES, HIDDEN = 3, 4, 5


def make_inputs(name: str, length: int, dtype: torch.dtype = torch.float64) -> tuple[RecurrentLayer, Tensor, State]:
    layer = RECURRENCES[name](FEATURES, HIDDEN).to(dtype)
    randomise(layer)
    x = torch.randn(BATCH, length, FEATURES, dtype=dtype)
    return layer, x, tuple(torch.randn_like(s) for s in layer.initial_state(BATCH, dtype=dtype))


def weights_of(layer: RecurrentLayer) -> dict[str, Tensor]:
    copies = {name: p.detach().double().clone().requires_grad_() for name, p in layer.named_parameters()}
    return {name.removeprefix("kernel."): p for name, p in copies.items()}


@pytest.mark.parametrize("length", [1, 2, 7, 784])
@pytest.mark.parametrize("name", ORACLES)
def test_states_and_gradients_are_those_of_the_equations(name: str, length: int) -> None:
    layer, x, state = make_inputs(name, length)
    weights = weights_of(layer)
    leaves = [x.requires_grad_(), *(s.requires_grad_() for s in state)]

    states, after = layer(x, state)
    expected_states, expected_after = ORACLES[name](x, state, weights)
    torch.testing.assert_close(states, expected_states, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(after, expected_after, rtol=1e-10, atol=1e-10)

    cotangents = [torch.randn_like(v) for v in (states, *after)]
    gradients = torch.autograd.grad((states, *after), [*leaves, *layer.parameters()], cotangents)
    expected = torch.autograd.grad((expected_states, *expected_after), [*leaves, *weights.values()], cotangents)
    torch.testing.assert_close(gradients, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ORACLES)
def test_without_a_state_the_equations_start_at_zero(name: str) -> None:
    layer, x, state = make_inputs(name, 7)
    expected = ORACLES[name](x, tuple(torch.zeros_like(s) for s in state), weights_of(layer))
    torch.testing.assert_close(layer(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ORACLES)
def test_the_float32_kernel_follows_the_equations(name: str) -> None:
    layer, x, state = make_inputs(name, 7, torch.float32)
    expected, _ = ORACLES[name](x.double(), tuple(s.double() for s in state), weights_of(layer))
    with torch.no_grad():  # on the CPU this is another kernel than the one that training uses
        inferred, _ = layer(x, state)
    torch.testing.assert_close(layer(x, state)[0].double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(inferred.double(), expected, rtol=1e-5, atol=1e-5)


# Reading in parts -----------------------------------------------------------------------------------------------------


def contract_layer(name: str, length: int) -> tuple[RecurrentLayer, Tensor, State]:
    layer = RECURRENCES[name](FEATURES, HIDDEN).double()
    randomise(layer)
    return layer, torch.randn(BATCH, length, FEATURES).double(), layer.initial_state(BATCH, dtype=torch.float64)


def read_by_steps(layer: RecurrentLayer, x: Tensor, state: State) -> tuple[Tensor, State]:
    states = []
    for x_t in x.unbind(1):
        y_t, state = layer.step(x_t, state)
        states.append(y_t)
    return torch.stack(states, dim=1), state


def assert_same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", RECURRENCES)
def test_a_layer_knows_its_sizes(name: str) -> None:
    layer, _, _ = contract_layer(name, 1)
    assert (layer.input_size, layer.hidden_size) == (FEATURES, HIDDEN)


@pytest.mark.parametrize("cut", [1, 3, 6])
@pytest.mark.parametrize("name", RECURRENCES)
def test_whole_equals_two_parts(name: str, cut: int) -> None:
    layer, x, _ = contract_layer(name, 7)
    first, state = layer(x[:, :cut])
    second, after = layer(x[:, cut:], state)
    assert_same((torch.cat((first, second), dim=1), after), layer(x))


@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("name", RECURRENCES)
def test_whole_equals_steps(name: str, length: int) -> None:
    layer, x, state = contract_layer(name, length)
    assert_same(read_by_steps(layer, x, state), layer(x))


@pytest.mark.parametrize("name", RECURRENCES)
def test_steps_have_the_gradients_of_the_whole(name: str) -> None:
    layer, x, state = contract_layer(name, 7)
    weight = torch.randn(BATCH, 7, HIDDEN).double()
    whole = torch.autograd.grad((layer(x)[0] * weight).sum(), list(layer.parameters()))
    steps = torch.autograd.grad((read_by_steps(layer, x, state)[0] * weight).sum(), list(layer.parameters()))
    torch.testing.assert_close(steps, whole, rtol=1e-10, atol=1e-10)
