"""Stacks of recurrent layers: directions, normalisation, dropout and residual connections.

Shapes: B images, T tokens, F features of a token, H hidden_size, S features of a layer's states (2 H with two
directions), D output features of the stack: S of a plain one, H of a gated one.
"""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from rnnvision.checks import DEEPEST, at_least, flags, one_of, probability
from rnnvision.nn.dropout import TiedDropout
from rnnvision.nn.layers import RECURRENCES, RecurrentLayer, State, no_such_option
from rnnvision.nn.parts import LAYER

StackState = tuple[State, ...]  # one per layer
BLOCKS = ("plain", "gated")
ACTIVATIONS: dict[str, type[nn.Module]] = {"none": nn.Identity, "gelu": nn.GELU}


class GatedProjection(nn.Module):
    """A gated linear unit (Dauphin et al. 2017, arXiv 1612.08083): (..., S) -> (..., H), a * s(b), (a, b) = W x + c."""

    def __init__(self, input_size: int, output_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, 2 * output_size)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.glu(self.linear(x), dim=-1)


class Recurrence(nn.Module):
    """A stack of `num_layers` recurrent layers: (B, T, F) -> (B, T, D).

    The layers are stacked here and not inside torch's kernel: dropout stays reproducible on cuDNN and correct on MPS.

    `block`:
        plain   x + dropout(a(layer(norm(x)))), each part only on request. Two directions are concatenated: D is 2 H.
        gated   x + dropout(glu(dropout(a(layer(norm(x)))))), the block of deep stacks of S4, S5 and LRU (arXiv
                2111.00396, 2208.04933, 2303.06349), here for every layer. x is H wide throughout, so the residual
                always fits: tokens of another width go through a linear map first, and `GatedProjection` maps the
                states, of both directions if there are two, back to H. Normalised before each layer and after the last.
                a is their GELU with `activation="gelu"`; with "none" a and the dropout before the gate are left out.

    Args:
        input_size: F.
        recurrence: a name in `rnnvision.nn.RECURRENCES`.
        hidden_size: features of one direction's state.
        num_layers: number of layers.
        bidirectional: pair each layer with one that reads backwards; its states follow the forward ones in D.
        block: "plain" or "gated".
        activation: a, what the states of each layer go through: "none" or "gelu" (arXiv 1606.08415).
        norm: of a plain block: layer normalisation before each layer but the first, and after the last
            (arXiv 2002.04745). Not before the first: it would leave nothing of a token that is one grey pixel.
        residual: of a plain block: add a layer's input to its output wherever the two have the same width.
        dropout: rate between plain layers, and in each gated block, before the gate too if there is an activation.
        tied_dropout: drop the same features at every time step.
        sequence_length: T, for initialisations that depend on it.
        layer: options of the layer itself, by name (`rnnvision.nn.RECURRENCES[recurrence].options()`); None is the
            layer's own default.

    Raises:
        ValueError: for an unknown name, a value out of range, or an option that the layer does not have.

    Examples:
        >>> stack = Recurrence(input_size=28, recurrence="gru", hidden_size=16, num_layers=2)
        >>> states, state = stack(torch.zeros(4, 10, 28))
        >>> states.shape, len(state)
        (torch.Size([4, 10, 16]), 2)
        >>> stack.step(torch.zeros(4, 28), state)[0].shape
        torch.Size([4, 16])
    """

    def __init__(
        self,
        *,
        input_size: int,
        recurrence: str = "lstm",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        block: str = "plain",
        activation: str = "none",
        norm: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        tied_dropout: bool = False,
        sequence_length: int = 2,
        layer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        one_of("recurrence", recurrence, RECURRENCES)
        at_least("hidden_size", hidden_size, 1)
        at_least("num_layers", num_layers, 1, DEEPEST)
        probability("dropout", dropout)
        flags(bidirectional=bidirectional, norm=norm, residual=residual, tied_dropout=tied_dropout)
        one_of("block", block, BLOCKS)
        one_of("activation", activation, ACTIVATIONS)
        gated = block == "gated"
        for option, asked in (("norm", norm), ("residual", residual)):
            if gated and asked:
                raise ValueError(f"{option}=True: block=gated has it built in; leave it false, or use block=plain")
        layer_size = hidden_size * (2 if bidirectional else 1)
        self.name = recurrence
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = hidden_size if gated else layer_size
        self.bidirectional = bidirectional
        self.residual = residual or gated
        self.num_dropped = num_layers if gated else num_layers - 1
        if layer is not None and not isinstance(layer, Mapping):
            raise ValueError(
                f"layer={layer}: must map the layer's options to values, such as {{'gate_bias': 'forget'}}"
            )
        options = {name: value for name, value in (layer or {}).items() if value is not None}
        first = hidden_size if gated else input_size
        sizes = [first] + [self.output_size] * num_layers

        def layers() -> nn.ModuleList:
            return nn.ModuleList(
                make_layer(recurrence, size, hidden_size, sequence_length, options) for size in sizes[:-1]
            )

        self.project = nn.Identity() if first == input_size else nn.Linear(input_size, first)
        self.layers = layers()
        self.backward_layers = layers() if bidirectional else nn.ModuleList()
        self.activation = ACTIVATIONS[activation]()
        self.drops_twice = gated and activation != "none"
        self.outputs = nn.ModuleList(
            GatedProjection(layer_size, hidden_size) if gated else nn.Identity() for _ in range(num_layers)
        )
        inner = (nn.LayerNorm(size) if norm or gated else nn.Identity() for size in sizes[1:])
        self.norms = nn.ModuleList([nn.LayerNorm(first) if gated else nn.Identity(), *inner])
        self.dropout = TiedDropout(dropout) if tied_dropout else nn.Dropout(dropout)

    def forward(self, x: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """Read a sequence: (B, T, F) -> (B, T, D) and the state after it; () for a bidirectional stack, which has none.

        Raises:
            ValueError: if a state is passed to a bidirectional stack, which cannot continue from one.
        """
        if state is not None:
            self._check_one_direction("continue from a state")
        after = []
        x = self.project(x)
        for i, layer in enumerate(self.layers):
            y = self.norms[i](x)
            states, last = layer(y, None if state is None else state[i])
            if self.bidirectional:
                backward, _ = self.backward_layers[i](y.flip(1))
                states = torch.cat((states, backward.flip(1)), dim=-1)
            states = self.activation(states)
            y = self.outputs[i](self.dropout(states) if self.drops_twice else states)
            x = self._joined(x, self.dropout(y) if i < self.num_dropped else y)
            after.append(last)
        return self.norms[-1](x), () if self.bidirectional else tuple(after)

    def step(self, x_t: Tensor, state: StackState) -> tuple[Tensor, StackState]:
        """Read one token: (B, F) -> (B, D) and the state after it. Dropout is not applied.

        Raises:
            ValueError: for a bidirectional stack, which needs the whole sequence.
        """
        self._check_one_direction("read token by token")
        after = []
        x_t = self.project(x_t)
        for i, layer in enumerate(self.layers):
            y_t, last = cast(RecurrentLayer, layer).step(self.norms[i](x_t), state[i])
            x_t = self._joined(x_t, self.outputs[i](self.activation(y_t)))
            after.append(last)
        return self.norms[-1](x_t), tuple(after)

    def parts(self) -> dict[str, list[str]]:
        """The modules of each layer, by the name of the part, see `rnnvision.nn.parts`."""
        found = {
            LAYER.format(i): [f"{kind}.{i}" for kind in ("layers", "backward_layers", "outputs", "norms")]
            for i in range(len(self.layers))
        }
        found[LAYER.format(0)].append("project")
        found[LAYER.format(len(self.layers) - 1)].append(f"norms.{len(self.layers)}")
        return found

    def initial_state(
        self, batch_size: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> StackState:
        """The state before the first token, one entry per layer; by default of the weights' device and dtype."""
        layers = (cast(RecurrentLayer, layer) for layer in self.layers)
        return tuple(layer.initial_state(batch_size, device=device, dtype=dtype) for layer in layers)

    def _joined(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y if self.residual and x.shape[-1] == y.shape[-1] else y

    def _check_one_direction(self, what: str) -> None:
        if self.bidirectional:
            raise ValueError(f"bidirectional=True: cannot {what}; use bidirectional=False")


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
