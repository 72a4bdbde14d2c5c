"""ChunkedLayer: layers that read a sequence in chunks of time that fit a CPU's cache.

A layer that is linear in its state computes all tokens of a chunk at once. For the whole sequence at once, each
operation would need an array of tens of megabytes: written to memory, read back, and paid for page by page. Chunk by
chunk these stay in the cache, and only what the gradient would take longest to recompute is kept: the input, the
output, the state before each chunk, and what else the layer chooses.
"""

from abc import abstractmethod
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from rnnvision.nn.kernels.exported import autocast_off
from rnnvision.nn.layers.layer import RecurrentLayer, State

Kept = tuple[Tensor, ...]  # of a chunk, for its gradient
CHUNK_ELEMENTS = 2**18  # of the output, per chunk: a megabyte in float32


class Chunk(NamedTuple):
    """A chunk that was read: input (L, B, F), the state before it, output (L, B, D), the layer's weights."""

    x: Tensor
    before: Tensor
    y: Tensor
    weights: tuple[Tensor, ...]
    kept: Kept  # by `read_chunk`


class ChunkedLayer(RecurrentLayer):
    """A layer defined by its computation on a chunk of tokens, time first; sequences and single tokens follow from it.

    The state is one real tensor. In half precision, or under autocast, only the products with the tokens are computed
    in it; gates and states are float32.
    """

    @classmethod
    @abstractmethod
    def cell(cls, x: Tensor, state: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        """Read a chunk: (L, B, F) and the state before it -> (L, B, D) and the state after it."""

    @abstractmethod
    def weights(self) -> tuple[Tensor, ...]:
        """The arguments `weights` of `cell`: parameters, or functions of them."""

    @property
    def state_shape(self) -> tuple[int, ...]:
        """Shape of one image's state; (D,) by default."""
        return (self.hidden_size,)

    # The CPU runs the two methods below. They compute what `cell` does; a layer may do so in fewer operations.

    @classmethod
    def read_chunk(cls, x: Tensor, state: Tensor, y: Tensor, *weights: Tensor) -> tuple[Tensor, Kept]:
        """Compute `cell` into `y`, without autograd; returns the state after it and what `chunk_gradient` needs."""
        made, state = cls.cell(x, state, *weights)
        y.copy_(made)
        return state, ()

    @classmethod
    def chunk_gradient(
        cls, chunk: Chunk, dy: Tensor, dstate: Tensor, dx: Tensor | None, totals: list[Tensor]
    ) -> Tensor:
        """Gradients of a chunk from those of its output and of the state after it.

        That of its input is written to `dx` if given, those of its weights are added to `totals`, and that of the state
        before it is returned.
        """
        leaves = [chunk.x.detach().requires_grad_(dx is not None)]
        leaves += [v.detach().requires_grad_() for v in (chunk.before, *chunk.weights)]
        with torch.enable_grad():
            made = cls.cell(*leaves)
        wanted = leaves if dx is not None else leaves[1:]
        found = list(torch.autograd.grad(made, wanted, (dy, dstate)))
        if dx is not None:
            dx.copy_(found.pop(0))
        for total, part in zip(totals, found[1:], strict=True):
            total += part
        return found[0]

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        if 0 in x.shape[:2]:
            raise ValueError(f"x of shape {tuple(x.shape)}: must hold at least one sequence of at least one token")
        before = wide(self.initial_state(x.shape[0])[0] if state is None else state[0]).contiguous()
        kind = x.device.type
        if torch.is_autocast_enabled(kind):
            x = x.to(torch.get_autocast_dtype(kind))
        with autocast_off(kind):
            if kind == "cpu" and not torch.compiler.is_exporting():
                y, after = _Chunks.apply(type(self), self.hidden_size, x, before, *self.weights())
            else:
                y, after = self.cell(x.transpose(0, 1), before, *self.weights())
                y = y.transpose(0, 1)
        return y.to(next(self.parameters()).dtype), (after,)

    def initial_state(
        self, batch_size: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> State:
        like = next(self.parameters())
        dtype = torch.promote_types(dtype or like.dtype, torch.float32)
        return (like.new_zeros((batch_size, *self.state_shape), device=device, dtype=dtype),)


def wide(v: Tensor) -> Tensor:
    """Convert to at least float32, which the sum of a thousand tokens needs."""
    return v.float() if v.dtype in (torch.bfloat16, torch.float16) else v


class _Chunks(Function):
    @staticmethod
    def forward(
        ctx: Any, layer: type[ChunkedLayer], width: int, x: Tensor, state: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        batch, tokens, _ = x.shape
        ctx.layer, ctx.length, ctx.num_weights = layer, max(1, CHUNK_ELEMENTS // (batch * width)), len(weights)
        y = state.new_empty(tokens, batch, width)
        chunks: list[tuple[Tensor, ...]] = []  # of each: its input, the state before it, and what the layer keeps
        trained = any(ctx.needs_input_grad)
        for part, y_chunk in zip(x.split(ctx.length, dim=1), y.split(ctx.length), strict=True):
            x_chunk, before = _time_first(part), state
            state, kept = layer.read_chunk(x_chunk, before, y_chunk, *weights)
            if trained:
                chunks.append((x_chunk, before, *kept))
        ctx.save_for_backward(y, *weights, *chain.from_iterable(chunks))
        return y.transpose(0, 1), state.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor, dstate: Tensor) -> tuple[Tensor | None, ...]:
        y, *saved = ctx.saved_tensors
        weights, saved = saved[: ctx.num_weights], saved[ctx.num_weights :]
        starts = range(0, len(y), ctx.length)
        per_chunk = len(saved) // len(starts)
        dx = saved[0].new_empty(*y.shape[:2], saved[0].shape[-1]) if ctx.needs_input_grad[2] else None
        totals = [torch.zeros_like(w) for w in weights]
        dstate = dstate.contiguous()
        for i, start in reversed(list(enumerate(starts))):
            x, before, *kept = saved[i * per_chunk : (i + 1) * per_chunk]
            times = slice(start, start + ctx.length)
            chunk = Chunk(x, before, y[times], tuple(weights), tuple(kept))
            dx_chunk = None if dx is None else dx[times]
            dstate = ctx.layer.chunk_gradient(chunk, _time_first(dy[:, times]), dstate, dx_chunk, totals)
        return None, None, None if dx is None else dx.transpose(0, 1), dstate, *totals


def _time_first(chunk: Tensor) -> Tensor:
    return chunk.transpose(0, 1).contiguous()


def product_gradient(dy: Tensor, x: Tensor, weight: Tensor, dx: Tensor | None, total: Tensor) -> None:
    """Gradients of y = x W^T: (M, D), (M, F), (D, F). That of x is written to `dx` (L, B, F), of W added to `total`."""
    if dx is not None:
        torch.mm(dy, weight, out=dx.flatten(0, 1))
    if total.dtype == dy.dtype:
        total.addmm_(dy.T, x)
    else:
        total += dy.T @ x
