"""Descriptions and weights of earlier versions, brought up to date."""

from typing import Any

import pytest
import torch

from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.legacy import LAYER_OPTIONS, current_arguments, current_weights
from tests.nn.cases import tiny

OLD = {"name": "sequence_classifier", "hidden_size": 5, "weight_init": None, "gate_bias": "chrono"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (OLD, {"name": "sequence_classifier", "hidden_size": 5, "layer": {"gate_bias": "chrono"}}),
        ({"name": "renet", "state_size": 3, "r_min": 0.5}, {"name": "renet", "layer": {"state_size": 3, "r_min": 0.5}}),
        ({"name": "sequencer2d", "weight_init": None}, {"name": "sequencer2d"}),
        ({"name": "encoder_decoder", "layer": {"r_max": 0.9}}, {"name": "encoder_decoder", "layer": {"r_max": 0.9}}),
        ({"name": "renet", "r_min": 0.1, "layer": None}, {"name": "renet", "layer": {"r_min": 0.1}}),
        ({"name": "vision_lstm", "num_heads": 4}, {"name": "vision_lstm", "num_heads": 4}),  # its own
        ({"name": "vit", "num_heads": None}, {"name": "vit", "num_heads": None}),
    ],
)
def test_options_of_the_layer_move_into_their_mapping(given: dict[str, Any], expected: dict[str, Any]) -> None:
    before = dict(given)
    assert current_arguments(given) == expected
    assert given == before
    assert current_arguments(expected) == expected


def test_an_old_description_builds_what_it_built() -> None:
    network = build(**current_arguments(OLD | tiny("sequence_classifier", recurrence="lstm")))
    i, f = (network.recurrence.layers[0].gate("bias_ih", gate) for gate in (0, 1))
    assert torch.equal(i, -f)  # chrono


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_gated_stack_from_before_there_was_an_activation_has_none(bidirectional: bool) -> None:
    old = {"name": "sequence_classifier", "block": "gated", "bidirectional": bidirectional, "layer": {"state_size": 3}}
    arguments = old | tiny("sequence_classifier", recurrence="lru", num_layers=2)
    network, images = build(**current_arguments(arguments)).eval(), torch.randn(3, *arguments["input_shape"])
    none, gelu = (build(**arguments, activation=activation).eval() for activation in ("none", "gelu"))
    for other in (none, gelu):
        other.load_state_dict(network.state_dict())
    assert torch.equal(none(images), network(images))
    assert not torch.allclose(gelu(images), network(images))


def test_every_option_that_moves_is_one_of_a_layer() -> None:
    assert set(LAYER_OPTIONS) <= {option for layer in RECURRENCES.values() for option in layer.options()}


@pytest.mark.parametrize("prefix", ["", "network."])
def test_the_encoder_is_called_a_recurrence(prefix: str) -> None:
    network = build("encoder_decoder", **tiny("encoder_decoder"))
    new = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    old = {key.replace(f"{prefix}recurrence.", f"{prefix}encoder."): value for key, value in new.items()}
    assert old.keys() != new.keys()
    assert current_weights("encoder_decoder", old, prefix).keys() == new.keys()
    assert current_weights("encoder_decoder", new, prefix).keys() == new.keys()
    assert current_weights("renet", {f"{prefix}encoder.x": torch.ones(1)}, prefix).keys() == {f"{prefix}encoder.x"}
