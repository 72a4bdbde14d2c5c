"""The stack: reading in parts, directions, normalisation, residual connections, dropout, options of a layer."""

import math

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import RECURRENCES
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.nn.recurrence import ACTIVATIONS, Recurrence, StackState, TiedDropout
from tests.nn.cases import randomise

BATCH, LENGTH, FEATURES, HIDDEN = 3, 7, 4, 5
FUSED = [name for name, layer in RECURRENCES.items() if issubclass(layer, FusedLayer)]


def one_of_each_state() -> dict[tuple[int, ...], str]:
    """The first recurrence of each kind of state: to a stack, all others of its kind are the same."""
    kinds: dict[tuple[int, ...], str] = {}
    for name, layer in RECURRENCES.items():
        kinds.setdefault(tuple(s.ndim for s in layer(2, 2).initial_state(1)), name)
    return kinds


KINDS = one_of_each_state().values()
OPTIONS = {
    "plain": {},
    "norm": {"norm": True},
    "residual": {"residual": True},
    "norm_residual_dropout": {"norm": True, "residual": True, "dropout": 0.5},
    "tied_dropout": {"dropout": 0.5, "tied_dropout": True},
    "gated": {"block": "gated", "dropout": 0.5},
    "gated_gelu": {"block": "gated", "dropout": 0.5, "activation": "gelu"},
}
NAMES = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in KINDS else pytest.mark.slow) for name in RECURRENCES]
)
LAYERS = pytest.mark.parametrize("num_layers", [1, 2, 3])
TIED = pytest.mark.parametrize("tied", [False, True], ids=["plain", "tied"])


def make_stack(name: str = "lstm", input_size: int = FEATURES, **options: object) -> Recurrence:
    stack = Recurrence(input_size=input_size, recurrence=name, **({"hidden_size": HIDDEN} | options)).double().eval()
    randomise(stack)
    return stack


def make_input(batch_size: int = BATCH, length: int = LENGTH, size: int = FEATURES) -> Tensor:
    return torch.randn(batch_size, length, size).double()


def assert_same(actual: object, expected: object) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def read_by_steps(stack: Recurrence, x: Tensor) -> tuple[Tensor, StackState]:
    state = stack.initial_state(len(x), dtype=x.dtype)
    states = []
    for x_t in x.unbind(1):
        y_t, state = stack.step(x_t, state)
        states.append(y_t)
    return torch.stack(states, dim=1), state


# Reading in parts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("num_layers", [1, 3])
@NAMES
def test_whole_equals_two_halves_equals_steps(name: str, num_layers: int, options: dict[str, object]) -> None:
    stack, x = make_stack(name, num_layers=num_layers, **options), make_input()
    whole = stack(x)
    first, state = stack(x[:, :3])
    second, after = stack(x[:, 3:], state)
    assert whole[0].shape == (BATCH, LENGTH, stack.output_size)
    assert len(after) == num_layers
    assert_same((torch.cat((first, second), dim=1), after), whole)
    assert_same(read_by_steps(stack, x), whole)


@NAMES
def test_no_state_is_the_initial_state(name: str) -> None:
    stack, x = make_stack(name, num_layers=2), make_input()
    assert_same(stack(x, stack.initial_state(BATCH, dtype=torch.float64)), stack(x))


def test_steps_are_without_dropout_even_in_training() -> None:
    stack, x = make_stack(num_layers=3, dropout=0.9), make_input()
    expected = stack(x)
    assert_same(read_by_steps(stack.train(), x), expected)


# What a stack computes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("residual", [False, True], ids=["", "residual"])
@pytest.mark.parametrize("norm", [False, True], ids=["", "norm"])
@pytest.mark.parametrize("input_size", [FEATURES, HIDDEN])
@LAYERS
def test_a_stack_is_its_formula(num_layers: int, input_size: int, norm: bool, residual: bool) -> None:
    stack = make_stack("gru", input_size, num_layers=num_layers, norm=norm, residual=residual)
    inputs = make_input(size=input_size)

    def normalised(x: Tensor, i: int) -> Tensor:
        if not norm or i == 0:
            return x
        centred = x - x.mean(dim=-1, keepdim=True)
        scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
        return scaled * stack.norms[i].weight + stack.norms[i].bias

    x = inputs
    for i, layer in enumerate(stack.layers):
        y, _ = layer(normalised(x, i))
        x = x + y if residual and (i > 0 or input_size == HIDDEN) else y
    assert_same(stack(inputs)[0], normalised(x, num_layers))


