"""rnnvision.load and Classifier: from a run folder or a file to ranked labels, as the network by hand gives them."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

import rnnvision
from rnnvision.errors import UsageError
from rnnvision.inference import Classifier
from rnnvision.training import CheckpointError, load_network, read_checkpoint
from tests.training.cases import best, checkpoint_of, last, make_data, make_learner, make_trainer, save

# Lightning's own check of nested batches uses a function that torch has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated:FutureWarning")
COLOURS = {"image_shape": (3, 4, 4), "num_classes": 7}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder: images of three channels, seven classes."""
    folder = tmp_path_factory.mktemp("run")
    data = make_data(**COLOURS)
    trainer = make_trainer(folder, max_epochs=2, callbacks=[best(folder), last(folder)])
    trainer.fit(make_learner(data), datamodule=data)
    return folder


@pytest.fixture(scope="module")
def classifier(run: Path) -> Classifier:
    return rnnvision.load(run)


def by_hand(run: Path, pixels: Tensor) -> Tensor:
    """Probabilities, from uint8 pixels (B, C, H, W) and what the checkpoint says: (B, K)."""
    checkpoint = read_checkpoint(checkpoint_of(run, "best"))
    norm = checkpoint["rnnvision"]["normalisation"]
    images = torch.stack(
        [(pixels[:, c] / 255 - m) / s for c, (m, s) in enumerate(zip(norm["mean"], norm["std"], strict=True))], dim=1
    )
    with torch.no_grad():
        return load_network(checkpoint)(images).softmax(dim=1)


PIXELS = torch.randint(256, (5, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_importing_the_package_loads_nothing() -> None:
    code = (
        "import sys, rnnvision; print(rnnvision.__version__)\n"
        "print([name for name in ('torch', 'numpy', 'lightning', 'hydra') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [rnnvision.__version__, "[]"]
    assert rnnvision.Classifier is Classifier


def test_what_the_package_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        rnnvision.lode  # noqa: B018


def test_a_run_folder_means_its_best_checkpoint_and_a_file_itself(run: Path, classifier: Classifier) -> None:
    assert classifier.path == checkpoint_of(run, "best").resolve()
    newest = rnnvision.load(str(checkpoint_of(run)))
    assert newest.path == checkpoint_of(run).resolve()
    assert not newest.network.training
    assert newest.class_names == classifier.class_names == make_data(**COLOURS).class_names
    assert newest.input_shape == classifier.input_shape == (3, 4, 4)
    assert classifier.description["data"]["name"] == "fake"


def test_probabilities_are_those_of_the_network_by_hand(run: Path, classifier: Classifier) -> None:
    found = classifier.probabilities(PIXELS)
    torch.testing.assert_close(found, by_hand(run, PIXELS))
    torch.testing.assert_close(found.sum(dim=1), torch.ones(5))
    assert not found.requires_grad
    assert len(found.argmax(dim=1).unique()) > 1  # else anything would equal anything


def test_pixels_may_be_bytes_or_fractions_and_one_image_is_a_batch_of_one(classifier: Classifier) -> None:
    whole = classifier.probabilities(PIXELS)
    torch.testing.assert_close(classifier.probabilities(PIXELS / 255), whole)
    torch.testing.assert_close(classifier.probabilities((PIXELS / 255).double()), whole)
    one = classifier.probabilities(PIXELS[2])
    assert one.shape == (1, 7)
    torch.testing.assert_close(one[0], whole[2])


def test_labels_are_ranked(classifier: Classifier) -> None:
    expected = classifier.probabilities(PIXELS)
    found = classifier(PIXELS)
    assert [len(answers) for answers in found] == [5] * 5
    for answers, probabilities in zip(found, expected, strict=True):
        scores = [answer["score"] for answer in answers]
        assert scores == sorted(scores, reverse=True)
        for answer in answers:
            assert answer["score"] == pytest.approx(float(probabilities[classifier.class_names.index(answer["label"])]))
        assert answers[0]["label"] == classifier.class_names[int(probabilities.argmax())]
    assert [len(classifier(PIXELS[0], top_k=k)) for k in (1, 7, 99)] == [1, 7, 7]
    assert sum(answer["score"] for answer in classifier(PIXELS[0], top_k=7)) == pytest.approx(1.0)


def test_another_precision_of_the_weights_is_followed(run: Path, classifier: Classifier) -> None:
    doubled = rnnvision.load(run)
    doubled.network.double()
    torch.testing.assert_close(doubled.probabilities(PIXELS), classifier.probabilities(PIXELS))


@pytest.mark.parametrize("shape", [(1, 4, 4), (5, 3, 4, 5), (4, 4), (2, 5, 3, 4, 4)])
def test_pixels_of_another_shape_are_not_normalised(classifier: Classifier, shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"^images of shape .*: this network reads \(3, 4, 4\) or \(B, 3, 4, 4\)$"
    ) as error:
        classifier.preprocess(torch.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("images", [torch.full((3, 4, 4), 200), torch.full((3, 4, 4), 200.0), -torch.ones(3, 4, 4)])
def test_pixels_in_another_range_are_refused(classifier: Classifier, images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"^image of torch\.\w+ with values (up to 200: give|from -1 to -1: )"):
        classifier.probabilities(images)


def test_at_least_one_class_is_asked_for(classifier: Classifier) -> None:
    with pytest.raises(ValueError, match=r"^top_k=0: "):
        classifier(torch.zeros(3, 4, 4), top_k=0)


def test_a_network_that_was_only_pre_trained_knows_no_labels(tmp_path: Path) -> None:
    data = make_data()
    learner = make_learner(data, objective="reconstruct")
    learner.network.use_reconstruction_head()  # type: ignore[operator,union-attr]
    learner.description["objective"] = "reconstruct"
    make_trainer(tmp_path, callbacks=[last(tmp_path)]).fit(learner, datamodule=data)
    path = checkpoint_of(tmp_path)
    with pytest.raises(CheckpointError, match=f"^{path}: is of a pre-training and knows no classes; give the run"):
        rnnvision.load(path)


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_what_holds_no_checkpoint_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"^{tmp_path / name}: "):
        rnnvision.load(tmp_path / name)


def test_a_plugin_that_is_not_imported_is_named(run: Path, tmp_path: Path) -> None:
    checkpoint = read_checkpoint(checkpoint_of(run))
    checkpoint["rnnvision"]["plugins"] = ["json", "my_layers"]
    path = save(tmp_path / "a.ckpt", **checkpoint)
    with pytest.raises(CheckpointError) as error:
        rnnvision.load(path)
    assert str(error.value).startswith(f"{path}: needs the plugin my_layers, which is not imported by itself")
    assert "add plugins=[json,my_layers] to the command, or in Python: import my_layers" in str(error.value)
    assert "my_layers" not in sys.modules
