"""Checkpoints of earlier versions: read as those of today are, to the last bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging

import rnnvision
from rnnvision.nn import RECURRENCES
from rnnvision.nn.legacy import LAYER_OPTIONS, current_arguments, current_weights
from rnnvision.training import CheckpointError, load_network, read_checkpoint
from rnnvision.training.checkpoint import FORMAT
from tests.training.cases import checkpoint_of, last, make_data, make_learner, make_trainer, same, save, train
from tests.training.legacy import flat, to_format_1

pytestmark = [
    # Lightning's own check of nested batches uses a function that torch has deprecated.
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning"),
    # It says so of every resumed run.
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning"),
]
NETWORKS: dict[str, dict[str, Any]] = {
    "gru": {"recurrence": "gru", "layer": {"gate_bias": "chrono", "weight_init": "orthogonal"}},
    "lru": {"recurrence": "lru", "layer": {"state_size": 3, "r_min": 0.5}},
    "mlstm": {"recurrence": "mlstm", "layer": {"num_heads": 1}},
    "encoder_decoder": {"name": "encoder_decoder", "bidirectional": True, "layer": {"gate_bias": "forget"}},
    "renet": {"name": "renet", "layer": {"weight_init": "orthogonal"}},
    "sequencer2d": {"name": "sequencer2d", "layer": {"gate_bias": "forget"}},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_checkpoint_of_format_1_is_the_same_network(tmp_path: Path, name: str) -> None:
    train(tmp_path, network=NETWORKS[name])
    path, images = checkpoint_of(tmp_path), torch.randn(5, 1, 4, 4)
    before = read_checkpoint(path)
    to_format_1(path)
    old = torch.load(path, weights_only=True)
    assert old["rnnvision"]["format"] == 1
    assert "layer" not in old["rnnvision"]["network"]
    found = read_checkpoint(path)
    assert found["rnnvision"]["network"] == before["rnnvision"]["network"]
    assert torch.equal(load_network(found)(images), load_network(before)(images))
    assert rnnvision.load(path).class_names == make_data().class_names


@pytest.mark.parametrize("ema", [False, True])
def test_a_training_goes_on_from_a_checkpoint_of_format_1(tmp_path: Path, ema: bool) -> None:
    """Weights, moments of the optimiser, and where there is one the average."""

    def run(folder: Path, epochs: int) -> dict[str, Any]:
        data, found = make_data(), checkpoint_of(folder)
        learner = make_learner(data, network=NETWORKS["encoder_decoder"])
        callbacks = [last(folder), *([EMAWeightAveraging(decay=0.8)] if ema else [])]
        trainer = make_trainer(folder, max_epochs=epochs, callbacks=callbacks)
        trainer.fit(learner, datamodule=data, ckpt_path=found if found.is_file() else None)
        return read_checkpoint(found)

    whole = run(tmp_path / "whole", 2)
    run(tmp_path / "parts", 1)
    to_format_1(checkpoint_of(tmp_path / "parts"))
    resumed = run(tmp_path / "parts", 2)
    entries = ["state_dict", "optimizer_states", *(["current_model_state"] if ema else [])]
    assert [entry for entry in entries if not same(whole[entry], resumed[entry])] == []
    assert resumed["rnnvision"]["format"] == FORMAT


@pytest.mark.parametrize("format", [0, FORMAT + 1, "2", None])
def test_a_format_that_is_not_known_is_refused(tmp_path: Path, format: object) -> None:
    path = save(tmp_path / "a.ckpt", rnnvision={"format": format, "network": {}})
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert str(error.value) == f"{path}: has format {format}; this version reads 1 and {FORMAT}"


def test_arguments_of_today_stay_as_they_are() -> None:
    for arguments in ({"name": "cnn", "channels": 4}, {"name": "renet", "layer": {"gate_bias": "chrono"}}):
        assert current_arguments(arguments) == arguments
    assert current_arguments({"name": "vision_lstm", "num_heads": 4}) == {"name": "vision_lstm", "num_heads": 4}


def test_options_that_were_null_are_gone_and_the_others_are_the_layers() -> None:
    old = flat({"name": "sequence_classifier", "hidden_size": 4, "layer": {"r_min": 0.5}})
    assert set(LAYER_OPTIONS) < old.keys()
    assert current_arguments(old) == {"name": "sequence_classifier", "hidden_size": 4, "layer": {"r_min": 0.5}}
    assert current_arguments(flat({"name": "renet"})) == {"name": "renet"}


def test_every_option_that_moved_is_one_of_a_layer() -> None:
    assert set(LAYER_OPTIONS) <= {option for layer in RECURRENCES.values() for option in layer.options()}


def test_only_an_encoder_decoders_encoder_has_another_name() -> None:
    weights = {"network.encoder.a": torch.zeros(1), "network.decoder.encoder.b": torch.ones(1)}
    assert current_weights("renet", weights, "network.") == weights
    assert list(current_weights("encoder_decoder", weights, "network.")) == [
        "network.recurrence.a",
        "network.decoder.encoder.b",
    ]