def test_layers_share_no_parameter() -> None:
    stack = make_stack(num_layers=3, bidirectional=True, norm=True)
    by_layer = [p for layer in (*stack.layers, *stack.backward_layers, *stack.norms) for p in layer.parameters()]
    assert len({id(p) for p in by_layer}) == len(by_layer) == len(list(stack.parameters()))


# Directions -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_layers", [1, 3])
@NAMES
def test_two_directions_are_a_forward_and_a_flipped_backward_layer(name: str, num_layers: int) -> None:
    stack, x = make_stack(name, num_layers=num_layers, bidirectional=True), make_input()
    expected = x
    for forward, backward in zip(stack.layers, stack.backward_layers, strict=True):
        ahead, _ = forward(expected)
        back, _ = backward(expected.flip(1))
        expected = torch.cat((ahead, back.flip(1)), dim=-1)
    assert stack.output_size == 2 * HIDDEN
    assert_same(stack(x)[0], expected)


@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_direction", "two_directions"])
@pytest.mark.parametrize("name", FUSED)
def test_a_stack_equals_torchs_own(name: str, bidirectional: bool) -> None:
    stack, x = make_stack(name, num_layers=2, bidirectional=bidirectional), make_input()
    reference = RECURRENCES[name].kernel_class(
        FEATURES, HIDDEN, num_layers=2, bidirectional=bidirectional, batch_first=True, dtype=torch.float64
    )
    weights = {}
    for layers, suffix in ((stack.layers, ""), (stack.backward_layers, "_reverse")):
        for i, layer in enumerate(layers):
            for key, value in layer.kernel.state_dict().items():
                weights[key.replace("_l0", f"_l{i}{suffix}")] = value
    reference.load_state_dict(weights)
    assert_same(stack(x)[0], reference(x)[0])


@NAMES
def test_each_direction_sees_its_own_side_only(name: str) -> None:
    stack, x = make_stack(name, bidirectional=True), make_input()
    changed = x.clone()
    changed[:, 3] += 1
    moved = (stack(changed)[0] != stack(x)[0]).any(dim=0)  # (T, D)
    remembers = bool(stack.layers[0].initial_state(1))
    later, earlier = [remembers] * 3, [False] * 3
    assert moved[:, :HIDDEN].any(dim=1).tolist() == [*earlier, True, *later]
    assert moved[:, HIDDEN:].any(dim=1).tolist() == [*later, True, *earlier]


@pytest.mark.parametrize("num_layers", [1, 2])
def test_two_directions_take_no_state(num_layers: int) -> None:
    stack, x = make_stack(num_layers=num_layers, bidirectional=True), make_input()
    state = stack.initial_state(BATCH, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"^bidirectional=True: .*bidirectional=False"):
        stack(x, state)
    with pytest.raises(ValueError, match=r"^bidirectional=True: .*bidirectional=False"):
        stack.step(x[:, 0], state)


# The gated block ------------------------------------------------------------------------------------------------------


def activated(x: Tensor, activation: str) -> Tensor:
    """GELU: x times the probability that a normal number is smaller."""
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2 if activation == "gelu" else x


