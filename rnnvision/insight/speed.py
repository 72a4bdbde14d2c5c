"""Speed and memory of a network on this machine: medians over rounds, synchronised with the device.

Times are in seconds, memory in bytes, rates in multiply-adds per second.
"""

import contextlib
import math
import re
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from torch.optim import Optimizer

Context = Callable[[], AbstractContextManager]  # the precision that a step runs in


@dataclass(frozen=True)
class Speed:
    """Seconds of each round of a step over `batch_size` samples."""

    batch_size: int
    rounds: tuple[float, ...]

    @property
    def samples_per_second(self) -> float:
        return self.batch_size / statistics.median(self.rounds)

    def percentile(self, share: float) -> float:
        """The time that this share of the rounds did not exceed."""
        return sorted(self.rounds)[min(len(self.rounds) - 1, math.ceil(share * len(self.rounds)) - 1)]


def time_rounds(step: Callable[[], object], device: torch.device, rounds: int, warmup: int = 2) -> tuple[float, ...]:
    """Seconds of each of `rounds` calls after `warmup` untimed ones."""
    times = []
    for i in range(warmup + rounds):
        wait_for(device)
        started = time.perf_counter()
        step()
        wait_for(device)
        if i >= warmup:
            times.append(time.perf_counter() - started)
    return tuple(times)


def throughput(
    network: nn.Module,
    images: Tensor,
    *,
    optimizer: Optimizer | None = None,
    rounds: int = 10,
    context: Context = nullcontext,
) -> Speed:
    """Time training steps with `optimizer` (forward, loss, backward, step), or else forward passes: (B, C, H, W)."""
    labels = torch.zeros(len(images), dtype=torch.long, device=images.device)

    def train() -> None:
        assert optimizer is not None
        with context():
            logits = network(images)
        cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad()

    def infer() -> None:
        with torch.inference_mode(), context():
            network(images)

    network.train(optimizer is not None)
    step = infer if optimizer is None else train
    return Speed(len(images), time_rounds(step, images.device, rounds))


def latency(network: nn.Module, image: Tensor, *, rounds: int = 200, context: Context = nullcontext) -> Speed:
    """Time forward passes of one image (1, C, H, W); see `Speed.percentile`."""
    return throughput(network, image, rounds=rounds, context=context)


def quick_latency(network: nn.Module, input_shape: Sequence[int], device: torch.device, budget: float = 0.03) -> float:
    """Median seconds of a forward pass of one image (C, H, W), of as many passes as `budget` seconds hold, 3 to 30.

    On a CPU in one thread: more of them wait for each other most of the time, and for ever beside other processes.

    The network is moved to `device` for it; afterwards it is where it was and as it was, and so are random numbers.
    """
    places = [tensor.device for tensor in (*network.parameters(), *network.buffers())] or [device]
    modes = {module: module.training for module in network.modules()}
    gpus = [device] if device.type == "cuda" else []
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with torch.random.fork_rng(gpus), torch.inference_mode():
            network.eval().to(device)
            image = torch.zeros(1, *input_shape, device=device)
            (first,) = time_rounds(lambda: network(image), device, rounds=1, warmup=1)
            rounds = min(max(round(budget / max(first, 1e-9)), 3), 30)
            return statistics.median(time_rounds(lambda: network(image), device, rounds, warmup=0))
    finally:
        torch.set_num_threads(threads)
        network.to(places[0])
        for module, mode in modes.items():
            module.training = mode


def matrix_rate(device: torch.device, dtype: torch.dtype = torch.float32, size: int = 2048, rounds: int = 5) -> float:
    """Multiply-adds per second of a large matrix product on this device: the most that a network can hope for.

    On the CPU the better of two libraries counts: torch multiplies matrices by MKL, which on some CPUs reaches half of
    what oneDNN does, by which the fused recurrences are computed.
    """
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    products: list[Callable[[], object]] = [lambda: a @ b]
    if device.type == "cpu" and dtype == torch.float32 and torch.backends.mkldnn.is_available():
        x, y = a.to_mkldnn(), b.to_mkldnn()
        products.append(lambda: linear(x, y))
    with torch.inference_mode():
        return size**3 / min(statistics.median(time_rounds(product, device, rounds)) for product in products)


def growth(
    recurrence: nn.Module,
    lengths: Iterable[int],
    *,
    input_size: int,
    batch_size: int = 16,
    rounds: int = 3,
    context: Context = nullcontext,
) -> tuple[dict[int, float], float]:
    """Seconds of a forward and backward pass of (B, T, F) tokens for each T, and k of the fit time ~ T ** k."""
    parameter = next(recurrence.parameters())
    recurrence.train()  # cuDNN's recurrences have a backward pass in this mode only
    times = {}
    for length in lengths:
        tokens = torch.randn(batch_size, length, input_size, device=parameter.device, dtype=parameter.dtype)

        def step(tokens: Tensor = tokens) -> None:
            with context():
                states, _ = recurrence(tokens)
            states.float().sum().backward()
            recurrence.zero_grad()

        times[length] = statistics.median(time_rounds(step, parameter.device, rounds, warmup=1))
    return times, _slope([math.log(t) for t in times], [math.log(s) for s in times.values()])


def _slope(x: list[float], y: list[float]) -> float:
    if len(x) < 2:
        return math.nan
    return statistics.linear_regression(x, y).slope


def peak_memory(device: torch.device) -> int:
    """Peak memory so far, or since `forget_peak`: of the GPU, or of this process where there is none."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with contextlib.suppress(OSError):
        # Linux: the figure of getrusage is at least the peak of the parent process.
        if found := re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), flags=re.MULTILINE):
            return int(found[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def forget_peak(device: torch.device) -> None:
    """Reset `peak_memory` to what is in use now, where the system can (Linux, CUDA)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def wait_for(device: torch.device) -> None:
    """Wait until the device has finished its work; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
