"""The sequence classifier hands every argument on to the part that it belongs to."""

from typing import Any

import pytest
import torch
from torch import nn

from rnnvision.nn import Scan, SequenceClassifier
from rnnvision.nn.networks import sequence_classifier as classifier
from rnnvision.nn.recurrence import Recurrence

SCAN = {"scan": "permuted_pixels", "patch_size": (2, 3), "order": "random", "order_seed": 4}
STACK = {
    "recurrence": "gru",
    "hidden_size": 5,
    "num_layers": 2,
    "bidirectional": True,
    "block": "plain",
    "norm": True,
    "residual": True,
    "dropout": 0.3,
    "tied_dropout": True,
    "layer": {"weight_init": "torch", "gate_bias": "chrono"},
}


def spy_on(part: type[nn.Module], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments that the next classifier gives to this part."""
    seen: dict[str, Any] = {}

    def make(**arguments: Any) -> nn.Module:
        seen.update(arguments)
        return part(**arguments)

    monkeypatch.setattr(classifier, part.__name__, make)
    return seen


def test_the_scan_gets_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy_on(Scan, monkeypatch)
    SequenceClassifier(input_shape=(1, 4, 6), num_classes=3, **SCAN)
    assert seen.items() >= (SCAN | {"input_shape": (1, 4, 6)}).items()


@pytest.mark.parametrize(("embed_size", "input_size"), [(None, 12), (7, 7)])
def test_the_stack_gets_its_arguments_and_the_sizes_of_the_sequence(
    monkeypatch: pytest.MonkeyPatch, embed_size: int | None, input_size: int
) -> None:
    seen = spy_on(Recurrence, monkeypatch)
    SequenceClassifier(input_shape=(2, 4, 6), num_classes=3, embed_size=embed_size, **STACK)
    assert seen.items() >= (STACK | {"input_size": input_size, "sequence_length": 4}).items()


def test_the_stack_gets_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spy_on(Recurrence, monkeypatch)
    SequenceClassifier(input_shape=(2, 4, 6), num_classes=3, block="gated")
    assert seen["block"] == "gated"


def test_the_features_are_the_readout_of_the_states_of_the_embedded_tokens() -> None:
    network = SequenceClassifier(input_shape=(1, 4, 6), num_classes=3, scan="columns", embed_size=7, readout="mean")
    image = torch.randn(2, 1, 4, 6)
    tokens = image[:, 0].transpose(1, 2) @ network.embed.weight.T + network.embed.bias
    states, _ = network.recurrence(tokens)
    torch.testing.assert_close(network.forward_features(image), states.mean(dim=1))
    torch.testing.assert_close(network(image), states.mean(dim=1) @ network.head.weight.T + network.head.bias)
