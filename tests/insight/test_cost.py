"""Multiply-adds by formula equal those that torch's counter finds in the same equations written as plain loops."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from rnnvision.insight import multiply_adds
from rnnvision.nn import RECURRENCES, build
from rnnvision.nn.controls.feedforward import CONTROLS
from rnnvision.nn.controls.svm import SVMS
from rnnvision.nn.controls.torchvision_networks import TORCHVISION_CONTROLS
from rnnvision.nn.layers.chunked import ChunkedLayer
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.nn.layers.layer import RecurrentLayer
from tests.oracles import ORACLES

SHAPE = (3, 6, 10)


def counted(network: nn.Module, monkeypatch: pytest.MonkeyPatch, recurrence: str | None = None) -> int:
    """By torch's counter, layers that hide their products replaced by their oracles; the others it sees as they are."""

    def plain(self: RecurrentLayer, x: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, object]:
        assert recurrence is not None
        weights = {name.removeprefix("kernel."): weight for name, weight in self.named_parameters()}
        return ORACLES[recurrence](x, state or self.initial_state(len(x)), weights)

    for kind in (FusedLayer, ChunkedLayer):
        monkeypatch.setattr(kind, "forward", plain)
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
        {"scan": "patches", "patch_size": 2, "embed_size": 5, "readout": "attention"},
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


GRID_NETWORKS = [
    {"name": "renet", "patch_sizes": (2, 1), "hidden_size": 7, "head_size": 11},
    {"name": "renet", "patch_sizes": (1, 2), "hidden_size": 3, "readout": "attention"},
    {
        "name": "sequencer2d",
        "layers": (1, 2),
        "patch_sizes": (1, 2),
        "embed_dims": (6, 8),
        "hidden_sizes": (3, 5),
        "mlp_ratios": (2.0, 1.5),
    },
]


@pytest.mark.parametrize("network", GRID_NETWORKS, ids=lambda arguments: arguments["name"])
@pytest.mark.parametrize("recurrence", ["lstm", "gru"])
def test_the_formula_counts_what_a_grid_is_read_with(
    network: dict, recurrence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build(**network, recurrence=recurrence, input_shape=SHAPE, num_classes=4).eval()
    expected = sum(multiply_adds(made, SHAPE).values())
    assert counted(made, monkeypatch, recurrence) == expected > 0


def test_a_convolution_is_counted_with_its_groups_and_borders() -> None:
    network = nn.Sequential(nn.Conv2d(3, 6, (3, 2), stride=2, padding=1, groups=3), nn.ReLU(), nn.Flatten())
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *SHAPE))
    assert sum(multiply_adds(network, SHAPE).values()) == counter.get_total_flops() // 2 > 0


def test_sequencer2d_s_costs_what_is_published() -> None:
    network = build("sequencer2d", variant="s", input_shape=(3, 224, 224), num_classes=1000)
    assert sum(multiply_adds(network, (3, 224, 224)).values()) == pytest.approx(8.4e9, rel=0.01)  # arXiv 2205.01972


@pytest.mark.parametrize(
    "options",
    [
        {"name": "vision_lstm", "patch_size": 2, "hidden_size": 8, "num_layers": 2},
        {
            "name": "vision_lstm",
            "patch_size": 1,
            "hidden_size": 6,
            "num_layers": 3,
            "kernel_size": 5,
            "readout": "mean",
        },
        {"name": "sequence_classifier", "recurrence": "mlstm", "scan": "pixels", "hidden_size": 12, "num_layers": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(3, 6, 10), (1, 10, 14)])
def test_the_formula_counts_what_torchs_counter_sees(options: dict, shape: tuple[int, int, int]) -> None:
    """Of networks without a fused kernel; images of 1, 2 and more chunks of tokens."""
    network = build(input_shape=shape, num_classes=4, **options).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *shape))
    assert sum(multiply_adds(network, shape).values()) == counter.get_total_flops() // 2


@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"attention": "dot", "num_glimpses": 3, "decoder_size": 5, "attention_size": 2},
        {"num_layers": 2, "bidirectional": True, "norm": True, "embed_size": 5, "num_glimpses": 1},
    ],
)
def test_the_formula_counts_every_glimpse(recurrence: str, options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"input_shape": SHAPE, "num_classes": 4, "hidden_size": 7}
    network = build("encoder_decoder", recurrence=recurrence, **sizes, **options).eval()
    expected = sum(multiply_adds(network, SHAPE).values())
    assert counted(network, monkeypatch, recurrence) == expected > 0


@pytest.mark.parametrize("model", [*CONTROLS, *TORCHVISION_CONTROLS, *SVMS])
def test_the_formula_counts_what_a_control_multiplies(model: str) -> None:
    network = build(model, input_shape=(3, 8, 8), num_classes=4).eval()
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the counter sees nothing in others
        network(torch.zeros(1, 3, 8, 8))
    assert sum(multiply_adds(network, (3, 8, 8)).values()) == counter.get_total_flops() // 2 > 0


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
