"""Parts of a network by name: which weights are in each, and what is left as it is when they are frozen."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from rnnvision.nn import MODELS, RECURRENCES, build
from rnnvision.nn.parts import ALL_BUT_HEAD, freeze_parts, frozen_names, hold_frozen, parameters_in, parts_of
from tests.nn.cases import Case, images, network_cases, tiny

CASES = dict(network_cases("variant"))


def stack(recurrence: str = "lstm", **arguments: Any) -> nn.Module:
    sizes = {"input_shape": (1, 4, 4), "num_classes": 3, "hidden_size": 4, "num_layers": 2}
    return build("sequence_classifier", recurrence=recurrence, **(sizes | arguments))


# Names ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_every_weight_is_in_a_module_and_layers_share_none(case: Case) -> None:
    network = build(**case)
    parts, names = parts_of(network), [name for name, _ in network.named_parameters()]
    layers = [held for part, held in parts.items() if part.startswith("layer_")]
    assert len(layers) == len(getattr(network, "parts", dict)()) - (case["name"] == "encoder_decoder")
    assert all(set(a).isdisjoint(b) for a, b in itertools.combinations(layers, 2))
    modules = [held for part, held in parts.items() if part in {name.partition(".")[0] for name in names}]
    assert sorted(name for held in modules for name in held) == sorted(names)
    assert sorted(parts.get(ALL_BUT_HEAD, []) + parts.get("head", [])) == sorted(names)


@pytest.mark.parametrize("block", ["plain", "gated"])
def test_the_layers_of_a_stack_are_all_of_it(block: str) -> None:
    network = stack(bidirectional=True, block=block, norm=block == "plain", num_layers=3)
    parts = parts_of(network)
    found = [name for part, held in parts.items() if part.startswith("layer_") for name in held]
    assert sorted(found) == sorted(parts["recurrence"])
    assert any("backward_layers.2" in name for name in parts["layer_2"])


def test_the_encoder_of_an_encoder_decoder_is_what_reads_the_image() -> None:
    network = build("encoder_decoder", **tiny("encoder_decoder", input_shape=(1, 4, 4), embed_size=3))
    parts = parts_of(network)
    assert parts["encoder"] == [*parts["embed"], *parts["recurrence"]]


@pytest.mark.parametrize(
    ("part", "weights"),
    [
        ("recurrence.layers.1", ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"]),
        ("recurrence.layers.*.weight_hh_l0", ["weight_hh_l0", "weight_hh_l0"]),
        ("head.bias", ["bias"]),
    ],
)
def test_a_part_is_a_module_of_any_depth_a_weight_or_a_pattern(part: str, weights: list[str]) -> None:
    assert [name.rpartition(".")[2] for name in parameters_in(stack(), part)] == weights


def test_a_part_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    message = "no such part; choose one of all_but_head, layer_0 to layer_4, recurrence, head, or a pattern such as "
    with pytest.raises(ValueError, match=rf"^freeze=recurence: this network has {message}.*; did you mean recurrence"):
        freeze_parts(stack(num_layers=5), freeze="recurence")
    for nothing in ("scan", "recurrence.layers.7", "*.gamma"):
        with pytest.raises(ValueError, match="this network has no such part"):
            parameters_in(stack(), nothing)


# Frozen ---------------------------------------------------------------------------------------------------------------


def test_what_is_frozen_together_must_leave_something() -> None:
    network = stack()
    with pytest.raises(ValueError, match=r"^freeze=\[all_but_head,head\]: nothing is left to train"):
        freeze_parts(network, freeze=["all_but_head", "head"])
    one = stack()
    freeze_parts(one, freeze="layer_0")
    assert frozen_names(one) == set(parts_of(one)["layer_0"])


@pytest.mark.parametrize("frozen", ["layer_0", "layer_1"])
@pytest.mark.parametrize("recurrence", RECURRENCES)
def test_a_frozen_layer_changes_no_gradient_of_the_others(recurrence: str, frozen: str) -> None:
    found = []
    for freeze in ([], [frozen]):
        torch.manual_seed(0)
        network = stack(recurrence, bidirectional=True).double()
        freeze_parts(network, freeze=freeze)
        hold_frozen(network)
        network(torch.ones(2, 1, 4, 4, dtype=torch.float64)).square().sum().backward()
        found.append({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
    whole, rest = found
    assert whole.keys() - rest.keys() == set(parts_of(network)[frozen])
    for name, gradient in rest.items():
        torch.testing.assert_close(gradient, whole[name], msg=name)


@pytest.mark.parametrize("name", [name for name in MODELS if not name.endswith("svm") and name != "logistic"])
def test_nothing_drops_and_no_statistics_move_where_all_but_the_head_is_frozen(name: str) -> None:
    rates = {"dropout": 0.5, "drop_path": 0.5}
    network: Any = build(name, **tiny(name, input_shape=(1, 8, 8), **rates))
    freeze_parts(network, freeze=ALL_BUT_HEAD)
    hold_frozen(network.train())
    before = {key: value.clone() for key, value in network.state_dict().items()}
    x = images({"input_shape": (1, 8, 8)}, dtype=torch.float32)
    assert torch.equal(network.forward_features(x), network.forward_features(x))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.head.training


def test_only_what_is_frozen_stands_still() -> None:
    network = build("cnn", input_shape=(1, 8, 8), num_classes=3, channels=4, num_stages=1)
    freeze_parts(network, freeze="layer_0")
    hold_frozen(network)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network(torch.randn(4, 1, 8, 8))
    moved = {key for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"layers.4.running_mean", "layers.4.running_var", "layers.4.num_batches_tracked"}


def test_a_kernel_of_torchs_stays_in_training_mode_which_cudnn_needs_for_the_layers_before_it() -> None:
    network = stack(embed_size=3)
    freeze_parts(network, freeze="recurrence")
    hold_frozen(network)
    modes = {name: module.training for name, module in network.named_modules() if name.startswith("recurrence")}
    assert {name for name, training in modes.items() if training} == {f"recurrence.layers.{i}.kernel" for i in (0, 1)}
