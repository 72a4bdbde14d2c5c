"""What every recurrent layer is: one layer, one direction, batch first."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]  # each (B, ...)


class RecurrentLayer(nn.Module, ABC):
    """A map from a sequence and a state to a sequence and a state.

    Reading a sequence whole equals reading it in two parts with the state handed over, and equals `step` after `step`.

    Attributes:
        input_size: features of a token that comes in, F.
        hidden_size: features of a state that goes out, D.
        num_states: tensors (B, D) that a state consists of, where `initial_state` is not the layer's own.
        state_parameters: names of the parameters that say how the state moves on; an optimiser may take smaller steps
            with them, and lets none decay.
    """

    num_states: ClassVar[int] = 1
    state_parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

    @abstractmethod
    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Read a sequence: (B, T, F) -> (B, T, D) and the state after the last token."""

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token: (B, F) -> (B, D) and the state after it."""
        states, state = self(x_t.unsqueeze(1), state)
        return states.squeeze(1), state

    def initial_state(
        self, batch_size: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """The state before the first token, zeros; by default of the weights' device and type."""
        like, shape = next(self.parameters()), (batch_size, self.hidden_size)
        return tuple(like.new_zeros(shape, device=device, dtype=dtype) for _ in range(self.num_states))
