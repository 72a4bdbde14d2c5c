"""The mLSTM: three ways to compute it agree, float32 stays sound, time is linear, heads and gates are checked."""

import math
from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor

from rnnvision.insight import growth
from rnnvision.nn import build
from rnnvision.nn.kernels.matrix_memory import read_chunks, read_token
from rnnvision.nn.layers.layer import State
from rnnvision.nn.layers.mlstm import FORGET_GATES, MLSTM, MatrixMemory
from tests.nn.cases import randomise
from tests.oracles import matrix_memory, matrix_memory_square

BATCH, HEADS, SIZE = 2, 3, 4
LENGTHS = pytest.mark.parametrize("length", [1, 2, 7, 784])
CHUNKS = pytest.mark.parametrize("chunk_size", [1, 3, 32, 1000])
# Chunks of one token, such as leave a rest, such as end with the sequence, and such as are longer than it
CUTS = pytest.mark.parametrize(
    ("length", "chunk_size"),
    [(1, 1), (1, 32), (2, 1), (2, 32), (7, 1), (7, 3), (7, 7), (784, 3), (784, 32), (784, 1000)],
)
GATES = pytest.mark.parametrize("forget_gate", FORGET_GATES)


def make_inputs(length: int, forget_gate: str = "sigmoid", dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """q, k, v, i, f; an exponential forget gate that lets the memory neither vanish nor explode."""
    q, k, v = (torch.randn(BATCH, HEADS, length, SIZE, dtype=dtype) for _ in range(3))
    i, f = torch.randn(2, BATCH, HEADS, length, dtype=dtype)
    return [q, k, v, i, FORGET_GATES[forget_gate](f if forget_gate == "sigmoid" else f / 10)]


def make_state(dtype: torch.dtype = torch.float64) -> State:
    shapes = ((BATCH, HEADS, SIZE, SIZE), (BATCH, HEADS, SIZE), (BATCH, HEADS))
    return tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


def zeros(state: State) -> State:
    return tuple(torch.zeros_like(s) for s in state)


def assert_same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)


def assert_same_gradients(actual: Iterable[Tensor], expected: Iterable[Tensor]) -> None:
    """To 1e-10 of the largest: where h divides by nearly nothing, gradients are large, and so is their rounding."""
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10 * max(1.0, other.abs().max().item()))


# The recurrence -------------------------------------------------------------------------------------------------------


@GATES
@CUTS
def test_chunks_have_the_states_and_gradients_of_the_equations(length: int, chunk_size: int, forget_gate: str) -> None:
    if length == 784 and forget_gate == "exponential":
        length = 100  # to the kernel it is another range of numbers, which shows in a few chunks
    inputs, state = make_inputs(length, forget_gate), make_state()
    leaves = [x.requires_grad_() for x in (*inputs, *state)]
    h, after = read_chunks(*inputs, state, chunk_size=chunk_size)
    expected_h, expected_after = matrix_memory(*inputs, state)
    assert_same((h, after), (expected_h, expected_after))

    cotangents = [torch.randn_like(x) for x in (h, *after)]
    gradients = torch.autograd.grad((h, *after), leaves, cotangents)
    expected = torch.autograd.grad((expected_h, *expected_after), leaves, cotangents)
    assert_same_gradients(gradients, expected)


@CUTS
def test_chunks_equal_the_square_form_without_a_state(length: int, chunk_size: int) -> None:
    inputs = [x.requires_grad_() for x in make_inputs(length)]
    h, _ = read_chunks(*inputs, chunk_size=chunk_size)
    expected = matrix_memory_square(*inputs)
    assert_same(h, expected)
    cotangent = torch.randn_like(h)
    gradients, others = (torch.autograd.grad(x, inputs, cotangent) for x in (h, expected))
    assert_same_gradients(gradients, others)


@LENGTHS
def test_tokens_one_by_one_follow_the_equations(length: int) -> None:
    inputs, state = make_inputs(length), make_state()
    expected = matrix_memory(*inputs, state)
    read = []
    for token in zip(*(x.unbind(2) for x in inputs), strict=True):
        h, state = read_token(*token, state)
        read.append(h)
    assert_same((torch.stack(read, dim=2), state), expected)


