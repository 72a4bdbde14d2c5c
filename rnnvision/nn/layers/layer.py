"""RecurrentLayer: the contract of every recurrent layer, and the registry of these layers.

A layer is one layer, one direction, batch first. Shapes: B images, T tokens, F features of a token, D of a state.
"""

import inspect
from abc import ABC, abstractmethod
from itertools import chain
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnnvision.checks import nearest
from rnnvision.registry import Registry, subclass_of
from rnnvision.signature import parameters

State = tuple[Tensor, ...]  # each (B, ...)


class RecurrentLayer(nn.Module, ABC):
    """A map from a sequence and a state to a sequence and a state.

    Reading a sequence whole equals reading it in two parts with the state passed on, and equals `step` after `step`.

    A subclass takes `input_size`, `hidden_size` and `sequence_length` as they are here, and its own options as
    keyword-only arguments with defaults: `model.layer.KEY=VALUE` sets the option KEY.

    Args:
        input_size: features of a token, F.
        hidden_size: features of an output state, D.
        sequence_length: the expected T, for initialisations that depend on it; any other T can be read.

    Attributes:
        num_states: number of tensors (B, D) in a state, unless the layer overrides `initial_state`.
        state_parameters: names of the parameters of the state transition; an optimiser may give them a smaller
            learning rate, and no weight decay.
    """

    num_states: ClassVar[int] = 1
    state_parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2) -> None:
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
        """The state before the first token, zeros; by default of the weights' device and dtype, torch's without any."""
        like, shape = next(chain(self.parameters(), self.buffers()), torch.empty(0)), (batch_size, self.hidden_size)
        return tuple(like.new_zeros(shape, device=device, dtype=dtype) for _ in range(self.num_states))

    @torch.no_grad()
    def constrain(self) -> None:
        """Bring the weights back into the set they may take, in place; called after each step of an optimiser.

        Done twice it changes nothing more. By default every value is allowed.
        """

    def multiply_adds(self, tokens: int) -> int:
        """Multiply-adds of the matrix products in reading so many tokens of one image.

        By default each weight matrix is applied once per token; a layer that computes otherwise overrides this.
        """
        return tokens * sum(p.numel() for p in self.parameters() if p.ndim >= 2)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        """The layer's own options: the keyword-only arguments of its constructor."""
        return {name: p for name, p in parameters(cls).items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


RECURRENCES: Registry[type[RecurrentLayer]] = Registry("recurrence", rule=subclass_of(RecurrentLayer))


def no_such_option(name: str, recurrence: str) -> str:
    """The message for an option that a layer does not have: those that it has, and the layers that have it."""
    own = RECURRENCES[recurrence].options()
    having = [other for other, kind in RECURRENCES.items() if name in kind.options()]
    has = f"it has {', '.join(own)}" if own else "it has none"
    near = nearest(name, own)
    hint = f"; did you mean model.layer.{near}?" if near else ""
    others = f"; layers that have it: {', '.join(having)}" if having else ""
    return f"the layer {recurrence} has no such option; {has}{others}{hint}"
