"""Which networks compute the same, to the last bit, in however many threads."""

import os

import torch
from torch import nn

from rnnvision.nn.dropout import TiedDropout
from rnnvision.nn.grid import Sweep
from rnnvision.nn.layers.fused import FusedLayer
from rnnvision.nn.networks.renet import ReNet, ReNetLayer
from rnnvision.nn.networks.sequence_classifier import SequenceClassifier
from rnnvision.nn.readout import Readout
from rnnvision.nn.recurrence import Recurrence
from rnnvision.nn.scan import Scan

EXACT = (SequenceClassifier, Recurrence, ReNet, ReNetLayer, Sweep, Scan, FusedLayer, TiedDropout)
EXACT_OF_TORCH = (
    *(nn.LSTM, nn.RNN, nn.Linear, nn.ModuleList, nn.Sequential),
    *(nn.Identity, nn.Dropout, nn.ReLU, nn.Flatten),
)


def is_exact_in_threads(network: nn.Module) -> bool:
    """Whether the number of OpenMP threads, the same for all steps or not, decides nothing about outputs and gradients.

    It does where a sum over images is made by threads (normalisation layers, convolutions), and where torch takes one
    approximation of exp or tanh for eight elements at once and another for those that are left over at the end of a
    thread's share (layers in Python, attention, torch's GRU). oneDNN's LSTM, which torch takes in float32, is exact
    with AVX-512, and torch's RNN everywhere. Of products of matrices, which MKL has threads of its own for, nothing is
    said.
    """
    modules = list(network.modules())
    if any(isinstance(module, nn.LSTM) for module in modules) and not _has_avx512():
        return False
    if not torch.backends.mkldnn.is_available() or any(p.dtype != torch.float32 for p in network.parameters()):
        return False
    return any(isinstance(module, FusedLayer) for module in modules) and all(
        isinstance(module, (*EXACT, *EXACT_OF_TORCH)) or (isinstance(module, Readout) and not list(module.parameters()))
        for module in modules
    )


def _has_avx512() -> bool:
    """Whether torch and oneDNN take AVX-512. With AVX2 alone, threads share the sums of an LSTM's products."""
    limit = (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "ALL").upper()
    return torch.backends.cpu.get_cpu_capability() == "AVX512" and (limit in ("ALL", "DEFAULT") or "512" in limit)
