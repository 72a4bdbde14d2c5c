"""What can be asked of a network: what it costs, how fast it is. Functions of (network, shape) -> numbers."""

from rnnvision.insight.cost import multiply_adds
from rnnvision.insight.kernels import cudnn_kernel
from rnnvision.insight.speed import Speed, growth, latency, matrix_rate, peak_memory, throughput

__all__ = ["Speed", "cudnn_kernel", "growth", "latency", "matrix_rate", "multiply_adds", "peak_memory", "throughput"]