@CHUNKS
def test_no_state_is_zeros_and_the_last_state_can_be_left_out(chunk_size: int) -> None:
    inputs = make_inputs(40)
    expected = read_chunks(*inputs, zeros(make_state()), chunk_size=chunk_size)
    assert_same(read_chunks(*inputs, chunk_size=chunk_size), expected)
    h, nothing = read_chunks(*inputs, chunk_size=chunk_size, last_state=False)
    assert_same(h, expected[0])
    assert nothing == ()


@pytest.mark.parametrize("cut", [1, 31, 32, 500])
def test_whole_equals_two_parts_of_a_long_sequence(cut: int) -> None:
    inputs = make_inputs(784)
    first, state = read_chunks(*(x[:, :, :cut] for x in inputs))
    second, after = read_chunks(*(x[:, :, cut:] for x in inputs), state)
    assert_same((torch.cat((first, second), dim=2), after), read_chunks(*inputs))


# Float32 --------------------------------------------------------------------------------------------------------------


def gates_of(kind: str, length: int) -> tuple[Tensor, Tensor]:
    """Logarithms of the input and forget gates that a network may come to, and worse."""
    i, f = torch.randn(2, BATCH, HEADS, length)
    return {
        "usual": (i, torch.nn.functional.logsigmoid(f + 3)),
        "keeps everything": (i, torch.zeros_like(f)),
        "forgets everything": (i, f - 1e4),
        "stores nothing": (i - 1e4, torch.nn.functional.logsigmoid(f)),
        "huge": (100 * i, torch.nn.functional.logsigmoid(100 * f)),
        "grows": (i, f.abs()),
    }[kind]


