"""The answers that train and evaluate leave: predictions.csv, classes.csv, the temperature of the probabilities."""

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

import rnnvision
from rnnvision.data import ImageData
from rnnvision.nn.anytime import tokens_until_settled
from rnnvision.runs import read_predictions
from rnnvision.training import read_checkpoint
from tests.cli.running import TINY, Copy, Verb


def metrics_of(folder: str) -> dict[str, float]:
    return json.loads((Path(folder) / "metrics.json").read_text())


def temperature_of(folder: str, name: str = "best") -> float | None:
    found = read_checkpoint(Path(folder, "checkpoints", f"{name}.ckpt"))["rnnvision"].get("temperature")
    assert found is None or isinstance(found, float)
    return found


def check_figures(folder: str, split: str = "test") -> None:
    """Accuracy and calibrated loss follow from predictions.csv."""
    rows, metrics = read_predictions(Path(folder)), metrics_of(folder)
    assert len(rows) == metrics[f"{split}/images"]
    assert np.mean([row.right for row in rows]) == pytest.approx(metrics[f"{split}/accuracy"], abs=1e-6)
    assert np.mean([row.loss for row in rows]) == pytest.approx(metrics[f"{split}/nll_calibrated"], rel=1e-5)


def test_a_training_leaves_a_row_an_image_and_evaluate_the_same(trained: Copy, verb: Verb) -> None:
    trained("run")
    check_figures("run")
    rows = read_predictions(Path("run"))
    data = ImageData("digits")
    assert [row.truth for row in rows] == [data.class_names[i] for i in data.splits.test.labels]
    assert [row.image for row in rows] == [str(i) for i in range(len(rows))]
    assert verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out").code == 0
    for name in ("predictions.csv", "classes.csv"):
        assert Path("run", name).read_bytes() == Path("out", name).read_bytes()
    assert verb("evaluate", "ckpt=run", "split=val", "device=cpu", "hydra.run.dir=val").code == 0
    check_figures("val", "val")


def test_classes_and_the_pairs_that_are_confused(trained: Copy, verb: Verb) -> None:
    trained("run")
    result = verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out")
    rows = read_predictions(Path("out"))
    truth, answers = [row.truth for row in rows], [row.answer for row in rows]
    names = [str(i) for i in range(10)]
    expected = precision_recall_fscore_support(truth, answers, labels=names, zero_division=0)
    with Path("out/classes.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["class"] for row in found] == names
    for key, values in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        assert [float(row[key]) for row in found] == pytest.approx(list(values))
    assert np.mean([float(row["f1"]) for row in found]) == pytest.approx(metrics_of("out")["test/f1"], abs=1e-6)
    (line,) = [line for line in result.out.splitlines() if line.startswith("confused    ")]
    pairs = line.removeprefix("confused    ").split(", ")
    count = Counter((t, a) for t, a in zip(truth, answers, strict=True) if t != a)
    assert len(pairs) == 5
    (t, a), most = max(count.items(), key=lambda pair: (pair[1], pair[1] / truth.count(pair[0][0])))
    assert pairs[0] == f"{t} -> {a}: {most} of {truth.count(t)}"


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_token_after_which_an_answer_stayed(train: Verb, bidirectional: bool) -> None:
    assert train(f"model.bidirectional={bidirectional}", "hydra.run.dir=run").code == 0
    found = [row.settled for row in read_predictions(Path("run"))]
    if bidirectional:  # one pass does not tell
        assert set(found) == {None}
        return
    images = ImageData("digits").splits.test.images  # type: ignore[attr-defined]
    answers = rnnvision.load("run").anytime(images).argmax(dim=-1)
    assert found == tokens_until_settled(answers).tolist()
    assert len(set(found)) > 2


def test_the_temperature_is_fitted_on_validation_and_kept(trained: Copy, verb: Verb) -> None:
    trained("run")
    found = temperature_of("run")
    assert found is not None
    assert found == metrics_of("run")["temperature"] == rnnvision.load("run").temperature
    assert found != 1.0
    assert temperature_of("run", "last") is None
    # Of the validation split: no other temperature near by has a lower loss there.
    losses = []
    for factor in (0.97, 1.0, 1.03):
        classifier = rnnvision.load("run")
        classifier.temperature *= factor
        val = ImageData.of_checkpoint(classifier.description).splits.val
        p = classifier.probabilities(val.images)  # type: ignore[union-attr]
        of_truth = p.gather(1, val.labels[:, None])  # type: ignore[union-attr]
        chance = 1 / (len(of_truth) + 1)
        losses.append(float(-((1 - chance) * of_truth.log() + chance * p.log().mean(dim=1, keepdim=True)).mean()))
    assert min(losses) == losses[1]


def test_a_run_that_goes_on_fits_its_temperature_again(train: Verb, verb: Verb) -> None:
    words = ("trainer.max_steps=-1", "scheduler=constant", "optimizer.lr=0.01")
    assert train(*words, "trainer.max_epochs=1", "hydra.run.dir=run").code == 0
    before = temperature_of("run")
    assert verb("train", "resume=run", "trainer.max_epochs=3").code == 0
    after = temperature_of("run")
    assert after is not None
    assert after == metrics_of("run")["temperature"]
    assert after != before  # other weights are the best by now
    check_figures("run")


def test_without_validation_there_is_no_temperature(train: Verb, verb: Verb) -> None:
    assert train("trainer.limit_val_batches=0", "callbacks=none", "hydra.run.dir=run").code == 0
    assert "temperature" not in metrics_of("run")
    assert not any("calibrated" in name for name in metrics_of("run"))
    assert len(read_predictions(Path("run"))) == 360
    if Path("run/checkpoints/last.ckpt").is_file():
        assert rnnvision.load("run").temperature == 1.0


def test_a_support_vector_machine_has_answers_too(verb: Verb, tmp_path: Path) -> None:
    words = [word for word in TINY if "hidden_size" not in word]
    assert verb("train", *words, "model=linear_svm", "hydra.run.dir=run").code == 0
    check_figures("run")
    assert verb("evaluate", "ckpt=run", "device=cpu", "hydra.run.dir=out").code == 0
    assert Path("run/predictions.csv").read_bytes() == Path("out/predictions.csv").read_bytes()
    assert {row.settled for row in read_predictions(Path("out"))} == {None}
    images = ImageData("digits").splits.test.images[:5]  # type: ignore[attr-defined]
    answers = rnnvision.load("run").predict(images)
    assert [a.ranking[0][0] for a in answers] == [row.answer for row in read_predictions(Path("out"))[:5]]
