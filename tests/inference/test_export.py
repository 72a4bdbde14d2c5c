"""Exports: whatever is exported answers as the checkpoint does, in every format, for batches of any size."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import rnnvision
from rnnvision.data import ImageData
from rnnvision.inference import Classifier
from rnnvision.inference.demo import facts_of
from rnnvision.inference.export import FORMATS, ExportError
from rnnvision.inference.export.card import card_of
from rnnvision.inference.export.hub import readme_of, scores_of
from rnnvision.inference.export.measure import largest_difference
from rnnvision.nn import READOUTS, RECURRENCES
from rnnvision.training.losses import check_anytime
from rnnvision.training.saving.content import digest
from tests.inference.exports import NAMES, classifier_of
from tests.nn.cases import network_cases
from tests.training.cases import sampled

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")

# Ways in which a network is exported: an operator of ONNX, in two directions; a Scan over time with complex states; a
# decoder's steps, each a Scan of one token; chunks of tokens; no recurrence at all. An export takes some seconds.
QUICK = [
    "sequence_classifier-two_layers_two_directions",
    "sequence_classifier-s5",
    "sequence_classifier-mlstm",
    "encoder_decoder-ur_lstm",
    "rbf_svm-own",
]
CASES = dict(network_cases())
LSTM = {
    "name": "sequence_classifier",
    "input_shape": (1, 6, 4),
    "num_classes": len(NAMES),
    "recurrence": "lstm",
    "hidden_size": 8,
    "num_layers": 2,
}


def assert_same_logits(classifier: Classifier, path: Path, *batches: int) -> None:
    """To 1e-5, or of logits above 1 to 1e-5 of the largest."""
    difference, largest = largest_difference(classifier, rnnvision.load(path), batches)
    assert difference < 1e-5 * max(1.0, largest)
    assert largest > 0.01


@pytest.mark.parametrize("case", sampled(list(CASES), QUICK))
def test_onnx_gives_the_logits_of_the_network_in_batches_of_any_size(case: str, tmp_path: Path) -> None:
    classifier = classifier_of(CASES[case])
    FORMATS["onnx"].write(classifier, tmp_path / "model.onnx")
    assert_same_logits(classifier, tmp_path / "model.onnx", 1, 2, 17)


# Of torch.export: a Scan, with complex states; an equation, and a chunk of tokens with none after it.
PROGRAMS = ["sequence_classifier-lru", "vision_lstm-attention"]


@pytest.mark.parametrize("case", sampled(list(CASES), PROGRAMS))
def test_so_does_a_program_of_torch(case: str, tmp_path: Path) -> None:
    classifier = classifier_of(CASES[case])
    FORMATS["torch_export"].write(classifier, tmp_path / "model.pt2")
    assert_same_logits(classifier, tmp_path / "model.pt2", 1, 2, 17)


@pytest.mark.slow
@pytest.mark.parametrize("recurrence", RECURRENCES)
@pytest.mark.parametrize("format", ["onnx", "torch_export"])
def test_so_do_long_sequences(recurrence: str, format: str, tmp_path: Path) -> None:
    """784 tokens: several chunks, and rounding errors that add up."""
    long = {**LSTM, "input_shape": (1, 28, 28), "scan": "pixels", "recurrence": recurrence, "hidden_size": 16}
    classifier = classifier_of(long)
    file = tmp_path / FORMATS[format].file
    FORMATS[format].write(classifier, file)
    assert_same_logits(classifier, file, 1, 3)


@pytest.mark.parametrize("recurrence", sampled(["lstm", "gru", "rnn"], ["rnn"]))
def test_lstm_gru_and_rnn_are_operators_of_onnx_that_hold_their_weights(recurrence: str, tmp_path: Path) -> None:
    classifier = classifier_of({**LSTM, "recurrence": recurrence})
    FORMATS["onnx"].write(classifier, tmp_path / "model.onnx")
    graph = onnx.load(str(tmp_path / "model.onnx")).graph
    weights = {value.name for value in graph.initializer}
    layers = [node for node in graph.node if node.op_type == recurrence.upper()]
    assert len(layers) == 2
    assert all(set(node.input[1:3]) <= weights for node in layers)  # not computed from others, image after image
    assert_same_logits(classifier, tmp_path / "model.onnx", 2)
    assert str(Path(torch.__file__).parent).encode() not in (tmp_path / "model.onnx").read_bytes()


PAIRS = [(recurrence, readout) for recurrence in RECURRENCES for readout in READOUTS]
STEPS = [("lstm", "mean"), ("lru", "attention")]


@pytest.mark.parametrize("pair", sampled(PAIRS, STEPS))
def test_step_after_step_gives_the_answers_after_each_token(pair: tuple[str, str], tmp_path: Path) -> None:
    recurrence, readout = pair
    classifier = classifier_of({**LSTM, "recurrence": recurrence, "readout": readout, "scan": "snake"})
    FORMATS["step"].write(classifier, tmp_path / "step.onnx")
    step = rnnvision.load(tmp_path / "step.onnx")
    pixels = torch.randint(256, (3, 1, 6, 4), dtype=torch.uint8)
    torch.testing.assert_close(step.anytime(pixels), classifier.anytime(pixels), atol=5e-6, rtol=0)
    session = step.session()
    for row in pixels[0].unbind(1):
        session.push(row)
    torch.testing.assert_close(session.probabilities, classifier.probabilities(pixels)[0], atol=5e-6, rtol=0)


def test_a_step_file_alone_says_how_to_read_an_image(tmp_path: Path) -> None:
    """As a program elsewhere would: onnxruntime, NumPy and the card, nothing of this project."""
    import numpy as np
    import onnxruntime

    classifier = classifier_of({**LSTM, "readout": "max", "order": "reverse", "margin": 1})
    FORMATS["step"].write(classifier, tmp_path / "step.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "step.onnx"))
    card = json.loads(session.get_modelmeta().custom_metadata_map["rnnvision"])
    image = np.random.default_rng(0).integers(0, 256, (1, 6, 4)).astype(np.uint8)

    mean, std = (np.array(card["normalisation"][key], np.float32)[:, None, None] for key in ("mean", "std"))
    tokens, m = card["exported"]["tokens"], card["exported"]["tokens"]["margin"]
    (rows, columns), (h, w) = tokens["grid"], tokens["shape"]
    seen = ((image / np.float32(255) - mean) / std)[:, m : m + rows * h, m : m + columns * w]
    states = {name: about for name, about in card["exported"]["inputs"].items() if name != "token"}
    state = {
        name: np.full((1, *about["shape"][1:]), float(about["initial"])).astype(about["dtype"])
        for name, about in states.items()
    }
    for cell in tokens["order"]:
        r, c = divmod(cell, columns)
        token = seen[:, r * h : (r + 1) * h, c * w : (c + 1) * w].reshape(1, -1).astype(np.float32)
        found = dict(
            zip([o.name for o in session.get_outputs()], session.run(None, {"token": token, **state}), strict=True)
        )
        state = {name: found[about["next"]] for name, about in states.items()}
    expected = classifier.probabilities(torch.from_numpy(image))
    torch.testing.assert_close(torch.from_numpy(found["probabilities"]), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("format", [name for name, form in FORMATS.items() if form.loads])
def test_every_format_keeps_what_the_checkpoint_says(format: str, tmp_path: Path) -> None:
    classifier, form = classifier_of(LSTM), FORMATS[format]
    form.write(classifier, tmp_path / form.file)
    found = rnnvision.load(tmp_path / form.file)
    assert found.class_names == classifier.class_names
    assert (found.input_shape, found.temperature) == (classifier.input_shape, 1.7)
    hidden = {"data", "files", "exported"} if format == "hub" else {"exported"}
    assert digest({k: v for k, v in found.description.items() if k not in hidden}) == digest(
        {k: v for k, v in classifier.description.items() if k not in hidden}
    )
    pixels = torch.randint(256, (5, 1, 6, 4), dtype=torch.uint8)
    torch.testing.assert_close(found.probabilities(pixels), classifier.probabilities(pixels), atol=1e-6, rtol=0)
    assert not list(tmp_path.glob(".*"))  # nothing is left over


@pytest.mark.parametrize("format", ["safetensors", "hub"])
def test_an_export_of_a_users_folder_is_measured_on_the_images_that_it_was_not_trained_on(
    format: str, tmp_path: Path
) -> None:
    from PIL import Image

    for i in range(24):
        folder = tmp_path / "images" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 6), 10 * i).save(folder / f"{i}.png")
    options = {"root": str(tmp_path / "images"), "image_size": (6, 4), "channels": 1}
    data = ImageData("image_folder", **options)
    names = [data.splits.test.name(i) for i in range(len(data.splits.test))]
    assert data.record is not None
    about = {"data": data.describe(), "class_names": ["a", "b"], "files": data.record.plain()}
    FORMATS[format].write(classifier_of({**LSTM, "num_classes": 2}, **about), tmp_path / FORMATS[format].file)
    description = rnnvision.load(tmp_path / FORMATS[format].file).description
    found = ImageData.of_checkpoint(description, root=options["root"]).splits.test
    assert sorted(found.name(i) for i in range(len(found))) == sorted(names)


def test_networks_that_read_no_stream_have_no_step(tmp_path: Path) -> None:
    for network in ({**LSTM, "bidirectional": True}, CASES["renet-gru"], CASES["cnn-own"]):
        with pytest.raises(ExportError, match=r"cannot be read token by token: .*; choose format=onnx"):
            FORMATS["step"].write(classifier_of(network), tmp_path / "step.onnx")


class OfAPlugin(torch.nn.Module):
    """What the contract of a network that is read token by token asks for, and nothing more."""

    def __init__(self, like: Any) -> None:
        super().__init__()
        self.like, self.scan = like, like.scan
        self.initial_state, self.step, self.forward_anytime = like.initial_state, like.step, like.forward_anytime

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.like(images)


def test_a_network_that_says_no_more_than_its_contract_is_streamed_and_shown(tmp_path: Path) -> None:
    classifier = classifier_of(LSTM)
    pixels = torch.randint(256, (3, 1, 6, 4), dtype=torch.uint8)
    expected = classifier.probabilities(pixels)
    classifier.network = OfAPlugin(classifier.network).eval()
    assert facts_of(classifier)["mode"] == "tokens"
    FORMATS["step"].write(classifier, tmp_path / "step.onnx")
    found = rnnvision.load(tmp_path / "step.onnx").probabilities(pixels)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"^anytime=0.5: needs a network that reads an image in one direction"):
        check_anytime(classifier.network, anytime=0.5)


def test_a_layer_that_cannot_be_exported_is_named_in_one_line(tmp_path: Path) -> None:
    classifier = classifier_of(LSTM)
    classifier.network.forward = lambda x: x.new_zeros(int(x.sum()))
    for format in ("onnx", "torch_export"):
        with pytest.raises(ExportError, match=r"^a.ckpt: cannot be exported: [^\n]+$"):
            FORMATS[format].write(classifier, tmp_path / FORMATS[format].file)
        assert not any(tmp_path.iterdir())


def test_quantised_weights_take_a_quarter_of_the_space(tmp_path: Path) -> None:
    classifier = classifier_of({**LSTM, "hidden_size": 64})
    for name, options in (("float.onnx", {}), ("int8.onnx", {"quantize": True})):
        FORMATS["onnx"].write(classifier, tmp_path / name, **options)
    assert (tmp_path / "int8.onnx").stat().st_size < 0.4 * (tmp_path / "float.onnx").stat().st_size
    difference, largest = largest_difference(classifier, rnnvision.load(tmp_path / "int8.onnx"))
    assert 0 < difference < 0.1 * largest
    with pytest.raises(ExportError, match="quantises LSTM, and this network has GRU"):
        FORMATS["onnx"].write(classifier_of({**LSTM, "recurrence": "gru"}), tmp_path / "a.onnx", quantize=True)


# The folder for hubs.


def test_the_hub_folder_has_the_keys_that_hubs_read_and_no_paths(tmp_path: Path) -> None:
    FORMATS["hub"].write(classifier_of(LSTM), tmp_path / "hub")
    config: dict[str, Any] = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert (config["architecture"], config["num_classes"]) == ("sequence_classifier", len(NAMES))
    assert config["label_names"] == NAMES
    assert config["model_args"]["hidden_size"] == 8
    assert config["pretrained_cfg"]["mean"] == [0.1307]
    for file in (tmp_path / "hub").iterdir():
        assert b"somebody" not in file.read_bytes()
        assert b"secret" not in file.read_bytes()


def test_the_code_in_its_readme_runs_and_names_of_classes_stay_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.json").write_text(json.dumps({"test/accuracy": 0.75, "test/images": 40.0, "val/accuracy": 0.5}))
    classifier = classifier_of(LSTM)
    classifier.path = run / "checkpoints" / "best.ckpt"
    FORMATS["hub"].write(classifier, tmp_path / "hub")
    monkeypatch.chdir(tmp_path / "hub")
    Image.new("L", (4, 6), 200).save("image.png")
    text = Path("README.md").read_text()
    exec(text.split("```python\n")[1].split("```")[0], {})
    assert "'label': " in capsys.readouterr().out
    assert scores_of(classifier) == {"test/accuracy": 0.75, "test/images": 40.0}
    assert "| test/accuracy | 0.7500 |" in text
    front, rest = text.removeprefix("---\n").split("\n---\n", 1)
    assert [line.split(": ")[0] for line in front.splitlines()][:2] == ["library_name", "pipeline_tag"]
    names = rest.split("## Classes")[1].strip().removeprefix("```json\n").removesuffix("\n```").splitlines()
    assert len(names) == len(NAMES)
    assert all(line.startswith('"') and line.endswith('"') for line in names)  # so that none is markup


def test_what_a_run_calls_its_figures_and_its_data_is_no_markup_of_the_readme(tmp_path: Path) -> None:
    evil = "x |\n\n# Injected ![i](http://evil/t.png) <script>"
    (tmp_path / "metrics.json").write_text(json.dumps({f"test/{evil}": 1.0, "test/big": 10**400, "test/f1": 0.5}))
    classifier = classifier_of(LSTM)
    classifier.path = tmp_path / "checkpoints" / "best.ckpt"
    assert scores_of(classifier) == {"test/f1": 0.5}
    text = readme_of({**card_of(classifier, "hub", ""), "data": {"name": evil}}, scores_of(classifier))
    assert "Injected" not in text
    assert "# sequence_classifier for images\n" in text


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ExportError, match=f"^{tmp_path}: holds other files"):
        FORMATS["hub"].write(classifier_of(LSTM), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