@pytest.mark.parametrize("kind", ["usual", "keeps everything", "forgets everything", "stores nothing", "huge", "grows"])
def test_float32_and_its_gradients_stay_finite(kind: str) -> None:
    q, k, v, _, _ = make_inputs(1000, dtype=torch.float32)
    q[:, :, ::10] = 0  # nothing to read with
    inputs = [x.requires_grad_() for x in (q, k, v, *gates_of(kind, 1000))]
    h, after = read_chunks(*inputs)
    assert all(x.isfinite().all() for x in (h, *after))
    gradients = torch.autograd.grad(h.clamp(-1e3, 1e3).sum() + after[2].sum(), inputs)
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("length", [49, 784, 4096])
def test_float32_is_as_near_as_float32_can_be(length: int) -> None:
    """Of a division that may come near 0 / 0 only most values can be near: the median, and nine in ten."""
    inputs = make_inputs(length)
    inputs[4] = torch.nn.functional.logsigmoid(torch.randn_like(inputs[4]) + 3)
    exact, (c, n, m) = read_chunks(*inputs)
    h, after = read_chunks(*(x.float() for x in inputs))
    error = ((h.double() - exact).abs() / (1 + exact.abs())).flatten()
    assert error.median() < 2e-6
    assert error.quantile(0.9) < 2e-5
    for actual, expected in zip(after, (c, n, m), strict=True):
        torch.testing.assert_close(actual.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_leaves_gates_and_memory_in_float32(dtype: torch.dtype) -> None:
    layer, x = MLSTM(5, 8), torch.randn(3, 40, 5)
    expected, exact_state = layer(x)
    with torch.autocast("cpu", dtype=dtype):
        states, state = layer(x)
        (
            states.float().square().sum() + sum(s.sum() for s in state)
        ).backward()  # inside, where users put it by mistake
    assert [s.dtype for s in state] == [torch.float32] * 3
    assert all(
        p.grad is not None and p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in layer.parameters()
    )
    torch.testing.assert_close(state[2], exact_state[2])  # the stabiliser sees nothing of half precision
    assert (states - expected).abs().median() < 0.02


def test_half_precision_weights_work() -> None:
    layer, x = MLSTM(5, 8).to(torch.bfloat16), torch.randn(3, 40, 5, dtype=torch.bfloat16)
    states, state = layer(x)
    assert states.dtype == torch.bfloat16
    assert [s.dtype for s in state] == [s.dtype for s in layer.initial_state(3)] == [torch.float32] * 3
    y_t, _ = layer.step(x[:, 0], layer.initial_state(3))
    assert y_t.dtype == torch.bfloat16


# Time -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_time_is_linear_in_the_length() -> None:
    _, exponent = growth(MLSTM(16, 64), [784, 1568, 4096], input_size=16, batch_size=8, rounds=5)
    assert exponent < 1.1


# The layer ------------------------------------------------------------------------------------------------------------


def layer_oracle(layer: MLSTM, x: Tensor, state: State) -> tuple[Tensor, State]:
    """The layer by its docstring, around the oracle of the cell."""
    memory, size = layer.memory, layer.hidden_size // layer.memory.num_heads

    def heads(y: Tensor) -> Tensor:  # (B, T, H * D) -> (B, H, T, D)
        return y.reshape(*y.shape[:2], -1, size).transpose(1, 2)

    q, k, v, o = (x @ layer.project.weight.T + layer.project.bias).split(layer.hidden_size, dim=-1)
    i, f = (x @ memory.gates.weight.T + memory.gates.bias).mT.split(memory.num_heads, dim=1)
    f = -torch.log(1 + torch.exp(-f)) if memory.forget_gate == "sigmoid" else f
    h, state = matrix_memory(heads(q), heads(k) / math.sqrt(size), heads(v), i, f, state)
    centred = h - h.mean(-1, keepdim=True)
    h = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    h = h.transpose(1, 2).flatten(2) * memory.norm_weight + memory.norm_bias
    return h / (1 + torch.exp(-o)), state


@GATES
@pytest.mark.parametrize(("length", "num_heads"), [(1, 1), (2, 2), (7, 1), (7, 2), (7, 4), (100, 2)])
def test_the_layer_is_its_equations(length: int, num_heads: int, forget_gate: str) -> None:
    layer = MLSTM(3, 8, num_heads=num_heads, forget_gate=forget_gate).double()
    randomise(layer, 0.3)
    x = torch.randn(BATCH, length, 3).double().requires_grad_()
    state = tuple(torch.randn_like(s).requires_grad_() for s in layer.initial_state(BATCH))
    states, after = layer(x, state)
    expected_states, expected_after = layer_oracle(layer, x, state)
    assert_same((states, after), (expected_states, expected_after))

    cotangents = [torch.randn_like(s) for s in (states, *after)]
    leaves = [x, *state, *layer.parameters()]
    gradients = torch.autograd.grad((states, *after), leaves, cotangents)
    expected = torch.autograd.grad((expected_states, *expected_after), leaves, cotangents)
    assert_same_gradients(gradients, expected)


@pytest.mark.parametrize(
    ("hidden_size", "num_heads"), [(2, 1), (3, 1), (5, 1), (6, 3), (8, 4), (12, 4), (14, 2), (128, 4)]
)
def test_by_default_there_are_as_many_heads_as_fit_up_to_four(hidden_size: int, num_heads: int) -> None:
    assert MLSTM(3, hidden_size).memory.num_heads == num_heads


@pytest.mark.parametrize(
    ("hidden_size", "num_heads", "legal"),
    [
        (10, 3, "1, 2, 5"),
        (12, 12, "1, 2, 3, 4, 6"),
        (7, 2, "1"),
        (8, 0, "1, 2, 4"),
        (8, -2, "1, 2, 4"),
        (8, True, "1, 2, 4"),
    ],
)
def test_a_wrong_number_of_heads_is_told_with_the_legal_ones(hidden_size: int, num_heads: int, legal: str) -> None:
    with pytest.raises(
        ValueError, match=f"^num_heads={num_heads}: must divide {hidden_size} .* choose one of {legal}$"
    ):
        MLSTM(3, hidden_size, num_heads=num_heads)


@pytest.mark.parametrize(
    ("argument", "value"), [("forget_gate", "sigmod"), ("chunk_size", 0), ("chunk_size", 1.5), ("hidden_size", 1)]
)
def test_a_mistake_is_told_with_its_argument(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{argument}={value}: "):
        MLSTM(3, **({"hidden_size": 8} | {argument: value}))


def test_the_number_of_heads_can_be_chosen_for_a_network() -> None:
    sizes = {"input_shape": (1, 4, 6), "num_classes": 3, "recurrence": "mlstm"}
    network = build("sequence_classifier", **sizes, layer={"num_heads": 2})
    assert network.recurrence.layers[0].memory.num_heads == 2
    with pytest.raises(ValueError, match=r"^layer\.num_heads=3: must divide 128 features"):
        build("sequence_classifier", **sizes, layer={"num_heads": 3})


def test_at_first_most_is_kept_and_the_gates_do_not_see_the_token() -> None:
    memory = MatrixMemory(64, 9, num_heads=4)
    assert memory.gates.weight.count_nonzero() == 0
    assert memory.gates.bias[4:].tolist() == [3.0, 4.0, 5.0, 6.0]
    assert 0 < memory.gates.bias[:4].abs().max() < 0.5
