"""Files that are not what was exported: each is refused in one line, and nothing in it is run."""

import importlib.util
import io
import json
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnvision
from rnnvision.errors import UsageError
from rnnvision.inference.export import FORMATS
from tests.inference.exports import classifier_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")

SMALL = {"name": "logistic", "input_shape": (1, 4, 4), "num_classes": 3}
NAMES = {"onnx": "model.onnx", "torch_export": "model.pt2", "safetensors": "model.safetensors"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    for format, name in NAMES.items():
        FORMATS[format].write(classifier_of(SMALL), folder / name)
    return folder


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copy(exported / name, tmp_path / name))


def refusal(path: Path) -> str:
    with pytest.raises(UsageError) as error:
        rnnvision.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    return str(error.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", NAMES.values())
def test_what_is_cut_short_or_something_else_is_refused(name: str, copied: Callable[[str], Path]) -> None:
    path = copied(name)
    whole = path.read_bytes()
    for content in (b"", b"not a model at all", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        assert "is no " in (told := refusal(path)) or "damaged" in told or "has no card" in told


def test_bytes_before_an_archive_are_not_read(copied: Callable[[str], Path]) -> None:
    path = copied("model.pt2")
    path.write_bytes(b"PK\3\4" + path.read_bytes())
    assert rnnvision.load(path).class_names


@pytest.mark.parametrize("name", NAMES.values())
def test_a_changed_weight_is_found(name: str, copied: Callable[[str], Path]) -> None:
    path = copied(name)
    content = bytearray(path.read_bytes())
    weights = rnnvision.load(path.with_name(name)).description  # it loads as it is
    assert weights["class_names"]
    needle = classifier_of(SMALL).network.head.weight.detach().numpy().tobytes()
    place = bytes(content).find(needle)
    content[place + 2] ^= 1
    path.write_bytes(content)
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("name", NAMES.values())
def test_a_changed_digit_of_the_card_is_found(name: str, copied: Callable[[str], Path]) -> None:
    path = copied(name)
    content = path.read_bytes()
    assert b"0.1307" in content  # the mean of the pixels: with another one the answers are others
    path.write_bytes(content.replace(b"0.1307", b"0.1309"))
    assert "damaged" in refusal(path)


# ONNX.


def rewrite(path: Path, change: Callable[[Any, dict[str, Any]], None]) -> None:
    """Change a graph and its card, and make the digests right again, as another program would that knows how."""
    from rnnvision.inference.export.card import dumped
    from rnnvision.inference.export.onnx_file import content_of

    graph = onnx.load(str(path), load_external_data=False)
    card = json.loads(graph.metadata_props[0].value)
    change(graph, card)
    card["exported"]["content"] = content_of(graph)
    del card["digest"]
    graph.metadata_props[0].value = dumped(card)
    path.write_bytes(graph.SerializeToString(deterministic=True))


def other_classes(graph: Any, card: dict[str, Any]) -> None:
    card["class_names"].append("one more")
    card["network"]["num_classes"] = 4


def other_images(graph: Any, card: dict[str, Any]) -> None:
    card["exported"]["inputs"]["images"]["shape"][2] = 5


def newer_opset(graph: Any, card: dict[str, Any]) -> None:
    graph.opset_import[0].version = 9999


def weights_elsewhere(graph: Any, card: dict[str, Any]) -> None:
    tensor = graph.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"


def no_card(graph: Any, card: dict[str, Any]) -> None:
    graph.metadata_props[0].key = "somebody"


def card_of_the_future(graph: Any, card: dict[str, Any]) -> None:
    card["exported"]["card"] = 99


def no_normalisation(graph: Any, card: dict[str, Any]) -> None:
    card["normalisation"] = {"mean": [0.1, 0.2], "std": [1.0]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (other_classes, "gives logits ['batch', 3] and its card names 4 classes"),
        (other_images, "images is ['batch', 1, 4, 4] and its card says ['batch', 1, 5, 4]"),
        (newer_opset, "cannot run it: "),
        (weights_elsewhere, "asks for weights in ../../etc/passwd, which is outside its folder"),
        (no_card, "has no card of rnnvision, which says what its classes and its images are"),
        (card_of_the_future, "has a card of format 99; this version reads 1"),
        (no_normalisation, "its card is wrong: normalisation.mean=[0.1, 0.2]"),
    ],
)
def test_a_graph_that_is_not_what_its_card_says_is_refused(
    change: Callable[[Any, dict[str, Any]], None], told: str, copied: Callable[[str], Path]
) -> None:
    path = copied("model.onnx")
    rewrite(path, change)
    assert told in refusal(path)


@pytest.mark.parametrize(
    ("name", "package"), [("model.onnx", "onnxruntime"), ("model.onnx", "onnx"), ("model.safetensors", "safetensors")]
)
def test_a_missing_package_is_named_with_what_to_type(
    name: str, package: str, copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda asked: None if asked == package else True)
    with pytest.raises(UsageError, match=rf'^{package} is not installed; type: pip install "rnnvision\[export\]"$'):
        rnnvision.load(copied(name))


# Programs of torch.


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def replaced(path: Path, entry: str, change: Callable[[bytes], bytes]) -> None:
    """Change one entry of an archive; its checksum is made anew."""
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, change(content) if name.endswith(entry) else content)


def in_json(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old.encode() in content
        return content.replace(old.encode(), new.encode())

    return change


def bomb(content: bytes) -> bytes:
    made = io.BytesIO()
    torch.save(Bomb(), made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("entry", "change"),
    [
        ("sample_inputs/model.pt", bomb),
        ("model_weights_config.json", in_json('"use_pickle": false', '"use_pickle": true')),
        ("models/model.json", in_json('"torch.ops.aten.linear.default"', '"torch.hub.load"')),
        ("models/model.json", in_json("Symbol('s77'", "__import__('os').getcwd('s77'")),
        ("models/model.json", in_json('"guards_code": []', '"guards_code": ["__import__(\'os\')"]')),
        ("models/model.json", in_json('"forward_arg_names": ["x"]', '"forward_arg_names": ["x=print(1)"]')),
    ],
)
def test_a_program_that_could_run_code_is_refused_unread(
    entry: str, change: Callable[[bytes], bytes], copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied("model.pt2")
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(torch.export, "load", lambda *_: pytest.fail("was read"))
    replaced(path, entry, change)
    assert "holds more than a program and its weights, in " in refusal(path)
    assert not Path("exploded").exists()


def test_an_entry_that_torch_would_run_is_refused(copied: Callable[[str], Path]) -> None:
    path = copied("model.pt2")
    for name in ("data/constants/custom_obj_0", "data/aotinductor/model/a.so", "data/weights/model.pt"):
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"archive/{name}", pickle.dumps(Bomb()))
        assert f"holds more than a program and its weights, in {name}" in refusal(path)
        path = copied("model.pt2")


def test_a_hub_folder_without_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert refusal(tmp_path) == "has a config.json and no model.safetensors"


def test_weights_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    FORMATS["safetensors"].write(classifier_of(SMALL, class_names=["a", "b"]), path)
    assert refusal(path) == "its card is wrong: 2 class_names and network.num_classes=3"


def test_a_program_stays_as_it_was_exported(exported: Path) -> None:
    """Whoever moves it, or sets it to training, as Lightning does."""
    program = rnnvision.load(exported / "model.pt2")
    images = torch.rand(2, 1, 4, 4)
    before = program.logits(images)
    program.network.double().train()
    assert torch.equal(program.logits(images), before)
