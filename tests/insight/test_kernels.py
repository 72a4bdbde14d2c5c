"""The rules of cuDNN's kernels, as a table of cases that follow from torch's aten/src/ATen/native/cudnn/RNN.cpp."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from rnnvision.cli.frame.device import kernel_lines
from rnnvision.insight import Gpu, Kernels, cudnn_kernels, network_kernels
from rnnvision.nn import build
from rnnvision.nn.layers.fused import GRU, LSTM, RNN, FusedLayer

GPUS = {
    "K80": Gpu((3, 7), 13),
    "P100": Gpu((6, 0), 56),
    "V100": Gpu((7, 0), 80),
    "T4": Gpu((7, 5), 40),
    "A100": Gpu((8, 0), 108),
    "A30": Gpu((8, 0), 56),
    "A40": Gpu((8, 6), 84),
    "a large 8.6": Gpu((8, 6), 108),
    "RTX 4090": Gpu((8, 9), 128),
    "L4": Gpu((8, 9), 58),
    "H100": Gpu((9, 0), 132),
    "B200": Gpu((10, 0), 148),
}
SMALL, PERSISTENT, STANDARD = "small persistent", "persistent", "standard"


def kernels(layer: FusedLayer | nn.RNNBase, gpu: str = "H100", **how: Any) -> Kernels:
    return cudnn_kernels(layer, GPUS[gpu], **({"batch_size": 128, "tokens": 28, "precision": "32-true"} | how))


@pytest.mark.parametrize("precision", ["32-true", "16-mixed", "16-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize(
    ("layer", "forward", "backward"),
    [
        (LSTM(28, 128), SMALL, SMALL),
        (LSTM(28, 129), SMALL, STANDARD),
        (LSTM(28, 192), SMALL, STANDARD),
        (LSTM(28, 193), STANDARD, STANDARD),
        (GRU(28, 128), SMALL, SMALL),
        (GRU(28, 192), SMALL, STANDARD),
        (GRU(28, 193), STANDARD, STANDARD),
        (RNN(28, 256), SMALL, SMALL),
        (RNN(28, 257), SMALL, STANDARD),
        (RNN(28, 384), SMALL, STANDARD),
        (RNN(28, 385), STANDARD, STANDARD),
        (nn.RNN(28, 256, nonlinearity="relu"), SMALL, SMALL),
        (nn.LSTM(28, 64, num_layers=3, bidirectional=True), SMALL, SMALL),
    ],
    ids=str,
)
def test_up_to_a_hidden_size_the_small_kernel(
    layer: FusedLayer | nn.RNNBase, forward: str, backward: str, precision: str
) -> None:
    """Inputs of 28 features leave no persistent one beside it."""
    found = kernels(layer, precision=precision)
    assert (found.forward, found.backward) == (forward, backward)
    assert kernels(layer, precision=precision, training=False).backward is None
    assert kernels(layer, "P100", precision=precision) == Kernels(forward, backward)  # which has no other to advise
    for other in (kernels(layer, "K80", precision=precision), kernels(layer, precision="64-true")):
        assert (other.forward, other.backward) == (STANDARD, STANDARD)
    assert kernels(layer, packed=True) == Kernels(STANDARD, STANDARD)


@pytest.mark.parametrize(
    ("layer", "gpu", "how", "fits"),
    [
        (LSTM(128, 256), "H100", {}, True),
        (LSTM(128, 256), "A100", {"precision": "16-true"}, True),
        (LSTM(128, 256), "RTX 4090", {}, True),
        (LSTM(128, 256), "B200", {}, True),
        (LSTM(128, 1024), "H100", {"batch_size": 8}, True),
        (LSTM(128, 256), "V100", {}, False),  # 28 tokens are too few for 128 sequences
        (LSTM(128, 256), "V100", {"tokens": 40}, True),
        (GRU(128, 256), "V100", {"tokens": 40}, True),
        (RNN(128, 512), "V100", {"tokens": 40}, True),
        (LSTM(128, 256), "V100", {"tokens": 20, "batch_size": 96}, True),
        (LSTM(128, 256), "V100", {"tokens": 19, "batch_size": 96}, False),
        (LSTM(128, 256), "V100", {"tokens": 10, "batch_size": 32}, True),
        (LSTM(128, 256), "V100", {"tokens": 9, "batch_size": 8}, False),
        (LSTM(128, 256), "V100", {"tokens": 40, "batch_size": 8}, True),
        (LSTM(128, 256), "V100", {"tokens": 40, "batch_size": 24}, False),
        (LSTM(128, 256), "V100", {"tokens": 40, "batch_size": 80}, False),
        (LSTM(128, 256), "V100", {"tokens": 40, "batch_size": 112}, False),
        (RNN(128, 512), "H100", {}, True),
        (RNN(128, 896), "H100", {"batch_size": 88}, True),
        (RNN(128, 896), "H100", {"batch_size": 96}, False),
        (RNN(128, 768), "H100", {"batch_size": 96}, True),
        (GRU(128, 256), "H100", {}, False),
        (LSTM(128, 256), "H100", {"precision": "bf16-mixed"}, False),
        (LSTM(128, 256), "H100", {"precision": "32-true"}, False),
        (LSTM(128, 256), "H100", {"batch_size": 136}, False),
        (LSTM(128, 256), "H100", {"batch_size": 100}, False),
        (LSTM(100, 256), "H100", {}, False),
        (LSTM(128, 250), "H100", {}, False),
        (LSTM(128, 1152), "H100", {}, False),
        (nn.LSTM(128, 256, num_layers=2), "H100", {}, False),
        (nn.LSTM(128, 256, bidirectional=True), "H100", {}, False),
        (nn.LSTM(128, 256, proj_size=8), "H100", {}, False),
        *((LSTM(128, 256), gpu, {"tokens": 40}, False) for gpu in ("P100", "T4", "A30", "A40", "a large 8.6", "L4")),
    ],
    ids=str,
)
def test_in_fp16_the_persistent_kernel(
    layer: FusedLayer | nn.RNNBase, gpu: str, how: dict[str, Any], fits: bool
) -> None:
    found = kernels(layer, gpu, **({"precision": "16-mixed"} | how))
    assert found.forward == found.backward == (PERSISTENT if fits else STANDARD)
    assert not fits or not found.missing


def test_the_backward_pass_may_get_the_persistent_one_alone() -> None:
    found = kernels(RNN(128, 384), precision="16-mixed")
    assert str(found) == "small persistent forward, persistent backward"
    assert kernels(LSTM(128, 128), precision="16-mixed") == Kernels(SMALL, SMALL)


@pytest.mark.parametrize(
    ("layer", "gpu", "how", "missing"),
    [
        (LSTM(128, 256), "H100", {"precision": "bf16-mixed"}, ["trainer.precision=16-mixed"]),
        (LSTM(128, 256), "H100", {"batch_size": 256}, ["data.batch_size of at most 128"]),
        (RNN(128, 1024), "H100", {"batch_size": 96}, ["data.batch_size of at most 88"]),
        (LSTM(128, 256), "V100", {"tokens": 28}, ["data.batch_size=8, 16, 32, 48, 64 or 96"]),
        (LSTM(128, 256), "V100", {"tokens": 7}, ["sequences of at least 10 tokens"]),
        (LSTM(100, 200), "H100", {}, ["model.hidden_size=256", "model.embed_size"]),
        (RNN(128, 400), "H100", {}, ["model.hidden_size=384"]),
        (LSTM(128, 2048), "H100", {}, ["model.hidden_size=1024"]),
        (GRU(128, 256), "A100", {}, ["model.recurrence=lstm"]),
        (nn.LSTM(128, 256, bidirectional=True), "H100", {}, ["one layer and one direction"]),
        (LSTM(28, 64), "H100", {"precision": "64-true"}, ["trainer.precision", "hidden_size=256", "model.embed_size"]),
        (LSTM(100, 200), "A40", {}, []),  # no change gives another one
    ],
    ids=str,
)
def test_what_is_missing(layer: FusedLayer | nn.RNNBase, gpu: str, how: dict[str, Any], missing: list[str]) -> None:
    found = kernels(layer, gpu, **({"precision": "16-mixed"} | how))
    assert len(found.missing) == len(missing)
    assert all(part in reason for part, reason in zip(missing, found.missing, strict=True))


def test_a_layer_that_reads_each_row_of_an_image_sees_as_many_sequences(monkeypatch: pytest.MonkeyPatch) -> None:
    """ReNet in patches of 2 x 2 on 8 x 12: 6 columns of an image, then 4 rows."""
    network = build("renet", input_shape=(1, 8, 12), num_classes=3, hidden_size=256, patch_sizes=[2]).train()
    how = {"batch_size": 32, "precision": "16-mixed"}
    found = network_kernels(network, (1, 8, 12), GPUS["H100"], **how)
    assert network.training
    assert any("data.batch_size" in reason for kernel in found for reason in kernel.missing)  # 192 and 128 sequences
    found = network_kernels(network, (1, 8, 12), GPUS["H100"], **(how | {"batch_size": 8}))
    assert not any("data.batch_size" in reason for kernel in found for reason in kernel.missing)
    trainer: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda")), precision="16-mixed")
    monkeypatch.setattr(Gpu, "of", lambda device: GPUS["H100"])
    lines = kernel_lines(LSTMNetwork, (1, 4, 4), trainer, 8)
    assert lines == ["kernel    cuDNN's small persistent forward, standard backward; for the persistent one: " + WANTED]
    trainer.strategy.root_device = torch.device("cpu")
    assert kernel_lines(LSTMNetwork, (1, 4, 4), trainer, 8) == []


LSTMNetwork = build("sequence_classifier", input_shape=(1, 4, 4), num_classes=3, recurrence="lstm", hidden_size=160)
WANTED = (
    "model.hidden_size=256 (a multiple of 128, at most 1024), "
    "an input of a multiple of 128 (model.embed_size, above the first layer model.hidden_size)"
)
