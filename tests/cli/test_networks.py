"""Networks that read no sequence go through every verb that takes one."""

import json
from pathlib import Path

import pytest

from tests.cli.running import Verb

QUICK = ("trainer=smoke", "device=cpu")
SIZES = ("layers=[1,1]", "patch_sizes=[2,1]", "embed_dims=[8,8]", "hidden_sizes=[4,4]", "mlp_ratios=[2,2]")
NETWORKS = {
    "renet": ("model=renet", "model.patch_sizes=[2,1]", "model.hidden_size=6"),
    "sequencer2d": ("model=sequencer2d_tiny", *(f"model.{size}" for size in SIZES), "model.drop_path=0.1"),
}


def metrics(verb: str) -> dict[str, float]:
    return json.loads(Path(f"logs/{verb}/latest/metrics.json").read_text())


@pytest.mark.usefixtures("_quick_benchmark")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_trains_is_evaluated_and_is_measured(verb: Verb, name: str) -> None:
    result = verb("train", *NETWORKS[name], *QUICK)
    assert result.code == 0, result.err
    first = result.out.splitlines()[0]
    assert first.startswith("network   ")
    assert f" {name}, " in first
    assert all(word.partition(".")[2].replace("=", " ").replace(",", ", ") in first for word in NETWORKS[name][1:])
    assert "None" not in first

    assert verb("evaluate", "ckpt=logs/train/latest", "device=cpu").code == 0
    assert metrics("evaluate")["test/accuracy"] == metrics("train")["test/accuracy"]

    small = ("batch_sizes=[2]", "rounds=1", "latency_rounds=1", "device=cpu")
    result = verb("benchmark", "ckpt=logs/train/latest", *small)
    assert result.code == 0, result.err
    assert metrics("benchmark")["multiply_adds"] > 0
    assert "growth/exponent" not in metrics("benchmark")  # there is no one sequence to make longer


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model=sequencer2d_s"], "model.variant=s: patches of 7 x 7 do not tile an image of 8 x 8"),
        (["model=renet", "model.patch_sizes=[3]"], "model.patch_sizes=[3]: patches of 3 x 3 do not tile an image"),
        (["model=renet", "model.scan=rows"], "model.scan: this model has no such key, those that have it are model="),
        (["model=sequencer2d_tiny", "model.variant=tinny"], "did you mean tiny?"),
    ],
)
def test_a_mistake_gets_one_line(verb: Verb, words: list[str], message: str) -> None:
    result = verb("train", *words, *QUICK)
    assert result.code == 2
    assert message in result.message
    assert "\n" not in result.message
