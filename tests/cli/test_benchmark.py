"""The verb benchmark: a network by its configuration or from a checkpoint, and what it writes."""

import ctypes
import json
import platform
from pathlib import Path

import pytest

from tests.cli.running import Copy, Verb

pytestmark = pytest.mark.xdist_group("measures")

SMALL = ("batch_sizes=[1,4]", "lengths=[4,8]", "rounds=2", "latency_rounds=3", "growth_batch=2", "device=cpu")


def latest() -> dict[str, float]:
    return json.loads(Path("logs/benchmark/latest/metrics.json").read_text())


@pytest.fixture
def _freed_memory_is_given_back() -> None:
    """Else what earlier tests have freed is enough, and no memory that the system gives is seen to grow."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


@pytest.mark.usefixtures("_freed_memory_is_given_back")
def test_a_network_by_its_configuration(verb: Verb) -> None:
    result = verb("benchmark", "model=gru", "model.hidden_size=8", "input_shape=[1,5,6]", "num_classes=3", *SMALL)
    assert result.code == 0, result.err
    metrics = latest()
    assert metrics["parameters"] == 3 * 8 * (6 + 8 + 2) + 8 * 3 + 3
    assert metrics["multiply_adds"] == 5 * 3 * 8 * (6 + 8) + 8 * 3
    keys = ("train/samples_per_second/4", "inference/share/1", "latency/p50", "latency/p99", "memory/peak")
    assert all(metrics[key] > 0 for key in (*keys, "matrix_rate", "growth/seconds/8"))
    assert "growth/exponent" in metrics
    assert Path("logs/benchmark/latest/benchmark.png").stat().st_size > 1000
    assert f"{metrics['multiply_adds']:,} multiply-adds" in result.out


def test_the_network_of_a_checkpoint(verb: Verb, trained: Copy) -> None:
    trained("run")
    result = verb("benchmark", "ckpt=run", *SMALL)
    assert result.code == 0, result.err
    assert latest()["multiply_adds"] == 8 * 4 * 8 * (8 + 8) + 8 * 10
    result = verb("benchmark", "ckpt=run", "model=gru", *SMALL)
    assert result.code == 2
    assert "model=gru: the network is that of ckpt=run; leave out one of the two" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["batch_sizes=[0]"], "batch_sizes=[0]: must be a list of whole numbers"),
        (["rounds=0"], "rounds=0: must be a whole number of at least 1"),
        (["model.hidden_sise=4"], "model.hidden_size"),
        (["ckpt=nowhere"], "rnnvision benchmark: nowhere: there is no such file or run folder"),
        (["trainer.precision=64-true"], "trainer.precision=64-true: choose one of 32-true"),
        (["input_shape=[1,7,7]", "model.scan=row_pairs"], "do not tile an image of 7 x 7"),
    ],
)
def test_a_mistake_gets_one_line(verb: Verb, words: list[str], message: str) -> None:
    result = verb("benchmark", *SMALL, *words)
    assert result.code == 2
    assert message in result.message
    assert "\n" not in result.message
