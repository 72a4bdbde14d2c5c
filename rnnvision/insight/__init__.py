"""Insight: the cost, speed and anytime accuracy of a network, as functions."""

from rnnvision.insight.anytime import anytime_accuracy
from rnnvision.insight.cost import multiply_adds
from rnnvision.insight.kernels import cudnn_kernel
from rnnvision.insight.memory import activation_bytes, eval_batch_size
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
    "activation_bytes",
    "anytime_accuracy",
    "cudnn_kernel",
    "eval_batch_size",
    "forget_peak",
    "growth",
    "latency",
    "matrix_rate",
    "multiply_adds",
    "peak_memory",
    "throughput",
    "wait_for",
]
