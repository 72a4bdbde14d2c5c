"""UnrolledLayer: layers without a fused kernel, as a loop over time in torch.

All tokens are projected in one product before the loop, and a time step has one recurrent product at most. The
gradients are autograd's: hand-written ones for the whole loop, timed on the CPU, took a seventh less time for UR-LSTM
and no less for IndRNN, which is not worth a second copy of the equations.
"""

from abc import abstractmethod

import torch
from torch import Tensor

from rnnvision.nn.kernels.exported import loop
from rnnvision.nn.layers.layer import RecurrentLayer, State


class UnrolledLayer(RecurrentLayer):
    """A loop over time in torch: `project` all tokens at once, then `cell` after `cell`."""

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """The part of a time step that needs no state, for tokens of any shape: (..., F) -> (..., G)."""

    @abstractmethod
    def cell(self, x_t: Tensor, recurrent: Tensor, state: State) -> State:
        """The state after a projected token (B, G); its first tensor is the output. `recurrent`: `recurrent_weight`."""

    @abstractmethod
    def recurrent_weight(self, dtype: torch.dtype) -> Tensor:
        """What `cell` multiplies the state by, prepared once for all time steps."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = self.initial_state(x.shape[0]) if state is None else state
        projected = self.project(x.transpose(0, 1))  # (T, B, G)
        recurrent = self.recurrent_weight(projected.dtype)
        if torch.compiler.is_exporting():
            stacked, state = loop(lambda x_t, state: self.cell(x_t, recurrent, state), projected, state)
            return stacked.transpose(0, 1), state
        states = []
        for x_t in projected.unbind(0):
            state = self.cell(x_t, recurrent, state)
            states.append(state[0])
        return torch.stack(states, dim=1), state
