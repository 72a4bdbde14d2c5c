"""Initialisations shared by several layers: gate biases, orthogonal gates, uniform linear maps, rings."""

import math

import torch
from torch import Tensor, nn

from rnnvision.checks import number

GATE_BIASES = ("torch", "forget", "chrono")


def keep_bias(gate_bias: str, hidden_size: int, sequence_length: int) -> Tensor | None:
    """The bias (D,) of the gate that keeps the state, by an entry of `GATE_BIASES`; None leaves it as it is.

    `chrono` is log(u), u uniform in [1, T - 1] (Tallec & Ollivier 2018, arXiv 1804.11188).
    """
    if gate_bias == "forget":
        return torch.ones(hidden_size)
    if gate_bias == "chrono":
        return torch.empty(hidden_size).uniform_(1, max(sequence_length - 1, 2)).log()
    return None


@torch.no_grad()
def orthogonal_gates(weight_ih: Tensor, weight_hh: Tensor) -> None:
    """Initialise input weights (gates x D, F) after Glorot, recurrent ones (gates x D, D) orthogonally, by gate."""
    hidden_size, threads = weight_hh.shape[1], torch.get_num_threads()
    torch.set_num_threads(1)  # the last bit of a QR decomposition depends on them
    try:
        for of_input, of_state in zip(weight_ih.split(hidden_size), weight_hh.split(hidden_size), strict=True):
            nn.init.xavier_uniform_(of_input)
            nn.init.orthogonal_(of_state)
    finally:
        torch.set_num_threads(threads)


def affine(input_size: int, output_size: int) -> nn.Linear:
    """A linear layer with weights uniform in +-1/sqrt(input_size) and biases zero."""
    made = nn.Linear(input_size, output_size)
    nn.init.uniform_(made.weight, -1 / math.sqrt(input_size), 1 / math.sqrt(input_size))
    nn.init.zeros_(made.bias)
    return made


def check_ring(r_min: float, r_max: float) -> None:
    """Check the radii of a ring in the unit disc: 0 <= r_min < r_max <= 1."""
    number("r_max", r_max, 1.0)
    number("r_min", r_min, 1.0)
    if r_min >= r_max:
        raise ValueError(f"r_min={r_min}: must be below r_max={r_max}")
