"""IndRNN: each feature recurs on itself alone. Notation as in `rnnvision.nn.layers.fused`."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnvision.checks import at_least, flags
from rnnvision.nn.layers.layer import RECURRENCES, State
from rnnvision.nn.layers.unrolled import UnrolledLayer


@RECURRENCES.register("indrnn")
class IndRNN(UnrolledLayer):
    """Independently recurrent network (Li et al. 2018, arXiv 1803.04831): h_t = relu(W x_t + u * h_{t-1} + b).

    Each feature recurs on itself alone, with one weight; features are mixed in the layers above.

    Initialisation: u uniform in [0, 2^(1/T)], the paper's bound, under which nothing grows more than twofold over the T
    tokens of the sequence; W uniform after He et al. (2015), b zero. State: (h,).

    Args:
        input_size: F.
        hidden_size: D.
        sequence_length: T.
        clip: keep u within +-2^(1/T) in training, as in the paper; else it is free.
    """

    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2, *, clip: bool = False) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        at_least("sequence_length", sequence_length, 1)
        flags(clip=clip)
        self.clip = clip
        self.bound = math.pow(2, 1 / sequence_length)
        self.weight = nn.Parameter(torch.empty(hidden_size, input_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.recurrent = nn.Parameter(torch.empty(hidden_size).uniform_(0, self.bound))
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu")

    @torch.no_grad()
    def constrain(self) -> None:
        if self.clip:
            self.recurrent.clamp_(-self.bound, self.bound)

    def project(self, x: Tensor) -> Tensor:
        return linear(x, self.weight, self.bias)

    def recurrent_weight(self, dtype: torch.dtype) -> Tensor:
        return self.recurrent  # elementwise products stay in full precision

    def cell(self, x_t: Tensor, recurrent: Tensor, state: State) -> State:
        (h,) = state
        return (torch.addcmul(x_t.to(h.dtype), recurrent, h).relu(),)
