"""Which networks compute the same, to the last bit, in however many threads."""

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
    thread's share (layers in Python, attention, torch's GRU). oneDNN's LSTM is exact, which torch takes in float32,
    and so is torch's RNN. Of products of matrices, which MKL has threads of its own for, nothing is said.
    """
    modules = list(network.modules())
    if not torch.backends.mkldnn.is_available() or any(p.dtype != torch.float32 for p in network.parameters()):
        return False
    return any(isinstance(module, FusedLayer) for module in modules) and all(
        isinstance(module, (*EXACT, *EXACT_OF_TORCH)) or (isinstance(module, Readout) and not list(module.parameters()))
        for module in modules
    )
