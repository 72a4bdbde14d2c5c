"""The contract: every part of the project keeps it, and each of its rules refuses a part that breaks it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rnnvision.nn import MODELS, ORDERS, READOUTS, RECURRENCES, SCANS, contract
from rnnvision.nn.controls.feedforward import Logistic
from rnnvision.nn.layers import RecurrentLayer, State
from rnnvision.nn.networks.sequence_classifier import SequenceClassifier, StreamState
from rnnvision.nn.readout import Carry, Last, Mean, Readout
from rnnvision.nn.scan import Preset
from tests.nn.cases import tiny

PARTS = [(registry, name) for registry in (RECURRENCES, ORDERS, SCANS, READOUTS) for name in registry]


def label(value: object) -> str:
    named = getattr(value, "kind", None) or getattr(value, "__name__", None)
    return named or str(value)


@pytest.mark.parametrize(("registry", "name"), PARTS, ids=label)
def test_a_part_of_the_project_keeps_every_rule(registry: Mapping[str, Any], name: str) -> None:
    contract.check_shapes(registry, name)
    rules = contract.check_all(registry, name)
    assert rules
    assert all(rules)


@pytest.mark.parametrize("name", MODELS)
def test_a_network_of_the_project_keeps_every_rule(name: str) -> None:
    contract.check_shapes(MODELS, name)
    assert len(contract.check_all(MODELS, name, **tiny(name))) == 3


def test_what_is_no_registry_of_networks_has_no_rules() -> None:
    contract.check_shapes({}, "part")
    assert contract.check_all({}, "part") == []


# Recurrent layers that break a rule -----------------------------------------------------------------------------------


class Sound(RecurrentLayer):
    """A linear recurrence that keeps every rule: h_t = W x_t + u * h_{t-1}."""

    state_parameters = ("keep",)

    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        self.weight = nn.Parameter(torch.randn(hidden_size, input_size))
        self.keep = nn.Parameter(torch.rand(hidden_size))

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        (h,) = self.initial_state(len(x)) if state is None else state
        states = []
        for x_t in x.unbind(1):
            h = x_t @ self.weight.T + self.keep * h
            states.append(h)
        return torch.stack(states, dim=1), (h,)


class StatesTooWide(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, after = super().forward(x, state)
        return torch.cat((states, states), dim=-1), after


class StatesOfTheLastTokenOnly(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, after = super().forward(x, state)
        return states[:, -1:], after


class StateIsNoTuple(Sound):
    def initial_state(self, batch_size: int, **options: Any) -> Any:
        return torch.zeros(batch_size, self.hidden_size, dtype=torch.float64)


class StateAfterIsNoTuple(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Any]:
        states, (h,) = super().forward(x, state)
        return states, h


class StateGrows(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, after = super().forward(x, None if state is None else state[:1])
        return states, after * 2


class StateChangesItsShape(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, (h,) = super().forward(x, state)
        return states, (h[:1],)


class StepLeavesAnotherState(Sound):
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        y_t, (h,) = super().step(x_t, state)
        return y_t, (h.unsqueeze(1),)


class StepComputesSomethingElse(Sound):
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        y_t, state = super().step(x_t, state)
        return 2 * y_t, state


class StepGivesASequence(Sound):
    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        return self(x_t.unsqueeze(1), state)


class ForgetsTheStateHandedOver(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return super().forward(x)


class HandsOnAnotherState(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, (h,) = super().forward(x, state)
        return states, (h + 0.01 * x.shape[1],)


class SeesTheFuture(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, after = super().forward(x, state)
        return states + states.mean(dim=1, keepdim=True), after


class ParameterWithoutUse(Sound):
    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        self.spare = nn.Parameter(torch.ones(hidden_size))


class CutsTheGradientOfTheTokens(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return super().forward(x.detach(), state)


class GradientIsNotFinite(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, after = super().forward(x, state)
        return states + (self.keep - self.keep).sqrt(), after  # the root has no slope at 0


class NamesNoParameter(Sound):
    state_parameters = ("keep", "missing")


class CountsAFraction(Sound):
    def multiply_adds(self, tokens: int) -> Any:
        return 1.5 * tokens


class CountsLessForMore(Sound):
    def multiply_adds(self, tokens: int) -> int:
        return 100 - tokens


class FailsInTorch(Sound):
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return x @ self.weight, self.initial_state(len(x))


class WithoutTheSequenceLength(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)


def test_the_layer_that_the_others_break_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECURRENCES, "part", Sound)
    assert len(contract.check_all(RECURRENCES, "part")) == 4


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (StatesTooWide, r"forward gives states of \(2, 5, 8\), not \(B, T, D\) = \(2, 5, 4\)"),
        (StatesOfTheLastTokenOnly, r"forward gives states of \(2, 1, 4\), not \(B, T, D\) = \(2, 5, 4\)"),
        (StateIsNoTuple, "initial_state gives a Tensor, not a tuple of tensors"),
        (StateAfterIsNoTuple, "forward gives a state that is no tuple but a Tensor"),
        (StateGrows, "forward gives a state of 2 tensors, not 1"),
        (StateChangesItsShape, r"forward gives a state whose tensor 0 is \(1, 4\); initial_state gives \(2, 4\)"),
        (StepLeavesAnotherState, r"step gives a state whose tensor 0 is \(2, 1, 4\); initial_state gives \(2, 4\)"),
        (StepComputesSomethingElse, "step after step differs from the whole by up to "),
        (StepGivesASequence, r"step after step is \(2, 5, 1, 4\), the whole \(2, 5, 4\)"),
        (ForgetsTheStateHandedOver, "two halves with the state handed over differs from the whole by up to "),
        (HandsOnAnotherState, "two halves with the state handed over differs from the whole by up to "),
        (SeesTheFuture, "two halves with the state handed over differs from the whole by up to "),
        (ParameterWithoutUse, "spare gets no gradient"),
        (CutsTheGradientOfTheTokens, "the tokens gets no gradient"),
        (GradientIsNotFinite, "the gradient of keep is not finite"),
        (NamesNoParameter, "state_parameters names missing: no parameter"),
        (CountsAFraction, "multiply_adds gives no whole number"),
        (CountsLessForMore, "multiply_adds gives 99 for 1 token and 95 for 5"),
        (FailsInTorch, r"breaks the rule «states are \(B, T, D\) .*»: RuntimeError: mat1 and mat2 "),
        (
            WithoutTheSequenceLength,
            r"its constructor takes input_size, hidden_size; it takes input_size, hidden_size, sequence_length, ",
        ),
    ],
    ids=label,
)
def test_a_layer_that_breaks_a_rule_is_told_by_it(
    layer: type[RecurrentLayer], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RECURRENCES, "part", layer)
    with pytest.raises(ValueError, match=rf"^part: {message}"):
        contract.check_all(RECURRENCES, "part")


def test_the_quick_check_of_a_layer_is_of_its_shapes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECURRENCES, "part", StepComputesSomethingElse)
    contract.check_shapes(RECURRENCES, "part")
    monkeypatch.setitem(RECURRENCES, "part", StatesTooWide)
    with pytest.raises(ValueError, match=r"^part: forward gives states of"):
        contract.check_shapes(RECURRENCES, "part")


# Orders and scans that break a rule -----------------------------------------------------------------------------------


def cells(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    return ((r, c) for r in range(rows) for c in range(columns))


def skips_a_cell(rows: int, columns: int, seed: int) -> Iterable[tuple[int, int]]:
    return list(cells(rows, columns))[1:]


def visits_a_cell_twice(rows: int, columns: int, seed: int) -> Iterable[tuple[int, int]]:
    return [*cells(rows, columns), (0, 0)]


def leaves_the_grid(rows: int, columns: int, seed: int) -> Iterable[tuple[int, int]]:
    return [(r, c + 1) for r, c in cells(rows, columns)]


def is_for_squares_only(rows: int, columns: int, seed: int) -> Iterable[tuple[int, int]]:
    return cells(columns, rows)


def is_no_iterable(rows: int, columns: int, seed: int) -> Any:
    return None


@pytest.mark.parametrize("check", [contract.check_shapes, contract.check_all])
@pytest.mark.parametrize(
    ("order", "message"),
    [
        (skips_a_cell, "does not visit each cell of a 1 x 1 grid once"),
        (visits_a_cell_twice, "does not visit each cell of a 1 x 1 grid once"),
        (leaves_the_grid, "does not visit each cell of a 1 x 1 grid once"),
        (is_for_squares_only, "does not visit each cell of a 1 x 5 grid once"),
        (is_no_iterable, "breaks the rule «an order visits each cell of a grid once»: TypeError: "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_order_that_breaks_the_rule_is_told(
    order: Any, message: str, check: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ORDERS, "part", order)
    with pytest.raises(ValueError, match=f"^part: {message}"):
        check(ORDERS, "part")


@pytest.mark.parametrize("check", [contract.check_shapes, contract.check_all])
def test_a_scan_of_an_order_that_skips_a_cell_is_told(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ORDERS, "skipping", skips_a_cell)
    monkeypatch.setitem(SCANS, "part", Preset((1, 1), "skipping"))
    with pytest.raises(ValueError, match=r"^order=skipping: does not visit each cell of the 4 x 6 grid once"):
        check(SCANS, "part")


@pytest.mark.parametrize("token", [(3, None), (None, 4), (5, 7), None], ids=str)
def test_a_scan_of_any_token_can_be_checked(token: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCANS, "part", Preset(token, "snake"))
    assert len(contract.check_all(SCANS, "part")) == 1


def test_a_scan_whose_inverse_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract.Scan, "inverse", lambda self, tokens: torch.zeros(2, *self.input_shape).double())
    with pytest.raises(ValueError, match=r"^rows: its inverse does not give the image back$"):
        contract.check_all(SCANS, "rows")


def test_a_scan_that_loses_a_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    read = contract.Scan.forward
    monkeypatch.setattr(contract.Scan, "forward", lambda self, image: read(self, image)[:, 1:])
    with pytest.raises(ValueError, match=r"^rows: gives tokens of \(2, 3, 12\), not \(2, 4, 12\)$"):
        contract.check_all(SCANS, "rows")


# Readouts that break a rule -------------------------------------------------------------------------------------------


class SaysAnotherWidth(Last):
    def __init__(self, state_size: int, bidirectional: bool = False) -> None:
        super().__init__(state_size, bidirectional)
        self.out_features = state_size + 1


class WrongInTwoDirections(Last):
    def forward(self, states: Tensor) -> Tensor:
        return states[:, -1, : states.shape[-1] // 2] if self.bidirectional else super().forward(states)


class GivesEveryTime(Last):
    def forward(self, states: Tensor) -> Tensor:
        return states


class PrefixesOfOneTime(Mean):
    def prefixes(self, states: Tensor) -> Tensor:
        return self(states)[:, None]


class PrefixesDoNotEndWithIt(Mean):
    def prefixes(self, states: Tensor) -> Tensor:
        return states


class PrefixesAreNarrow(Mean):
    def prefixes(self, states: Tensor) -> Tensor:
        return super().prefixes(states)[..., :1]


class StepForgetsTheCarry(Mean):
    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        return super().step(state, self.initial_carry(len(state), state))


class CarryGrows(Last):
    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        return state, (*carry, state)


class WithoutPrefixes(Readout):
    def forward(self, states: Tensor) -> Tensor:
        return states[:, -1]


@pytest.mark.parametrize(
    ("readout", "message"),
    [
        (SaysAnotherWidth, r"gives \(2, 4\), not \(B, out_features\) = \(2, 5\)"),
        (WrongInTwoDirections, r"gives \(2, 2\), not \(B, out_features\) = \(2, 4\)"),
        (GivesEveryTime, r"gives \(2, 5, 4\), not \(B, out_features\) = \(2, 4\)"),
        (PrefixesOfOneTime, r"prefixes gives \(2, 1, 4\), not \(B, T, out_features\)"),
        (PrefixesDoNotEndWithIt, "the last of the prefixes differs from the whole by up to "),
        (PrefixesAreNarrow, r"the last of the prefixes is \(2, 1\), the whole \(2, 4\)"),
        (StepForgetsTheCarry, "step after step differs from the whole by up to "),
        (CarryGrows, "step gives a carry of 1 tensors, not 0"),
        (WithoutPrefixes, "breaks the rule «a readout gives .*»: TypeError: "),
    ],
    ids=label,
)
def test_a_readout_that_breaks_a_rule_is_told_by_it(
    readout: type[Readout], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READOUTS, "part", readout)
    with pytest.raises(ValueError, match=f"^part: {message}"):
        contract.check_all(READOUTS, "part")


# Networks that break a rule -------------------------------------------------------------------------------------------


class OneClassTooMany(Logistic):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(super().forward(x), (0, 1))


class FeaturesAreAnImage(Logistic):
    def forward_features(self, x: Tensor) -> Tensor:
        return x

    def forward_head(self, features: Tensor) -> Tensor:
        return super().forward_head(features.flatten(1))


class ForwardIsNotTheHead(Logistic):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


class AnytimeEndsElsewhere(Logistic):
    def forward_anytime(self, x: Tensor) -> Tensor:
        return torch.stack([super().forward(x)] * 2, dim=1) + 1


class StepAnswersElsewhere(SequenceClassifier):
    def step(self, token: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        logits, state = super().step(token, state)
        return logits + 1, state


class HasNoFeatures(nn.Module):
    def __init__(self, *, input_shape: tuple[int, int, int], num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(input_shape[1] * input_shape[2], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1))


class TrainsWhatItDoesNotUse(Logistic):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.spare = nn.Linear(2, 2)


class LearnsNothingFinite(Logistic):
    def forward_head(self, features: Tensor) -> Tensor:
        return super().forward_head(features) + (self.head.bias - self.head.bias).sqrt()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (OneClassTooMany, r"forward gives \(2, 4\), not \(B, num_classes\) = \(2, 3\)"),
        (FeaturesAreAnImage, r"forward_features gives \(2, 1, 28, 28\), not \(B, D\)"),
        (ForwardIsNotTheHead, "forward_head of forward_features differs from the whole by up to "),
        (AnytimeEndsElsewhere, "the last of forward_anytime differs from the whole by up to 1"),
        (StepAnswersElsewhere, "step after step differs from the whole by up to 1"),
        (HasNoFeatures, "breaks the rule «forward is forward_head of forward_features»: AttributeError: "),
        (TrainsWhatItDoesNotUse, "spare.weight gets no finite gradient"),
        (LearnsNothingFinite, "head.bias gets no finite gradient"),
    ],
    ids=label,
)
def test_a_network_that_breaks_a_rule_is_told_by_it(
    network: type[nn.Module], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "part", network)
    with pytest.raises(ValueError, match=f"^part: {message}"):
        contract.check_all(MODELS, "part")
