"""Sequence classifiers: scan, embed, recurrence, readout, head."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, one_of, probability
from rnnvision.nn.readout import READOUTS, Carry
from rnnvision.nn.reconstruction import ReconstructionHead
from rnnvision.nn.recurrence import Recurrence, StackState
from rnnvision.nn.scan import Scan

StreamState = tuple[StackState, Carry]  # tensors (B, ...): of each layer, and of the readout


class SequenceNetwork(nn.Module):
    """Base of the networks that read an image as one sequence: scan -> embed -> recurrence.

    Args:
        input_shape: (C, H, W) of the images.
        scan, patch_size, order, order_seed, margin: how the image is read, see `rnnvision.nn.scan.Scan`.
        embed_size: width of a linear embedding of the tokens before the recurrence; None leaves tokens as they are.
        recurrence, hidden_size, num_layers, bidirectional, block, activation: the stack, see
            `rnnvision.nn.recurrence.Recurrence`.
        norm, residual, dropout, tied_dropout, layer: of it too, see `rnnvision.nn.recurrence.Recurrence`.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        scan: str = "rows",
        patch_size: int | tuple[int, int] | None = None,
        order: str | None = None,
        order_seed: int = 0,
        margin: int = 0,
        embed_size: int | None = None,
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
        layer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.scan = Scan(
            input_shape=input_shape,
            scan=scan,
            patch_size=patch_size,
            order=order,
            order_seed=order_seed,
            margin=margin,
        )
        if embed_size is not None:
            at_least("embed_size", embed_size, 1)
        token_size = self.scan.token_size
        self.embed = nn.Identity() if embed_size is None else nn.Linear(token_size, embed_size)
        self.recurrence = Recurrence(
            input_size=token_size if embed_size is None else embed_size,
            recurrence=recurrence,
            hidden_size=hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            block=block,
            activation=activation,
            norm=norm,
            residual=residual,
            dropout=dropout,
            tied_dropout=tied_dropout,
            sequence_length=self.scan.num_tokens,
            layer=layer,
        )

    def tokens(self, x: Tensor) -> Tensor:
        """The input of the recurrence: (B, C, H, W) -> (B, T, F)."""
        return self.embed(self.scan(x))

    def states(self, x: Tensor) -> Tensor:
        """The state after each token: (B, C, H, W) -> (B, T, D)."""
        return self.recurrence(self.tokens(x))[0]

    def parts(self) -> dict[str, list[str]]:
        """The parts that are no module of their own, see `rnnvision.nn.parts`."""
        return {part: [f"recurrence.{name}" for name in names] for part, names in self.recurrence.parts().items()}


class SequenceClassifier(SequenceNetwork):
    """Classify an image by reading it as a sequence: (B, C, H, W) -> (B, num_classes) logits.

    Args:
        num_classes: width of the head.
        readout: how the states become one vector, a name in `rnnvision.nn.READOUTS`.
        head_dropout: dropout rate before the head.
        **reading: how the image becomes states, see `SequenceNetwork`.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.

    Examples:
        >>> network = SequenceClassifier(input_shape=(1, 28, 28), num_classes=10, scan="rows", hidden_size=16)
        >>> images = torch.zeros(2, 1, 28, 28)
        >>> network(images).shape, network.forward_anytime(images).shape
        (torch.Size([2, 10]), torch.Size([2, 28, 10]))
    """

    def __init__(self, *, num_classes: int, readout: str = "last", head_dropout: float = 0.0, **reading: Any) -> None:
        at_least("num_classes", num_classes, 1)
        one_of("readout", readout, READOUTS)
        probability("head_dropout", head_dropout)
        super().__init__(**reading)
        self.readout = READOUTS[readout](self.recurrence.output_size, self.recurrence.bidirectional)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head: nn.Module = nn.Linear(self.readout.out_features, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """The vector that the head classifies: (B, C, H, W) -> (B, D)."""
        return self.readout(self.states(x))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, D) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    @property
    def is_causal(self) -> bool:
        """Whether the answer after a token depends on no later one, so that one pass gives all of them."""
        return not self.recurrence.bidirectional

    def forward_with_anytime(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of one pass of a causal network, what `forward` and `forward_anytime` give: (B, K) and (B, T, K) logits."""
        states = self.states(x)
        return self.forward_head(self.readout(states)), self.forward_head(self.readout.prefixes(states))

    def use_reconstruction_head(self) -> None:
        """Reconstruct the image instead of classifying it: from then on `forward` returns (B, C, H, W)."""
        self.head = ReconstructionHead(self.readout.out_features, self.scan).to(next(self.parameters()))

    def forward_anytime(self, x: Tensor) -> Tensor:
        """Logits after each token: (B, C, H, W) -> (B, T, num_classes); the last are those of `forward`.

        One pass for a unidirectional network; a bidirectional one reads each prefix separately, in T passes.
        """
        tokens = self.tokens(x)  # (B, T, F)
        if self.is_causal:
            states, _ = self.recurrence(tokens)
            return self.forward_head(self.readout.prefixes(states))
        prefixes = (self.recurrence(tokens[:, : t + 1])[0] for t in range(self.scan.num_tokens))
        return self.forward_head(torch.stack([self.readout(states) for states in prefixes], dim=1))

    @property
    def no_stream(self) -> str | None:
        """Why the network cannot be read token by token with `step`; None where it can."""
        if self.recurrence.bidirectional:
            return "bidirectional=True: the backward direction begins at the end of the image"
        if not self.readout.steps:
            return f"its readout {type(self.readout).__name__} has no `step`: it needs the states of all tokens at once"
        return None

    def initial_state(self, batch_size: int) -> StreamState:
        """The state before the first token: of the stack, and the carry of the readout.

        Raises:
            ValueError: for a network that cannot be read token by token.
        """
        if reason := self.no_stream:
            raise ValueError(reason)
        like = next(self.parameters())
        return self.recurrence.initial_state(batch_size), self.readout.initial_carry(batch_size, like)

    def step(self, token: Tensor, state: StreamState) -> tuple[Tensor, StreamState]:
        """Read one token of `scan`: (B, F) -> (B, num_classes), those of `forward_anytime`, and the state after it.

        Memory does not grow with the number of tokens, which may exceed `scan.num_tokens`. Dropout is not applied.
        """
        stack, carry = state
        y, stack = self.recurrence.step(self.embed(token), stack)  # (B, D)
        features, carry = self.readout.step(y, carry)
        return self.head(features), (stack, carry)
