"""RecurrentLayer: the contract of every recurrent layer, and the registry of these layers.

A layer is one layer, one direction, batch first. Shapes: B images, T tokens, F features of a token, D of a state.
"""

import inspect
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnnvision.registry import Registry, subclass_of

State = tuple[Tensor, ...]  # each (B, ...)


class RecurrentLayer(nn.Module, ABC):
    """A map from a sequence and a state to a sequence and a state.

    Reading a sequence whole equals reading it in two parts with the state handed over, and equals `step` after `step`.

    A subclass takes `input_size`, `hidden_size` and `sequence_length` as they stand here, and its own options as
    keyword-only arguments with defaults: `model.layer.KEY=VALUE` sets the option KEY.

    Args:
        input_size: features of a token, F.
        hidden_size: features of a state that goes out, D.
        sequence_length: T that is to be expected, for initialisations that depend on it; any other T can be read.

    Attributes:
        num_states: tensors (B, D) that a state consists of, where `initial_state` is not the layer's own.
        state_parameters: names of the parameters that say how the state moves on; an optimiser may take smaller steps
            with them, and lets none decay.
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
        """The state before the first token, zeros; by default of the weights' device and type."""
        like, shape = next(self.parameters()), (batch_size, self.hidden_size)
        return tuple(like.new_zeros(shape, device=device, dtype=dtype) for _ in range(self.num_states))

    def multiply_adds(self, tokens: int) -> int:
        """Multiply-adds of the matrix products in reading so many tokens of one image.

        Here: each weight matrix meets each token once. A layer that computes otherwise says so itself.
        """
        return tokens * sum(p.numel() for p in self.parameters() if p.ndim >= 2)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        """The layer's own options: the keyword-only arguments of its constructor."""
        parameters = inspect.signature(cls).parameters
        return {name: p for name, p in parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}


RECURRENCES: Registry[type[RecurrentLayer]] = Registry("recurrence", rule=subclass_of(RecurrentLayer))


def make_layer(
    recurrence: str, input_size: int, hidden_size: int, sequence_length: int, options: dict[str, object]
) -> RecurrentLayer:
    """The layer called `recurrence` in `RECURRENCES`, with its own options.

    Raises:
        ValueError: for an option that the layer does not have or refuses; it begins with `layer.OPTION`.
    """
    kind = RECURRENCES[recurrence]
    own = kind.options()
    for name, value in options.items():
        if name not in own:
            raise ValueError(f"layer.{name}={value}: {no_such_option(name, recurrence)}")
    try:
        return kind(input_size, hidden_size, sequence_length, **options)
    except ValueError as error:
        if str(error).partition("=")[0] in own:
            raise ValueError(f"layer.{error}") from error
        raise


def no_such_option(name: str, recurrence: str) -> str:
    """What to say to an option that a layer does not have: those that it has, and the layers that have it."""
    own = RECURRENCES[recurrence].options()
    having = [other for other, kind in RECURRENCES.items() if name in kind.options()]
    has = f"it has {', '.join(own)}" if own else "it has none"
    others = f"layers that have it: {', '.join(having)}" if having else "no layer has it"
    return f"the layer {recurrence} has no such option; {has}; {others}"
