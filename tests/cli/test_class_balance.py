"""Unbalanced classes: loss.class_weight and data.sampler on the command line, in a resumed run, in a comparison."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from rnnvision.search import Job
from rnnvision.training import read_checkpoint
from tests.cli.running import Here, Verb

BALANCED = ("loss.class_weight=balanced", "data.sampler=balanced")


def weights(run: str, name: str = "last") -> dict[str, torch.Tensor]:
    return read_checkpoint(Path(run) / "checkpoints" / f"{name}.ckpt")["state_dict"]


@pytest.mark.parametrize("word", BALANCED)
def test_it_changes_the_training_and_a_resumed_run_repeats_it(train: Verb, verb: Verb, word: str) -> None:
    """On two classes, 40 images to 4."""
    for name, count in (("common", 40), ("rare", 4)):
        Path("images", name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (6, 6), 3 * i + (name == "rare")).save(Path("images", name, f"{i}.png"))
    words = ("data=image_folder", "data.root=images", "data.image_size=6", "data.batch_size=8")
    words += ("scheduler=constant", "trainer.max_steps=-1")
    assert train(*words, "hydra.run.dir=plain", "trainer.max_epochs=3").code == 0
    result = train(*words, word, "hydra.run.dir=whole", "trainer.max_epochs=3")
    assert result.code == 0
    said = "sampler   balanced" if word.startswith("data") else "loss      class weights: common 0.5"
    assert said in result.out
    assert "warning" not in result.out
    assert train(*words, word, "hydra.run.dir=parts", "trainer.max_epochs=1").code == 0
    assert verb("train", "resume=parts", "trainer.max_epochs=3").code == 0
    whole, parts, plain = (weights(run) for run in ("whole", "parts", "plain"))
    assert whole.keys() == plain.keys()
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert not all(torch.equal(whole[key], plain[key]) for key in whole)


def test_both_together_are_warned_of(train: Verb) -> None:
    result = train(*BALANCED)
    assert result.code == 0
    assert (
        "warning   class weights and balanced sampling together count the rare classes twice" in result.out.splitlines()
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("loss.class_weight=balancd", "did you mean balanced?"),
        ("loss.class_weight=[1,2]", "loss.class_weight=[1, 2]: gives 2 numbers for 10 classes"),
        ("loss.class_weight=2", "loss.class_weight=2: must be text, or a list of numbers"),
        ("loss.class_weights=balanced", "did you mean loss.class_weight?"),
        ("+loss.weight=balanced", "loss.weight: there is no such key; choose one of class_weight"),
        ("data.sampler=balance", "did you mean balanced?"),
    ],
)
def test_a_mistake_is_one_line(train: Verb, word: str, said: str) -> None:
    result = train(word)
    assert (result.code, len(result.message.splitlines())) == (2, 1)
    assert said in result.message


@pytest.mark.parametrize("word", BALANCED)
def test_what_is_fitted_in_one_go_refuses_it(verb: Verb, word: str) -> None:
    result = verb("train", "model=linear_svm", word, "trainer=smoke", "device=cpu")
    assert (result.code, len(result.message.splitlines())) == (2, 1)
    assert word in result.message


def test_a_comparison_hands_it_on(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    """To every training, and of one model to its own."""
    told: list[list[str]] = []

    def note(job: Job) -> int:
        told.append(list(job.fresh))
        return 1

    monkeypatch.setattr("rnnvision.cli.compare.make_place", Here(note))
    models = 'models=[rnn,"lstm loss.class_weight=null"]'
    verb("compare", models, "budget=epochs:1", "seeds=1", "trainer=smoke", "device=cpu", *BALANCED)
    rnn, lstm = (next(words for words in told if f"model={model}" in words) for model in ("rnn", "lstm"))
    assert [word for word in rnn if word in BALANCED] == list(BALANCED)
    assert [word for word in lstm if word.startswith("loss.")] == [BALANCED[0], "loss.class_weight=null"]
