"""Recurrences that are linear in their state: long sequences in chunks, precision, initialisations.

Their equations are tested with all others, in `test_equations.py`.
"""

import math

import pytest
import torch
from torch import Tensor

from rnnvision.nn import RECURRENCES
from rnnvision.nn.layers import chunked
from rnnvision.nn.layers.chunked import ChunkedLayer
from rnnvision.nn.layers.minimal import MinGRU, MinLSTM, MixingLayer
from rnnvision.nn.layers.rglru import RGLRU
from rnnvision.nn.layers.state_space import LRU, hippo
from tests.linear_oracles import LINEAR_ORACLES, mingru_in_logarithms, minlstm_in_logarithms
from tests.nn.cases import randomise

BATCH, FEATURES, HIDDEN = 3, 4, 6
CHUNKED = {name: layer for name, layer in RECURRENCES.items() if issubclass(layer, ChunkedLayer)}
NAMES = pytest.mark.parametrize("name", CHUNKED)


# Long sequences, chunk by chunk ---------------------------------------------------------------------------------------


def long_input(layer: ChunkedLayer, length: int) -> tuple[Tensor, Tensor]:
    x = torch.randn(2, length, layer.input_size, dtype=torch.float64)
    return x, torch.randn(2, length, layer.hidden_size, dtype=torch.float64)