def layer_norm(x: Tensor, norm: nn.LayerNorm) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one_direction", "two_directions"])
@pytest.mark.parametrize("input_size", [1, HIDDEN])
@LAYERS
def test_a_gated_stack_is_its_formula(num_layers: int, input_size: int, bidirectional: bool, activation: str) -> None:
    options = {"num_layers": num_layers, "bidirectional": bidirectional, "block": "gated", "activation": activation}
    stack = make_stack("gru", input_size, **options)
    inputs = make_input(size=input_size)
    x = inputs if input_size == HIDDEN else inputs @ stack.project.weight.T + stack.project.bias
    for i, layer in enumerate(stack.layers):
        y = layer_norm(x, stack.norms[i])
        states = layer(y)[0]
        if bidirectional:
            states = torch.cat((states, stack.backward_layers[i](y.flip(1))[0].flip(1)), dim=-1)
        linear = stack.outputs[i].linear
        states = activated(states, activation)
        a, b = (states @ linear.weight.T + linear.bias).split(HIDDEN, dim=-1)
        x = x + a / (1 + torch.exp(-b))
    assert stack.output_size == HIDDEN
    assert_same(stack(inputs)[0], layer_norm(x, stack.norms[num_layers]))


@pytest.mark.parametrize("activation", ["none", "gelu"])
@TIED
def test_what_is_activated_is_dropped_before_the_gate_too(tied: bool, activation: str) -> None:
    """As S4D, S5 and the LRU have it; without an activation the block has one dropout."""
    stack = make_stack(block="gated", dropout=0.5, tied_dropout=tied, hidden_size=40, activation=activation).train()
    seen: list[Tensor] = []
    with stack.outputs[0].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0])):
        stack(make_input(batch_size=20))
    dropped = seen[0] == 0
    assert dropped.double().mean().item() == pytest.approx(0.5 if activation == "gelu" else 0.0, abs=0.1)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped)) == (tied or activation == "none")


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", ["lru", "gru"])
def test_the_states_of_a_plain_stack_are_activated_too(name: str, residual: bool) -> None:
    stack, inputs = make_stack(name, num_layers=2, activation="gelu", residual=residual), make_input()
    x = inputs
    for i, layer in enumerate(stack.layers):
        y = activated(layer(x)[0], "gelu")
        x = x + y if residual and i > 0 else y
    assert_same(stack(inputs)[0], x)


@pytest.mark.parametrize("option", ["norm", "residual"])
def test_a_gated_block_has_norm_and_residual_built_in(option: str) -> None:
    with pytest.raises(ValueError, match=rf"^{option}=True: block=gated has it built in"):
        Recurrence(input_size=FEATURES, block="gated", **{option: True})


@TIED
def test_each_gated_block_drops_what_it_adds_and_nothing_else(tied: bool) -> None:
    stack = make_stack(hidden_size=50, input_size=50, block="gated", dropout=0.5, tied_dropout=tied).train()
    stack.norms[-1] = nn.Identity()
    x = make_input(size=50)
    through = stack(x)[0] == x
    assert through.double().mean().item() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(through, through[:, :1].expand_as(through)) == tied


# Dropout --------------------------------------------------------------------------------------------------------------


def second_layer_input(stack: Recurrence, x: Tensor) -> Tensor:
    """What the second layer reads while the stack reads `x`."""
    seen: list[Tensor] = []
    with stack.layers[1].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0])):
        stack(x)
    return seen[0]


@pytest.mark.parametrize("rate", [0.2, 0.6])
@TIED
def test_dropout_between_layers_has_its_rate_and_keeps_the_scale(tied: bool, rate: float) -> None:
    stack = make_stack(hidden_size=200, num_layers=2, dropout=rate, tied_dropout=tied)
    x = make_input(batch_size=100)
    whole = second_layer_input(stack, x)
    seen = second_layer_input(stack.train(), x)
    dropped = seen == 0
    assert dropped.double().mean().item() == pytest.approx(rate, abs=0.02)
    assert_same(seen[~dropped], whole[~dropped] / (1 - rate))


def test_a_tied_mask_is_constant_over_time_and_its_own_for_each_image_and_pass() -> None:
    stack = make_stack(hidden_size=50, num_layers=2, dropout=0.5, tied_dropout=True).train()
    x = make_input()
    dropped = second_layer_input(stack, x) == 0
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    masks = [*dropped[:, 0], *(second_layer_input(stack, x) == 0)[:, 0]]
    assert len({tuple(mask.tolist()) for mask in masks}) == 2 * BATCH


def test_a_plain_mask_differs_at_every_time() -> None:
    stack = make_stack(hidden_size=50, num_layers=2, dropout=0.5).train()
    dropped = second_layer_input(stack, make_input()) == 0
    assert len({tuple(mask.tolist()) for mask in dropped.flatten(0, 1)}) == BATCH * LENGTH


