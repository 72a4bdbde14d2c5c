"""Files of weights that others have published: read as checkpoints of ours, whatever wrote them, and never run."""

import argparse
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import rnnvision
from rnnvision.data.sets.folders import wnid_names
from rnnvision.inference.published import is_published, read_trained
from rnnvision.training import CheckpointError
from tests.nn.cases import randomise
from tests.nn.networks.authors import Sequencer, VisionLSTM2


def sequencer(classes: int = 5) -> Sequencer:
    network = Sequencer(classes=classes)
    randomise(network, 0.3)
    return network.eval()


def zipped(weights: dict[str, Tensor], path: Path) -> None:
    torch.save(weights, path)


def before_zips(weights: dict[str, Tensor], path: Path) -> None:
    torch.save(weights, path, _use_new_zipfile_serialization=False)


def of_timm(weights: dict[str, Tensor], path: Path) -> None:
    torch.save({"epoch": 3, "arch": "x", "args": argparse.Namespace(lr=0.1), "state_dict": weights}, path)


def of_safetensors(weights: dict[str, Tensor], path: Path) -> None:
    save_file(weights, path.with_suffix(".safetensors"))


@pytest.mark.parametrize("write", [zipped, before_zips, of_timm, of_safetensors])
def test_a_file_is_a_classifier_with_the_logits_of_its_network(write: Any, tmp_path: Path) -> None:
    network = sequencer()
    write(network.state_dict(), tmp_path / "weights.pth")
    (path,) = tmp_path.iterdir()
    classifier = rnnvision.load(path)
    shape = classifier.input_shape
    images = torch.rand(2, *shape)
    mean, std = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        expected = network((images - mean) / std)
    torch.testing.assert_close(classifier.logits(images), expected, rtol=1e-4, atol=1e-4)
    assert classifier.class_names == tuple(f"class {i}" for i in range(5))  # nobody says what they are


@pytest.mark.parametrize(
    ("network", "crop_ratio"),
    [(Sequencer(classes=1000), 0.875), (VisionLSTM2(input_shape=(3, 8, 8), classes=1000), 1.0)],
    ids=["sequencer2d", "vision_lstm"],
)
def test_a_thousand_classes_are_imagenets_seen_as_its_authors_do(
    network: torch.nn.Module, crop_ratio: float, tmp_path: Path
) -> None:
    torch.save(network.state_dict(), tmp_path / "weights.th")
    classifier = rnnvision.load(tmp_path / "weights.th")
    assert classifier.class_names == tuple(wnid_names().values())
    assert classifier.class_names[0] == "tench"
    assert classifier.view.crop_ratio == crop_ratio
    assert classifier.description["data"]["name"] == "imagenet"
    assert classifier.description["normalisation"]["mean"] == [0.485, 0.456, 0.406]


class Attack:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": sequencer().state_dict(), "args": Attack()}
    torch.save(content, "weights.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"^weights\.pth: .*more than weights.*; nothing in it was run$"):
        read_trained(Path("weights.pth"))
    assert not Path("ran").exists()


def test_what_is_wrong_with_a_file_begins_with_its_path(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({name: weight for name, weight in sequencer().state_dict().items() if name != "head.bias"}, path)
    with pytest.raises(CheckpointError, match=r"^\S+weights\.pth: are not those of Sequencer2D: lacks head\.bias$"):
        rnnvision.load(path)
    torch.save([torch.ones(2)], path)
    with pytest.raises(CheckpointError, match=r"^\S+weights\.pth: holds no weights by name, but a list$"):
        rnnvision.load(path)
    path.write_bytes(pickle.dumps({"a": 1}))
    assert not is_published(path)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        rnnvision.load(path)
