"""Multiply-adds by formula equal those that torch's counter finds in the same equations written as plain loops."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rnnvision.insight import multiply_adds
from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.gated import FusedLayer
from tests.oracles import ORACLES

SHAPE = (3, 6, 10)


def counted(network: nn.Module, monkeypatch: pytest.MonkeyPatch, recurrence: str) -> int:
    """By torch's counter, the fused kernels replaced by their oracles."""

    def plain(self: FusedLayer, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, object]:
        weights = dict(self.kernel.named_parameters())
        return ORACLES[recurrence](x, state or self.initial_state(len(x)), weights)

    monkeypatch.setattr(FusedLayer, "forward", plain)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *SHAPE))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_layers": 2, "bidirectional": True, "norm": True},
        {"num_layers": 2, "bidirectional": True, "block": "gated"},
        {"scan": "patches", "patch_size": 2, "embed_size": 5, "readout": "last"},
    ],
)
def test_the_formula_counts_what_the_equations_multiply(
    recurrence: str, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(
        "sequence_classifier", input_shape=SHAPE, num_classes=4, recurrence=recurrence, hidden_size=7, **options
    ).eval()
    expected = sum(multiply_adds(network, SHAPE).values())
    assert counted(network, monkeypatch, recurrence) == expected > 0


def test_every_layer_is_named() -> None:
    network = build("sequence_classifier", input_shape=SHAPE, num_classes=4, num_layers=2, embed_size=5)
    counts = multiply_adds(network, SHAPE)
    assert list(counts) == ["embed", "recurrence.layers.0", "recurrence.layers.1", "head"]
    assert counts["head"] == 128 * 4


def test_a_layer_without_a_formula_is_refused() -> None:
    with pytest.raises(ValueError, match=r"1: no formula for the multiply-adds of Bilinear"):
        multiply_adds(nn.Sequential(nn.Flatten(), nn.Bilinear(3, 3, 2)), SHAPE)


def test_counting_leaves_the_network_as_it_was() -> None:
    network = build("sequence_classifier", input_shape=SHAPE, num_classes=4).train()
    multiply_adds(network, SHAPE)
    assert network.training
    assert not any(module._forward_hooks for module in network.modules())