@pytest.mark.parametrize("tokens", [1, 5, 100])
@pytest.mark.parametrize("input_size", [FEATURES, HIDDEN])
@NAMES
def test_chunks_change_nothing(name: str, input_size: int, tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequence of 12 tokens in chunks of so many, against the layer's own equations in one piece."""
    layer = CHUNKED[name](input_size, HIDDEN).double()
    randomise(layer)
    x = torch.randn(BATCH, 12, input_size).double().requires_grad_()
    state = torch.randn_like(layer.initial_state(BATCH)[0]).requires_grad_()
    y, after = layer.cell(x.transpose(0, 1), state, *layer.weights())
    expected = (y.transpose(0, 1), after)
    monkeypatch.setattr(chunked, "CHUNK_ELEMENTS", tokens * BATCH * HIDDEN)
    y, (after,) = layer(x, (state,))
    torch.testing.assert_close((y, after), expected, rtol=1e-12, atol=1e-12)
    leaves = [x, state, *layer.parameters()]
    cotangents = [torch.randn_like(v) for v in expected]
    found = torch.autograd.grad((y, after), leaves, cotangents)
    torch.testing.assert_close(found, torch.autograd.grad(expected, leaves, cotangents), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("length", [1000, pytest.param(4096, marks=pytest.mark.slow)])
@NAMES
def test_long_sequences_follow_the_equations(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the layer's own initialisation, where states live long; states and gradients, in four chunks and a rest."""
    monkeypatch.setattr(chunked, "CHUNK_ELEMENTS", 2 * (length // 4 - 1) * HIDDEN)
    layer = CHUNKED[name](FEATURES, HIDDEN, length).double()
    x, cotangent = long_input(layer, length)
    weights = {key: p.detach().clone().requires_grad_() for key, p in layer.named_parameters()}
    expected, _ = LINEAR_ORACLES[name](x, layer.initial_state(2), weights)
    made, _ = layer(x)
    torch.testing.assert_close(made, expected, rtol=1e-10, atol=1e-10)
    found = torch.autograd.grad(made, list(layer.parameters()), cotangent)
    wanted = torch.autograd.grad(expected, list(weights.values()), cotangent)
    for key, mine, theirs in zip(weights, found, wanted, strict=True):
        assert (mine - theirs).abs().max() <= 1e-10 * theirs.abs().max(), key


@NAMES
def test_no_gradient_is_made_for_what_needs_none(name: str) -> None:
    layer = CHUNKED[name](FEATURES, HIDDEN)
    y, _ = layer(torch.randn(BATCH, 5, FEATURES))
    y.sum().backward()
    assert all(p.grad is not None for p in layer.parameters())


@NAMES
def test_a_gradient_of_the_last_state_alone_may_be_expanded(name: str) -> None:
    """What `sum` sends back has strides of 0; a state that comes in may have any."""
    layer = CHUNKED[name](FEATURES, HIDDEN)
    state = torch.randn_like(layer.initial_state(BATCH)[0]).transpose(0, 1).contiguous().transpose(0, 1)
    _, (after,) = layer(torch.randn(BATCH, 5, FEATURES), (state.requires_grad_(),))
    after.sum().backward()
    assert state.grad is not None
    assert state.grad.abs().max() > 0


@NAMES
@pytest.mark.parametrize("shape", [(0, 5, FEATURES), (BATCH, 0, FEATURES)])
def test_nothing_to_read_is_told(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^x of shape .*: must hold at least one sequence of at least one token"):
        CHUNKED[name](FEATURES, HIDDEN)(torch.zeros(shape))


@NAMES
def test_what_is_kept_for_the_gradient_is_freed_with_it(name: str) -> None:
    y, _ = CHUNKED[name](FEATURES, HIDDEN)(torch.randn(BATCH, 5, FEATURES))
    y.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.sum().backward()


# What the papers say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "formula"), [(MinGRU, mingru_in_logarithms), (MinLSTM, minlstm_in_logarithms)])
def test_the_papers_way_in_logarithms_gives_the_same(kind: type[MixingLayer], formula: object) -> None:
    layer = kind(FEATURES, HIDDEN).double()
    randomise(layer)
    x, h_0 = torch.randn(BATCH, 300, FEATURES).double(), torch.rand(BATCH, HIDDEN).double() + 0.1
    torch.testing.assert_close(layer(x, (h_0,))[0], formula(x, h_0, dict(layer.named_parameters())))


@pytest.mark.parametrize("kind", [MinGRU, MinLSTM])
@pytest.mark.parametrize(
    ("gate_bias", "low", "high"),
    [("torch", 0.5, 0.5), ("forget", 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(-1))), ("chrono", 0.5, 0.99)],
)
def test_what_a_token_leaves_of_a_state_at_first(
    kind: type[MixingLayer], gate_bias: str, low: float, high: float
) -> None:
    if kind is MinLSTM and gate_bias == "forget":
        f = 1 / (1 + math.exp(-1))
        low = high = f / (f + 0.5)
    layer = kind(FEATURES, 4096, gate_bias=gate_bias, sequence_length=100).double()
    with torch.no_grad():
        layer.affine.weight.zero_()
    one, zero = (layer.step(torch.zeros(1, FEATURES).double(), (torch.full((1, 4096), v).double(),))[0] for v in (1, 0))
    kept = one - zero
    torch.testing.assert_close(kept.min().item(), low, rtol=0.04, atol=0)
    torch.testing.assert_close(kept.max().item(), high, rtol=0.04, atol=0)


@pytest.mark.parametrize(("r_min", "r_max"), [(0.0, 1.0), (0.9, 0.999)])
def test_the_poles_of_an_lru_are_uniform_on_their_ring(r_min: float, r_max: float) -> None:
    layer = LRU(FEATURES, 4000, r_min=r_min, r_max=r_max, max_phase=1.0)
    poles, into, _ = layer.system()
    squared = poles.abs().square()
    torch.testing.assert_close(
        squared.sort().values, torch.linspace(r_min**2, r_max**2, 2000), rtol=0, atol=0.05 * (r_max**2 - r_min**2)
    )
    torch.testing.assert_close(poles.angle().sort().values, torch.linspace(0, 1, 2000), rtol=0, atol=0.05)
    assert squared.max() < 1
    size = into.abs().square().sum(1) / (1 - squared)  # of a state of white noise
    torch.testing.assert_close(size.median().item(), 1.0, rtol=0.2, atol=0)


def test_the_poles_of_s5_are_eigenvalues_of_the_hippo_matrix() -> None:
    size = 16
    root = (2 * torch.arange(size).double() + 1).sqrt()
    matrix = -(root.outer(root).tril(-1) + torch.diag(torch.arange(size).double() + 1))  # HiPPO-LegS
    low_rank = root / math.sqrt(2)
    normal = matrix + low_rank.outer(low_rank)
    values, vectors = hippo(size // 2)
    torch.testing.assert_close(normal.to(vectors.dtype) @ vectors, vectors * values)
    assert (values.imag > 0).all()
    torch.testing.assert_close(vectors.mH @ vectors, torch.eye(size // 2, dtype=vectors.dtype))


def test_a_real_gated_unit_keeps_what_its_ring_says() -> None:
    layer = RGLRU(HIDDEN, HIDDEN, r_min=0.9, r_max=0.95)
    kept = torch.sigmoid(layer.decay) ** 8
    assert kept.min() >= 0.9 - 1e-6
    assert kept.max() <= 0.95 + 1e-6


# Precision ------------------------------------------------------------------------------------------------------------


@NAMES
def test_under_autocast_only_products_are_rounded(name: str) -> None:
    layer = CHUNKED[name](HIDDEN, HIDDEN)
    x = torch.randn(BATCH, 200, HIDDEN, requires_grad=True)
    expected = layer(x)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = layer(x)[0]
    assert made.dtype == torch.float32
    assert 0 < (made - expected).abs().max() < 0.03 * expected.abs().max()
    made.sum().backward()
    assert x.grad is not None
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in layer.parameters())


@NAMES
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_weights_read_in_single(name: str, dtype: torch.dtype) -> None:
    layer = CHUNKED[name](HIDDEN, HIDDEN)
    x = torch.randn(BATCH, 200, HIDDEN)
    expected = layer(x)[0]
    made, (after,) = layer.to(dtype)(x.to(dtype))
    assert (made.dtype, after.dtype) == (dtype, torch.float32)
    assert (made.float() - expected).abs().max() < 0.1 * expected.abs().max()
    state = layer.initial_state(BATCH)
    for x_t in x.to(dtype).unbind(1):
        _, state = layer.step(x_t, state)
    torch.testing.assert_close(state[0], after, rtol=1e-4, atol=1e-4)


# A user's mistakes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (LRU, {"r_min": 0.9, "r_max": 0.5}, r"^r_min=0\.9: must be below r_max=0\.5"),
        (LRU, {"r_max": 1.5}, r"^r_max=1\.5: must be a number from 0 to 1"),
        (LRU, {"max_phase": 7.0}, r"^max_phase=7\.0: must be a number from 0 to 6\.28"),
        (LRU, {"state_size": 0}, r"^state_size=0: must be a whole number of at least 1"),
        (RGLRU, {"r_min": -0.1}, r"^r_min=-0\.1: must be a number from 0 to 1"),
        (MinGRU, {"gate_bias": "crono"}, r"^gate_bias=crono: .*did you mean chrono"),
    ],
)
def test_a_mistake_is_told_with_what_is_legal(kind: type[ChunkedLayer], options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(FEATURES, HIDDEN, **options)
