"""Readouts: one vector from the states of all time steps.

Shapes: B images, T tokens, D features of a state (both directions concatenated, forward first).

A stack that reads in one direction is also read out token by token, in memory that does not grow with T: `step` takes
a state and a carry, a tuple of tensors (B, ...) that holds what the readout keeps of the states before it.

The backward direction of a bidirectional stack has read the whole image at t = 0, not at t = T - 1; only this module
knows. Blocks that mix the directions (`block=gated`) learn which feature carries which; their D is halved all the same.

Examples:
    >>> states = torch.zeros(2, 28, 64)  # (B, T, D)
    >>> READOUTS["mean"](64)(states).shape, READOUTS["first_last"](64)(states).shape
    (torch.Size([2, 64]), torch.Size([2, 128]))
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from rnnvision.registry import Registry, subclass_of

Carry = tuple[Tensor, ...]  # each (B, ...)


class Readout(nn.Module, ABC):
    """Reduce the states to one vector.

    Args:
        state_size: D.
        bidirectional: whether the second half of D comes from a direction that reads backwards.
    """

    def __init__(self, state_size: int, bidirectional: bool = False) -> None:
        super().__init__()
        self.state_size = state_size
        self.bidirectional = bidirectional
        self.out_features = state_size

    @abstractmethod
    def forward(self, states: Tensor) -> Tensor:
        """The vector after the whole sequence: (B, T, D) -> (B, out_features)."""

    @abstractmethod
    def prefixes(self, states: Tensor) -> Tensor:
        """The vector after each token of a unidirectional stack: (B, T, D) -> (B, T, out_features).

        The last of them equals `forward`.
        """

    @property
    def steps(self) -> bool:
        """Whether the readout defines `step`; one of a plugin need not."""
        return type(self).step is not Readout.step

    def initial_carry(self, batch_size: int, like: Tensor) -> Carry:
        """What `step` is given with the first state: tensors (B, ...) of the device and dtype of `like`."""
        return ()

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """The vector after one more state (B, D) -> (B, out_features), as in `prefixes`, and the carry after it.

        Raises:
            ValueError: if the readout needs all states at once.
        """
        raise ValueError(f"readout: {type(self).__name__} has no `step`; it needs the states of all tokens at once")


class Last(Readout):
    """The state of each direction after it has read the whole sequence."""

    def forward(self, states: Tensor) -> Tensor:
        if not self.bidirectional:
            return states[:, -1]
        half = self.state_size // 2
        return torch.cat((states[:, -1, :half], states[:, 0, half:]), dim=-1)

    def prefixes(self, states: Tensor) -> Tensor:
        return states

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        return state, carry


class Mean(Readout):
    """The mean over time."""

    def forward(self, states: Tensor) -> Tensor:
        return states.mean(dim=1)

    def prefixes(self, states: Tensor) -> Tensor:
        precise = torch.promote_types(states.dtype, torch.float32)  # bfloat16 cannot count beyond 256
        count = torch.arange(1, states.shape[1] + 1, device=states.device, dtype=precise)
        return (states.cumsum(dim=1, dtype=precise) / count.unsqueeze(-1)).to(states.dtype)

    def initial_carry(self, batch_size: int, like: Tensor) -> Carry:
        """The mean so far (B, D), and the number of tokens in it (B, 1)."""
        count = torch.zeros(batch_size, 1, dtype=torch.int64, device=like.device)  # exact, however long the stream
        return like.new_zeros(batch_size, self.state_size), count

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        mean, count = carry
        count = count + 1
        mean = mean + (state - mean) / count  # unlike a sum it does not grow with the stream
        return mean, (mean, count)


class Max(Readout):
    """The maximum of each feature over time."""

    def forward(self, states: Tensor) -> Tensor:
        return states.amax(dim=1)

    def prefixes(self, states: Tensor) -> Tensor:
        return states.cummax(dim=1).values

    def initial_carry(self, batch_size: int, like: Tensor) -> Carry:
        """The maximum so far (B, D)."""
        return (like.new_full((batch_size, self.state_size), -torch.inf),)

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        largest = torch.maximum(carry[0], state)
        return largest, (largest,)


class FirstLast(Readout):
    """The states at the first and at the last token, concatenated: 2 D features."""

    def __init__(self, state_size: int, bidirectional: bool = False) -> None:
        super().__init__(state_size, bidirectional)
        self.out_features = 2 * state_size

    def forward(self, states: Tensor) -> Tensor:
        return torch.cat((states[:, 0], states[:, -1]), dim=-1)

    def prefixes(self, states: Tensor) -> Tensor:
        return torch.cat((states[:, :1].expand_as(states), states), dim=-1)

    def initial_carry(self, batch_size: int, like: Tensor) -> Carry:
        """The first state (B, D), and whether there has been one (B, 1)."""
        seen = torch.zeros(batch_size, 1, dtype=torch.bool, device=like.device)
        return like.new_zeros(batch_size, self.state_size), seen

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        first, seen = carry
        first = torch.where(seen, first, state)
        return torch.cat((first, state), dim=-1), (first, torch.ones_like(seen))


class Attention(Readout):
    """A weighted mean over time (Yang et al. 2016, "Hierarchical attention networks"):

    a_t = softmax_t(v . tanh(W h_t + b)), out = sum_t a_t h_t, with W of D x D.
    """

    def __init__(self, state_size: int, bidirectional: bool = False) -> None:
        super().__init__(state_size, bidirectional)
        self.key = nn.Linear(state_size, state_size)
        self.query = nn.Linear(state_size, 1, bias=False)

    def weights(self, states: Tensor) -> Tensor:
        """The attention weight of each token: (B, T, D) -> (B, T), rows that sum to 1."""
        return self._scores(states).softmax(dim=1)

    def forward(self, states: Tensor) -> Tensor:
        return torch.einsum("bt,btd->bd", self.weights(states), states)

    def prefixes(self, states: Tensor) -> Tensor:
        scores = self._scores(states)  # (B, T)
        times = torch.arange(scores.shape[1], device=scores.device)
        future = times.unsqueeze(0) > times.unsqueeze(1)  # (T, T): row t sees the columns up to t
        weights = scores.unsqueeze(1).masked_fill(future, -torch.inf).softmax(dim=-1)  # (B, T, T)
        return weights @ states

    def initial_carry(self, batch_size: int, like: Tensor) -> Carry:
        """Of the scores e_t so far: their maximum m (B, 1), the weighted mean (B, D), sum_t exp(e_t - m) (B, 1)."""
        highest = like.new_full((batch_size, 1), -torch.inf)
        return highest, like.new_zeros(batch_size, self.state_size), like.new_zeros(batch_size, 1)

    def step(self, state: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        before, mean, total = carry
        score = self._scores(state).unsqueeze(-1)  # (B, 1)
        highest = torch.maximum(before, score)
        weight = torch.exp(score - highest)
        total = torch.exp(before - highest) * total + weight
        mean = mean + weight / total * (state - mean)
        return mean, (highest, mean, total)

    def _scores(self, states: Tensor) -> Tensor:
        return self.query(torch.tanh(self.key(states))).squeeze(-1)


READOUTS: Registry[type[Readout]] = Registry(
    "readout",
    {"last": Last, "mean": Mean, "max": Max, "first_last": FirstLast, "attention": Attention},
    rule=subclass_of(Readout),
)
