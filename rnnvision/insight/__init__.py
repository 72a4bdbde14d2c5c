"""What can be asked of a network: what it costs, how fast it is. Functions of (network, shape) -> numbers."""

from rnnvision.insight.anytime import anytime_accuracy
from rnnvision.insight.cost import multiply_adds
from rnnvision.insight.kernels import cudnn_kernel
from rnnvision.insight.speed import (
    Speed,
    forget_peak,
    growth,
    latency,
    matrix_rate,
    peak_memory,
    throughput,
    wait_for,
)

__all__ = [
    "Speed",
    "anytime_accuracy",
    "cudnn_kernel",
    "forget_peak",
    "growth",
    "latency",
    "matrix_rate",
    "multiply_adds",
    "peak_memory",
    "throughput",
    "wait_for",
]
