"""scripts/compare_peers.py: its arithmetic, its processes, and that what it compares is the same work."""

import argparse
import json
from pathlib import Path
from typing import Any

import compare_peers
import numpy as np
import pytest
import torch
from peers import contender, load, table, work
from peers.loop import Loop, Network
from peers.project import make
from torchvision.datasets import MNIST

from rnnvision.data import ImageData


def test_rates_and_ratios_are_medians_with_the_lowest_and_highest_round() -> None:
    assert table.rate([2.0, 1.0, 4.0], samples=100) == (50.0, 25.0, 100.0)
    # Of the rounds 3, 1/2 and 2; the ratio of the medians would be 1.
    assert table.speed_ratio([1.0, 4.0, 2.0], reference=[3.0, 2.0, 4.0]) == (2.0, 0.5, 3.0)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        table.speed_ratio([1.0, 2.0], reference=[1.0])


def test_the_table_lists_the_fastest_first_beside_the_references() -> None:
    turns = {"loop": [1.0, 2.0, 1.0], "slow": [4.0, 4.0, 2.0], "rnnvision": [0.5, 0.5, 0.5]}
    assert table.markdown("title", turns, samples=1000).splitlines()[4:] == [
        "| `rnnvision` | 2,000 | 2.00 (2.00 - 4.00) | 1.00 (1.00 - 1.00) |",
        "| `loop` | 1,000 | 1.00 (1.00 - 1.00) | 0.50 (0.25 - 0.50) |",
        "| `slow` | 250 | 0.50 (0.25 - 0.50) | 0.12 (0.12 - 0.25) |",
    ]
    assert table.markdown("title", {"loop": [1.0]}, 10).splitlines()[-1] == "| `loop` | 10 | 1.00 (1.00 - 1.00) | - |"


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter"
    assert table.put_between(page, "new") == f"before\n{table.BEGIN}\nnew\n{table.END}\nafter"
    for wrong in ("nothing", f"{table.END} {table.BEGIN}", page + page):
        with pytest.raises(ValueError, match="peers:begin"):
            table.put_between(wrong, "new")
    docs = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    assert "\nnew\n" in table.put_between(docs, "new")


def test_load_is_told_apart() -> None:
    before = load.Load(10.0, {1: 1.0, 2: 1.0, 3: 1.0, 9: 4.0})
    after = load.Load(20.0, {1: 7.0, 2: 1.5, 3: 1.5, 9: 6.0})
    assert load.between(before, after, waiting={2, 3}, active=1, seconds=2.0) == {"waiting": 0.5, "foreign": 1.5}


def test_torchvision_reads_the_images_that_were_written(tmp_path: Path) -> None:
    images, labels = np.arange(3 * 784, dtype=np.uint32).astype(np.uint8).reshape(3, 28, 28), np.array([7, 0, 9])
    work.write_images(tmp_path, images, labels)
    theirs = MNIST(tmp_path, train=True)
    for read in ((theirs.data.numpy(), theirs.targets.numpy()), work.read_images(tmp_path)):
        assert all(np.array_equal(a, b) for a, b in zip(read, (images, labels), strict=True))


@pytest.mark.parametrize(
    "task",
    [
        work.Work(8, 1, "adamw", lr=2e-2, weight_decay=0.5, one_cycle=True, samples=40),
        work.Work(6, 2, "adam", lr=2e-2, weight_decay=0.0, one_cycle=False, samples=40),
    ],
    ids=lambda task: task.optimizer,
)
def test_the_loop_and_the_project_do_the_same_work(task: work.Work, tmp_path: Path) -> None:
    """Five steps from the same weights in the same order: the same loss, accuracy and weights."""
    sizes = ("data.num_classes=4", "data.num_train=60", "data.num_test=4", "data.max_train_samples=40")
    made = make(task, tmp_path, "data=fake", *sizes, "data.batch_size=8", "trainer.max_epochs=1")
    data, learner, trainer = made.data, made.learner, made.trainer
    with torch.no_grad():
        learner.network.head.weight.mul_(20)  # so that the gradient is long enough to be clipped
    network = copy_of(learner.network, task)
    split, norm = data.splits.train, data.normalisation
    loop = Loop(
        task,
        network,
        split.images.squeeze(1),
        split.labels,
        mean=norm["mean"][0],
        std=norm["std"][0],
        steps=5,
        batch_size=8,
    )
    loss, accuracy = loop.epoch(data.train_dataloader().sampler.indices())
    start = copy_of(learner.network, task)
    trainer.fit(learner, datamodule=data)
    assert loss == pytest.approx(float(trainer.callback_metrics["train/loss"]), rel=1e-5)
    assert accuracy == pytest.approx(float(trainer.callback_metrics["train/accuracy"]))
    for name, trained in copy_of(learner.network, task).state_dict().items():
        assert not torch.allclose(trained, start.state_dict()[name], atol=1e-3), name
        torch.testing.assert_close(network.state_dict()[name], trained, rtol=1e-4, atol=1e-5)


def copy_of(theirs: torch.nn.Module, task: work.Work) -> Network:
    """The project's network with its weights, as the loop writes it."""
    network = Network(task, num_classes=4)
    weights = theirs.state_dict()
    layers = {
        f"lstm.{name}_l{i}": weights[f"recurrence.layers.{i}.kernel.{name}_l0"]
        for i in range(task.num_layers)
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    network.load_state_dict({**layers, "head.weight": weights["head.weight"], "head.bias": weights["head.bias"]})
    return network


STUB = "tests.scripts.stub"


def test_processes_take_turns_and_who_cannot_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs = {"loop": (STUB, (), None), "weak": (STUB, ("--workers=1",), None), "keras_jax": (STUB, (), "jax")}
    for module in (compare_peers, contender):
        monkeypatch.setattr(module, "CONTENDERS", stubs)
    result = compared(tmp_path, *stubs)
    assert list(result["turns"]) == ["loop"]
    assert [turn["loss"] for turn in result["turns"]["loop"]] == [256.0, 256.0]  # of the warm-up nothing is kept
    assert all(0.05 <= turn["seconds"] < 5 for turn in result["turns"]["loop"])
    assert result["left_out"] == {
        "weak": f"RuntimeError: out of breath (see {tmp_path / 'lstm64' / 'weak.log'})",
        "keras_jax": f"no {tmp_path / 'no' / 'python'}; `make peers` installs Keras there",
    }
    assert "lstm64 weak: left out: RuntimeError: out of breath" in capsys.readouterr().out
    assert "goes to the log" in (tmp_path / "lstm64" / "loop.log").read_text()
    json.dumps(result)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["loop", "lightning_w0", "lightning_w2"])
def test_a_real_contender_learns(name: str, tmp_path: Path) -> None:
    result = compared(tmp_path, name)
    assert not result["left_out"]
    first, second = result["turns"][name]
    assert second["loss"] < first["loss"] < 2.4


def compared(folder: Path, *names: str) -> dict[str, Any]:
    told = argparse.Namespace(contenders=list(names), samples=256, rounds=2, warmup=1, threads=1)
    told.out, told.keras_python = folder, folder / "no" / "python"
    data = ImageData("fake", image_shape=(1, 28, 28), num_classes=10, num_train=300, num_test=4, noise=0.25)
    result = compare_peers.compare("lstm64", told, data)
    told.command, machine = "the command", {"git": None, "cpu": "a processor", "cores": 2}
    assert f"| `{names[0]}` | " in compare_peers.page({"lstm64": result}, told, machine)
    return result
