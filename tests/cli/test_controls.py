"""Controls go through the verbs that the recurrent networks go through; what needs a sequence they refuse."""

import json
from itertools import cycle
from pathlib import Path

import pytest

from tests.cli.running import Verb

QUICK = ("trainer=smoke", "trainer.limit_train_batches=2", "device=cpu", "data=digits")
CONTROLS = {
    "logistic": (),
    "mlp": ("model.hidden_size=8",),
    "cnn": ("model.channels=4", "model.num_stages=2"),
    "resnet18": ("model.stem_stride=4",),
    "vit": ("model.hidden_size=8", "model.num_layers=1"),
    "linear_svm": (),
    "rbf_svm": (),
}


def metrics(verb: str) -> dict[str, float]:
    return json.loads(Path(f"logs/{verb}/latest/metrics.json").read_text())


@pytest.mark.usefixtures("_quick_benchmark")
@pytest.mark.parametrize("model", [pytest.param(m, marks=pytest.mark.slow) if m == "resnet18" else m for m in CONTROLS])
def test_it_trains_is_evaluated_and_is_measured(verb: Verb, model: str) -> None:
    result = verb("train", f"model={model}", *CONTROLS[model], *QUICK)
    assert result.code == 0, result.err
    first = result.out.splitlines()[0]
    assert first.startswith(f"network   {model}")
    assert ", 1 x 8 x 8 -> 10" in first
    assert first.endswith(" parameters") == (not model.endswith("svm"))  # whose number is for the fit to find
    assert "None" not in first
    assert all(word.removeprefix("model.").replace("=", " ") in first for word in CONTROLS[model])

    assert verb("evaluate", "ckpt=logs/train/latest", "device=cpu").code == 0
    assert metrics("evaluate")["test/accuracy"] == metrics("train")["test/accuracy"]

    small = ("batch_sizes=[2]", "rounds=1", "latency_rounds=1", "device=cpu")
    result = verb("benchmark", "ckpt=logs/train/latest", *small)
    assert result.code == 0, result.err
    measured = metrics("benchmark")
    assert measured["multiply_adds"] > 0
    assert measured["inference/samples_per_second/2"] > 0
    assert "growth/exponent" not in measured  # there is no sequence to make longer
    assert ("train/samples_per_second/2" in measured) == ("training/s" in result.out) == (not model.endswith("svm"))


REFUSED = {
    "+model.scan=rows": "model.scan: there is no such key; choose one of input_shape, num_classes",
    "model.scan=rows": "model.scan: this model has no such key, those that have it are model=",
    "pretrain=reconstruct": "cannot draw an image; choose model.name=sequence_classifier or encoder_decoder",
    "+model.input_shape=[1,8,8]": "model.input_shape: cannot be chosen, the data decides it",
}
PAIRS = [*zip(CONTROLS, cycle(REFUSED), strict=False), ("linear_svm", "+model.scan=rows")]


@pytest.mark.parametrize(("model", "word"), PAIRS)
def test_what_needs_a_sequence_is_refused(verb: Verb, model: str, word: str) -> None:
    result = verb("train", f"model={model}", word, *QUICK)
    assert result.code == 2
    assert REFUSED[word] in result.message
    assert "\n" not in result.message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["model=vit", "model.patch_size=3"],
            "model.patch_size=3: does not divide the side 8; choose one of 1, 2, 4, 8",
        ),
        (["model=vit", "model.num_heads=5"], "model.hidden_size=192: must be a multiple of num_heads=5"),
        (["model=resnet18", "model.stem_size=4"], "model.stem_size=4: must be odd; try 5"),
        (["model=linear_svn"], "did you mean model=linear_svm?"),
        (["model=linear_svm", "model.cots=2"], "did you mean model.cost?"),
    ],
)
def test_a_mistake_gets_one_line(verb: Verb, words: list[str], message: str) -> None:
    result = verb("train", *words, *QUICK)
    assert result.code == 2
    assert message in result.message
    assert "\n" not in result.message