@TIED
@LAYERS
def test_nothing_is_dropped_after_the_last_layer(num_layers: int, tied: bool) -> None:
    stack, x = make_stack(num_layers=num_layers, dropout=0.9, tied_dropout=tied).train(), make_input()
    seen: list[tuple[Tensor, Tensor]] = []
    with stack.layers[-1].register_forward_hook(lambda _, arguments, result: seen.append((arguments[0], result[0]))):
        states, _ = stack(x)
    ((last_input, last_output),) = seen
    assert torch.equal(states, last_output)
    assert bool((last_input == 0).any()) == (num_layers > 1)


@TIED
def test_the_shortcut_is_not_dropped(tied: bool) -> None:
    stack = make_stack(hidden_size=50, input_size=50, num_layers=2, residual=True, dropout=0.5, tied_dropout=tied)
    x = make_input(size=50)
    through = second_layer_input(stack.train(), x) == x  # where the layer's own part is dropped, its input remains
    assert through.double().mean().item() == pytest.approx(0.5, abs=0.1)


@TIED
def test_dropout_draws_anew_in_training_and_not_at_all_in_evaluation(tied: bool) -> None:
    stack, x = make_stack(num_layers=2, dropout=0.5, tied_dropout=tied), make_input()
    assert torch.equal(stack(x)[0], stack(x)[0])
    stack.train()
    assert not torch.equal(stack(x)[0], stack(x)[0])


def test_tied_dropout_of_rate_zero_changes_nothing() -> None:
    x = make_input()
    assert torch.equal(TiedDropout(0.0).train()(x), x)


# Options of a layer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECURRENCES)
def test_without_options_a_layer_is_left_to_its_own(name: str) -> None:
    torch.manual_seed(3)
    stack = Recurrence(input_size=FEATURES, recurrence=name, hidden_size=HIDDEN)
    torch.manual_seed(3)
    layer = RECURRENCES[name](FEATURES, HIDDEN)
    assert stack.layers[0].state_dict().keys() == layer.state_dict().keys()
    for key, value in layer.state_dict().items():
        assert torch.equal(stack.layers[0].state_dict()[key], value), key


@pytest.mark.parametrize("name", FUSED)
def test_weight_init_reaches_every_layer(name: str) -> None:
    stack = Recurrence(
        input_size=FEATURES,
        recurrence=name,
        hidden_size=HIDDEN,
        num_layers=2,
        bidirectional=True,
        layer={"weight_init": "torch"},
    )
    layers: list[nn.Module] = [*stack.layers, *stack.backward_layers]
    assert all(layer.kernel.bias_hh_l0[:HIDDEN].all() for layer in layers)  # orthogonal would leave zeros


def test_the_length_of_the_sequence_reaches_the_initialisation() -> None:
    layer = {"gate_bias": "chrono"}
    stack = Recurrence(input_size=FEATURES, hidden_size=64, num_layers=2, layer=layer, sequence_length=1000)
    largest = [layer.gate("bias_ih", 1).max().item() for layer in stack.layers]
    assert all(math.log(500) < bias <= math.log(999) for bias in largest)


@pytest.mark.parametrize("option", ["bidirectional", "norm", "residual", "tied_dropout"])
def test_a_flag_is_true_or_false(option: str) -> None:
    with pytest.raises(ValueError, match=rf"^{option}=1: must be true or false"):
        Recurrence(input_size=FEATURES, **{option: 1})


def test_what_a_layer_refuses_of_its_size_is_told_by_its_own_name() -> None:
    with pytest.raises(ValueError, match=r"^hidden_size=1: "):
        Recurrence(input_size=FEATURES, recurrence="mlstm", hidden_size=1)


def test_the_options_of_a_layer_are_a_mapping() -> None:
    with pytest.raises(ValueError, match=r"^layer=5: must map the layer's options to values"):
        Recurrence(input_size=FEATURES, layer=5)  # type: ignore[arg-type]  # as it may come from a checkpoint
