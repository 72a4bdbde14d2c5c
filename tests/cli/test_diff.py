"""rnnvision diff: in what two runs differ, and whether one network is better on the images that both have seen."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from rnnvision.runs import Prediction, write_predictions
from tests.cli.running import Copy, Verb

SCORES = "scores           a     b     b - a"


def run(name: str, answers: Sequence[str], *, hidden_size: int = 8, truth: Sequence[str] | None = None) -> Path:
    """A run folder whose answers to images 0, 1 ... are these letters; the truth is "a" everywhere by default."""
    folder = Path(name)
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "config.yaml").write_text(f"model:\n  name: lstm\n  hidden_size: {hidden_size}\nseed: 0\n")
    (folder / "metrics.json").write_text(json.dumps({"train/loss": 0.5, "test/accuracy": 0.5 + hidden_size / 100}))
    (folder / "environment.json").write_text(
        json.dumps(
            {
                "command": [name],
                "choices": {"model": name},
                "git": {"commit": "abc"},
                "versions": {"torch": f"2.{hidden_size}"},
            }
        )
    )
    rows = [
        Prediction(str(i), right, answer, 0.9, 0.1 if answer == right else 1.0 + i, None)
        for i, (right, answer) in enumerate(zip(truth or "a" * len(answers), answers, strict=True))
    ]
    write_predictions(folder, rows)
    return folder


def test_what_differs_is_listed_and_what_does_not_is_not(verb: Verb) -> None:
    run("one", "aaaa"), run("two", "aaaa", hidden_size=16)
    lines = verb("diff", "one", "two").out.splitlines()
    assert [line.split() for line in lines if line.startswith("  ")][:4] == [
        ["model.hidden_size", "8", "16"],
        ["versions.torch", "2.8", "2.16"],
        ["test/accuracy", "0.58", "0.66", "+0.08"],
        ["train/loss", "0.5", "0.5", "+0"],
    ]
    assert "Neither is better: they are right and wrong on the same 4 images." in "\n".join(lines)


def test_the_test_is_exact_and_says_what_it_means(verb: Verb) -> None:
    run("one", "a" * 10 + "b" * 9 + "a"), run("two", "a" * 19 + "b")  # 1 that only one has right, 9 that only two has
    result = verb("diff", "one", "two", "json=true")
    found = json.loads(result.out)["answers"]
    assert (found["right"], found["only_right"], found["p"]) == ([11, 19], [1, 9], 0.021484375)
    assert found["classes"] == {"a": [1, 9]}
    assert [pair[0]["image"] for pair in found["worst"]][:2] == ["19", "18"]  # the largest difference in loss first
    said = " ".join(verb("diff", "one", "two").out.split())
    assert "Of 10 images that only one of them has right, a has 1 and b 9; chance alone gives so uneven a" in said
    assert "in 2.1 % of cases. b is better on images like these." in said
    shutil.rmtree("two")
    run("two", "a" * 15 + "b" * 5)  # 1 and 5
    assert "No difference is shown." in verb("diff", "one", "two").out


def test_a_p_that_no_float_holds_is_below_the_least(verb: Verb) -> None:
    run("one", "a" * 1200), run("two", "b" * 1200)
    assert json.loads(verb("diff", "one", "two", "json=true").out)["answers"]["p"] == 0
    said = " ".join(verb("diff", "one", "two").out.split())
    assert (
        "test: p < 1e-300. Of 1,200 images that only one of them has right, a has 1,200 and b 0; chance alone" in said
    )
    assert "practically never gives so uneven a split. a is better on images like these." in said
    assert "0e+00" not in said


def test_of_many_classes_the_terminal_shows_the_first(verb: Verb) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    run("one", letters, truth=letters), run("two", "?" * 26, truth=letters)
    lines = verb("diff", "one", "two").out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("only one is right, by class"))
    assert lines[at + 20].split() == ["t", "1", "0"]
    assert lines[at + 21] == "  6 more classes; json=true has them all"


def test_only_images_that_both_have_count(verb: Verb) -> None:
    run("one", "aaab"), run("two", "aab")
    out = verb("diff", "one", "two").out
    assert "answers to 3 images" in out
    assert "  1 image only in a, left out" in out


@pytest.mark.parametrize(
    ("table", "note", "header"),
    [
        (
            "0,a,a,0.9,0.1,\n1,b,b,0.9,0.1,\n",
            "image 1 is a in a and b in b: they were not measured on the same images",
            "scores, of other images  a     b",
        ),
        ("0,a,a,0.9,0.1,\n0,a,a,0.9,0.1,\n", "two/predictions.csv: has image 0 more than once", SCORES),
        ("7,a,a,0.9,0.1,\n", "their predictions.csv have no image in common", "scores, of other images  a     b"),
        (None, "two has no predictions.csv; rnnvision evaluate ckpt=two writes one into its own run folder", SCORES),
        ("", "two has no predictions.csv, and no checkpoint; the run is failed", SCORES),
    ],
    ids=["truths differ", "twice", "other images", "no answers", "nothing saved"],
)
def test_answers_that_cannot_be_compared_are_not(verb: Verb, table: str | None, note: str, header: str) -> None:
    run("one", "aa"), run("two", "aa", hidden_size=16)
    if not table:
        Path("two/predictions.csv").unlink()
        if table is None:
            Path("two/checkpoints").mkdir()
            Path("two/checkpoints/best.ckpt").touch()
        Path("two/status.json").write_text(json.dumps({"status": "failed", "error": "the loss became nan"}))
    else:
        Path("two/predictions.csv").write_text(f"image,truth,answer,probability,loss,settled\n{table}")
    result = verb("diff", "one", "two")
    assert result.code == 0
    assert result.out.endswith(f"answers: not compared: {note}\n")
    assert header in result.out.splitlines()
    assert ("+0.08" in result.out) == (header == SCORES)  # the difference of their accuracies
    assert "model.hidden_size" in result.out  # the rest is said all the same


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "a=null: give two run folders: rnnvision diff logs/train/runs/A logs/train/runs/B"),
        (["one"], "b=null: give two run folders: "),
        (["one", "b=none"], "b=none: is no run folder (there is no such folder)"),
        (["one", "."], "b=.: is no run folder (it has no .hydra/config.yaml)"),
        (["one", "one/.hydra/config.yaml"], "b=one/.hydra/config.yaml: is no run folder "),
        (["one", "./one/"], "b=./one/: is the same run as a=one"),
        (["one", "two", "json=yes"], "json=yes: must be true or false"),
        (["one", "two", "c=3"], "c: there is no such key; choose one of a, b, json"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line(verb: Verb, words: list[str], message: str) -> None:
    run("one", "aa")
    result = verb("diff", *words)
    assert (result.code, result.out) == (2, "")
    assert result.message.startswith(f"rnnvision diff: {message}")
    assert len(result.message.splitlines()) == 1


def test_runs_of_a_real_training_are_read_and_no_torch_is_needed(trained: Copy) -> None:
    trained("one")
    trained("two")
    program = (
        "import sys; sys.argv = ['diff', 'one', 'two']\n"
        "from rnnvision.cli.diff import main\nmain()\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "settings: no difference" in done.stdout
    assert "McNemar's exact test: p = 1. Neither is better" in done.stdout
