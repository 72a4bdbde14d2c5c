"""The readouts: each against a formula of its own, prefixes, directions."""

import pytest
import torch
from torch import Tensor

from rnnvision.nn import READOUTS
from rnnvision.nn.readout import Attention
from tests.nn.cases import randomise

BATCH, LENGTH, SIZE = 3, 7, 6
BOTH = pytest.mark.parametrize("bidirectional", [False, True], ids=["one_direction", "two_directions"])


def make_readout(name: str, bidirectional: bool = False) -> tuple[torch.nn.Module, Tensor]:
    readout = READOUTS[name](SIZE, bidirectional).double()
    randomise(readout, scale=2.0)
    return readout, torch.randn(BATCH, LENGTH, SIZE).double()


def assert_same(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_last_of_one_direction_is_the_state_at_the_end() -> None:
    readout, states = make_readout("last")
    assert_same(readout(states), states[:, LENGTH - 1])


def test_last_of_two_directions_takes_the_backward_half_at_the_beginning() -> None:
    readout, states = make_readout("last", bidirectional=True)
    for b in range(BATCH):
        assert readout(states)[b, :3].tolist() == states[b, LENGTH - 1, :3].tolist()
        assert readout(states)[b, 3:].tolist() == states[b, 0, 3:].tolist()


@BOTH
def test_mean_is_the_sum_over_the_number_of_tokens(bidirectional: bool) -> None:
    readout, states = make_readout("mean", bidirectional)
    assert_same(readout(states), sum(states[:, t] for t in range(LENGTH)) / LENGTH)


def test_means_of_many_tokens_count_them_in_half_precision_too() -> None:
    ones = torch.ones(1, 1000, SIZE, dtype=torch.bfloat16)  # which has no 257
    assert bool((READOUTS["mean"](SIZE).prefixes(ones) == 1).all())


@BOTH
def test_max_is_the_largest_over_time(bidirectional: bool) -> None:
    readout, states = make_readout("max", bidirectional)
    expected = [[max(states[b, :, d].tolist()) for d in range(SIZE)] for b in range(BATCH)]
    assert readout(states).tolist() == expected


@BOTH
def test_first_last_puts_both_ends_side_by_side(bidirectional: bool) -> None:
    readout, states = make_readout("first_last", bidirectional)
    expected = [states[b, 0].tolist() + states[b, LENGTH - 1].tolist() for b in range(BATCH)]
    assert readout(states).tolist() == expected


@BOTH
def test_attention_is_its_formula(bidirectional: bool) -> None:
    readout, states = make_readout("attention", bidirectional)
    weight, bias, query = readout.key.weight, readout.key.bias, readout.query.weight[0]
    for b in range(BATCH):
        scores = torch.stack([query @ torch.tanh(weight @ h + bias) for h in states[b]])
        shares = scores.exp() / scores.exp().sum()
        assert_same(readout(states)[b], sum(a * h for a, h in zip(shares, states[b], strict=True)))
        assert_same(readout.weights(states)[b], shares)


@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_attention_weights_sum_to_one(scale: float) -> None:
    readout = Attention(SIZE).double()
    weights = readout.weights(scale * torch.randn(BATCH, LENGTH, SIZE).double())
    assert weights.shape == (BATCH, LENGTH)
    assert weights.min() >= 0
    assert_same(weights.sum(dim=1), torch.ones(BATCH).double())


@BOTH
@pytest.mark.parametrize("name", READOUTS)
def test_the_vector_is_as_wide_as_it_says(name: str, bidirectional: bool) -> None:
    readout, states = make_readout(name, bidirectional)
    assert readout(states).shape == (BATCH, readout.out_features)


@pytest.mark.parametrize("name", READOUTS)
def test_prefixes_are_what_the_readout_says_of_each_prefix(name: str) -> None:
    readout, states = make_readout(name)
    prefixes = readout.prefixes(states)
    assert prefixes.shape == (BATCH, LENGTH, readout.out_features)
    for t in range(LENGTH):
        assert_same(prefixes[:, t], readout(states[:, : t + 1]))


@pytest.mark.parametrize("name", READOUTS)
def test_prefixes_have_the_gradients_of_each_prefix(name: str) -> None:
    readout, states = make_readout(name)
    states.requires_grad_()
    weight = torch.randn(BATCH, LENGTH, readout.out_features).double()
    one_by_one = torch.stack([readout(states[:, : t + 1]) for t in range(LENGTH)], dim=1)
    leaves = [states, *readout.parameters()]
    together = torch.autograd.grad((readout.prefixes(states) * weight).sum(), leaves)
    torch.testing.assert_close(together, torch.autograd.grad((one_by_one * weight).sum(), leaves))


@pytest.mark.parametrize("scale", [1.0, 1000.0])
@pytest.mark.parametrize("name", READOUTS)
def test_step_after_step_gives_the_prefixes(name: str, scale: float) -> None:
    readout, states = make_readout(name)
    states = scale * states
    carry = readout.initial_carry(BATCH, states)
    for t in range(LENGTH):
        vector, carry = readout.step(states[:, t], carry)
        torch.testing.assert_close(vector, readout(states[:, : t + 1]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", READOUTS)
def test_a_carry_is_as_large_after_many_tokens_and_as_right(name: str) -> None:
    """In float32, of a stream that is the same 10 states 1,000 times: the vector after them is that of the 10."""
    readout = READOUTS[name](SIZE)
    states = 1 + torch.randn(1, 10, SIZE)
    carry = readout.initial_carry(1, states)
    sizes = [part.numel() for part in carry]
    for _ in range(1_000):
        for state in states.unbind(1):
            vector, carry = readout.step(state, carry)
    assert [part.numel() for part in carry] == sizes
    torch.testing.assert_close(vector, readout(states), rtol=1e-5, atol=1e-5)
