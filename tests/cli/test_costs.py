"""What the network of a run costs, from its folder alone."""

import json
import shutil
import threading
from pathlib import Path

import pytest
import torch

from rnnvision.cli.compare import costs
from rnnvision.data import ImageData
from rnnvision.nn.kernels.threads import openmp
from rnnvision.others import CHOSEN, OTHERS
from tests.cli.running import Copy, Verb
from tests.cli.test_folders import OPTIONS, draw

pytestmark = pytest.mark.xdist_group("measures")


def _measure(**changes: int | None) -> dict:
    told: dict = {"rounds": 2, "latency_rounds": 3, "anytime_samples": None, **changes}
    return costs.costs(Path("run"), **told)


def test_a_run_is_measured_as_it_was_trained(train: Verb) -> None:
    assert train("hydra.run.dir=run", "model.scan=columns").code == 0
    before = Path("run/checkpoints/best.ckpt").read_bytes()
    found = _measure()
    assert found["parameters"] == 4 * 8 * (8 + 8 + 2) + 8 * 10 + 10
    assert found["multiply_adds"] == 8 * 4 * 8 * (8 + 8) + 8 * 10
    assert found["missing"] == []
    assert all(found[key] > 0 for key in ("train/samples_per_second", "latency/p50", "latency/p99"))
    assert found["memory/peak"] >= 0
    assert len(found["anytime/accuracy"]) == 8
    assert found["anytime/area"] == pytest.approx(sum(found["anytime/accuracy"]) / 8)
    test_accuracy = json.loads(Path("run/metrics.json").read_text())["test/accuracy"]
    assert found["anytime/accuracy"][-1] == pytest.approx(test_accuracy)  # not of what the timed steps made of it
    assert Path("run/checkpoints/best.ckpt").read_bytes() == before


def test_a_layer_without_a_formula_costs_one_figure(trained: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise ValueError("cell: no formula for the multiply-adds of Cell; add it to FORMULAS")

    trained("run")
    monkeypatch.setattr(costs, "multiply_adds", refuse)
    found = _measure()
    assert "multiply_adds" not in found
    assert found["missing"] == ["multiply_adds: cell: no formula for the multiply-adds of Cell; add it to FORMULAS"]
    assert found["latency/p50"] > 0


def test_a_network_that_answers_only_at_the_end_has_no_anytime_area(
    trained: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise ValueError("readout=max: knows no prefixes")

    trained("run")
    monkeypatch.setattr("rnnvision.nn.SequenceClassifier.forward_anytime", refuse)
    found = _measure()
    assert "anytime/area" not in found
    assert found["missing"] == ["anytime: readout=max: knows no prefixes"]
    monkeypatch.delattr("rnnvision.nn.SequenceClassifier.forward_anytime")
    assert not {"anytime/area", "anytime/accuracy"} & _measure().keys()
    assert _measure()["missing"] == []


def test_a_run_without_a_checkpoint_has_no_costs(trained: Copy) -> None:
    shutil.rmtree(trained("run") / "checkpoints")
    (reason,) = _measure()["missing"]
    assert "holds no checkpoints/best.ckpt" in reason


@pytest.mark.parametrize(("samples", "stride"), [(None, 1), (360, 1), (359, 2), (100, 4), (1, 360)])
def test_images_are_picked_evenly_over_the_batches(samples: int | None, stride: int) -> None:
    data = ImageData("digits", eval_batch_size=7)
    expected = [label for batch in data.test_dataloader() for label in batch[1].tolist()][::stride]
    assert torch.cat([labels for _, labels in costs.evenly(data, samples)]).tolist() == expected
    assert samples is None or len(expected) <= samples


def test_the_anytime_accuracy_is_of_the_images_that_were_not_trained_on(train: Verb) -> None:
    """A file that is renamed after the training would be drawn anew."""
    draw("photos", 20)
    assert train(*OPTIONS, "model.hidden_size=8", "hydra.run.dir=run").code == 0
    before = _measure()["anytime/accuracy"]
    for path in sorted(Path("photos/a").iterdir()):
        path.rename(path.with_name(f"again{path.name}"))
    assert _measure()["anytime/accuracy"] == before


def test_costs_are_measured_in_threads_that_give_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beside others those that wait sleep, in which a second team makes them; it ends with the measurement."""
    if openmp() is None:
        pytest.skip("torch has no GNU OpenMP here")

    def idle_teams() -> int:
        return sum(thread.name == "idle-team" for thread in threading.enumerate())

    for name in CHOSEN:
        monkeypatch.delenv(name, raising=False)
    watched: list[str] = []
    monkeypatch.setattr(OTHERS, "load", lambda *_: watched.append("look") or 1.0)
    monkeypatch.setattr(costs.time, "sleep", lambda _: watched.append("wait"))
    monkeypatch.setattr("sys.argv", ["costs", str(tmp_path)])
    monkeypatch.setattr(costs, "costs", lambda *_, **told: {"teams": idle_teams()})
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        costs.main()
    finally:
        torch.set_num_threads(threads)
    assert json.loads((tmp_path / costs.FILE).read_text()) == {"teams": 1}
    assert idle_teams() == 0
    assert watched[:3] == ["look", "wait", "look"]  # a fork knows nothing of the others before its first look
