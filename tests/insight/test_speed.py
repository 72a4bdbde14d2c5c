"""Timing: what is counted, what is not, and the statistics over it."""

import math
import subprocess
import sys
import time

import pytest
import torch
from torch import Tensor, nn

from rnnvision.insight import Speed, growth, latency, matrix_rate, peak_memory, quick_latency, speed, throughput
from rnnvision.insight.speed import time_rounds
from rnnvision.nn import build

CPU = torch.device("cpu")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time passes only where a test says so."""
    made = Clock()
    monkeypatch.setattr(time, "perf_counter", made)
    return made


class Slow(nn.Module):
    """Takes T ** power seconds, and gives (B, T, 1) states like a stack of recurrent layers."""

    def __init__(self, clock: Clock, power: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.clock, self.power = clock, power

    def forward(self, tokens: Tensor) -> tuple[Tensor, tuple[()]]:
        self.clock.now += tokens.shape[1] ** self.power
        return tokens.sum(dim=2, keepdim=True) * self.weight, ()


def test_warm_up_is_not_counted(clock: Clock) -> None:
    durations = iter((9.0, 9.0, 1.0, 2.0, 3.0, 4.0))

    def step() -> None:
        clock.now += next(durations)

    assert time_rounds(step, CPU, rounds=4, warmup=2) == (1.0, 2.0, 3.0, 4.0)


def test_percentiles_and_rate_are_those_of_the_rounds() -> None:
    speed = Speed(10, tuple(float(i) for i in range(100, 0, -1)))
    assert (speed.percentile(0.5), speed.percentile(0.99)) == (50.0, 99.0)
    assert speed.samples_per_second == 10 / 50.5
    assert Speed(1, (3.0,)).percentile(0.99) == 3.0


def test_training_rounds_train_and_inference_rounds_do_not() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    before = network[1].weight.clone()
    images = torch.rand(5, 1, 2, 2)
    assert throughput(network, images, rounds=2).batch_size == 5
    assert torch.equal(network[1].weight, before)
    assert not network.training
    throughput(network, images, optimizer=torch.optim.SGD(network.parameters(), lr=0.1), rounds=2)
    assert not torch.equal(network[1].weight, before)
    assert network.training


def test_latency_is_of_one_image() -> None:
    speed = latency(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), torch.rand(1, 1, 2, 2), rounds=7)
    assert (speed.batch_size, len(speed.rounds)) == (1, 7)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_exponent_of_growth_is_found(power: float, clock: Clock) -> None:
    times, exponent = growth(Slow(clock, power), (4, 8, 16), input_size=2, batch_size=1)
    assert times == {4: 4**power, 8: 8**power, 16: 16**power}
    assert exponent == pytest.approx(power)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_growth_is_measured_on_a_gpu_after_inference() -> None:
    network = build("sequence_classifier", input_shape=(1, 4, 4), num_classes=3, hidden_size=8).cuda()
    latency(network, torch.rand(1, 1, 4, 4, device="cuda"), rounds=2)
    times, _ = growth(network.recurrence, (4, 8), input_size=4, batch_size=2)
    assert all(seconds > 0 for seconds in times.values())


def test_one_length_has_no_exponent(clock: Clock) -> None:
    assert math.isnan(growth(Slow(clock), [4], input_size=2)[1])


def test_rates_and_memory_are_of_the_right_size() -> None:
    assert 1e7 < matrix_rate(CPU, size=256) < 1e14
    assert 2**26 < peak_memory(CPU) < 2**36


PEAKS = """
import torch
from rnnvision.insight import forget_peak, peak_memory
def used(megabytes):
    before = peak_memory(torch.device("cpu"))
    bytearray(megabytes * 2**20)
    return peak_memory(torch.device("cpu")) - before
used(400)
print(used(100))
forget_peak(torch.device("cpu"))
print(used(100))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a peak stays")
def test_a_peak_that_is_forgotten_leaves_what_is_in_use() -> None:
    done = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    below, above = map(int, done.stdout.split())
    assert below == 0
    assert 90 * 2**20 < above < 110 * 2**20


def test_the_rate_is_that_of_the_median_round() -> None:
    assert Speed(10, (1.0, 1.0, 4.0)).samples_per_second == 10.0


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="there is one library of matrix products here")
def test_the_faster_of_two_libraries_of_products_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the slower one a fused recurrence would use more than all of the machine."""
    seconds = iter([2.0, 1.0])
    monkeypatch.setattr(speed, "time_rounds", lambda step, *_: (step(), (next(seconds),))[1])
    assert matrix_rate(CPU, size=64) == 64**3 / 1.0
    seconds = iter([1.0, 2.0])
    assert matrix_rate(CPU, size=64) == 64**3 / 1.0


def test_one_image_is_timed_within_a_budget_and_leaves_no_trace(clock: Clock) -> None:
    """The median of 3 to 30 passes after one to warm up, and random numbers and modes as they were."""
    seen: list[bool] = []

    class Network(nn.Module):
        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.seconds, self.frozen = seconds, nn.Dropout().eval()

        def forward(self, images: Tensor) -> Tensor:
            assert images.shape == (1, 3, 5, 5)
            seen.append(self.training)
            clock.now += self.seconds * (100 if len(seen) == 1 else 1)
            return torch.rand(1)

    state = torch.get_rng_state()
    for seconds, passes in ((0.0001, 32), (0.003, 12), (1.0, 5)):
        network = Network(seconds)
        assert quick_latency(network, (3, 5, 5), CPU) == pytest.approx(seconds)
        assert (len(seen), any(seen)) == (passes, False)
        assert (network.training, network.frozen.training) == (True, False)
        seen.clear()
    assert torch.equal(torch.get_rng_state(), state)
