"""mLSTM: the LSTM with a matrix memory (Beck et al. 2024, "xLSTM", arXiv 2405.04517).

Shapes: B images, T tokens of F features, H heads of D features. The recurrence:
`rnnvision.nn.kernels.matrix_memory`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, one_of
from rnnvision.nn.kernels.exported import autocast_off
from rnnvision.nn.kernels.matrix_memory import CHUNK_SIZE, read_chunks, read_token
from rnnvision.nn.layers.layer import RECURRENCES, RecurrentLayer, State

# The logarithm of the forget gate from its pre-activation. The paper allows both; its language models and Vision-LSTM
# use the sigmoid.
FORGET_GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": nn.functional.logsigmoid,
    "exponential": lambda x: x,
}


class MatrixMemory(nn.Module):
    """Heads of the recurrence with their gates: q, k, v (B, T, H * D) and u (B, T, G) -> (B, T, H * D).

    i_t = w_i u_t + b_i and f_t = log s(w_f u_t + b_f) in each head, s the logistic function; k_t is divided by sqrt(D),
    and h_t is normalised over the D features of its head, without which the division by the normaliser would make some
    tokens huge. Computed in float32 where weights or autocast have half precision.

    Args:
        features: H * D.
        gate_features: G.
        num_heads: a divisor of `features` with at least 2 features per head; by default the largest such up to 4.
        forget_gate: sigmoid as above, or exponential: f_t = w_f u_t + b_f.
        chunk_size: tokens per chunk; it affects only the speed.

    Initialisation (the authors'): w zero, b_i normal with standard deviation 0.1, b_f from 3 to 6 over the heads, so
    that most of the memory is kept initially.

    Raises:
        ValueError: for a number of heads that does not divide `features`; the message names those that do.
    """

    def __init__(
        self,
        features: int,
        gate_features: int,
        *,
        num_heads: int | None = None,
        forget_gate: str = "sigmoid",
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        super().__init__()
        one_of("forget_gate", forget_gate, FORGET_GATES)
        at_least("chunk_size", chunk_size, 1)
        self.num_heads = _head_count(features, num_heads)
        self.forget_gate = forget_gate
        self.chunk_size = chunk_size
        self.gates = nn.Linear(gate_features, 2 * self.num_heads)  # i, f
        self.norm_weight = nn.Parameter(torch.ones(features))
        self.norm_bias = nn.Parameter(torch.zeros(features))
        with torch.no_grad():
            self.gates.weight.zero_()
            self.gates.bias[: self.num_heads].normal_(std=0.1)
            self.gates.bias[self.num_heads :].copy_(torch.linspace(3.0, 6.0, self.num_heads))

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, u: Tensor, state: State | None = None, *, last_state: bool = True
    ) -> tuple[Tensor, State]:
        with autocast_off(q.device.type):
            heads = self._heads(q, k, v, u)
            if q.shape[1] == 1:
                before = self.initial_state(q.shape[0], device=None, dtype=heads[0].dtype) if state is None else state
                q, k, v, i, f = (x.squeeze(1) for x in heads)  # (B, H, D) and (B, H)
                h, state = read_token(q, k, v, i, f, before)
                return self._joined(h).unsqueeze(1), state
            q, k, v, i, f = (x.transpose(1, 2) for x in heads)  # (B, H, T, D) and (B, H, T)
            h, state = read_chunks(q, k, v, i, f, state, chunk_size=self.chunk_size, last_state=last_state)
            return self._joined(h.transpose(1, 2)), state

    def multiply_adds(self, tokens: int, *, last_state: bool = True) -> int:
        """Multiply-adds of one image, as computed: within each chunk all tokens against all, and the memory read, and
        written, once per chunk. For a single token the memory is read; its writing is an elementwise product.
        """
        size = len(self.norm_weight) // self.num_heads
        gates = tokens * self.gates.weight.numel()
        if tokens == 1:
            return gates + self.num_heads * size * (size + 1)
        chunks = math.ceil(tokens / self.chunk_size)
        chunk = math.ceil(tokens / chunks)
        within = chunks * chunk * chunk * (2 * size + 1)
        read, written = (chunks if chunks > 1 else 0), (chunks if last_state else chunks - 1)
        between = (read + written) * chunk * size * (size + 1)
        return gates + self.num_heads * (within + between)

    def initial_state(self, batch_size: int, *, device: torch.device | None, dtype: torch.dtype | None) -> State:
        heads, size = self.num_heads, len(self.norm_weight) // self.num_heads
        dtype = torch.promote_types(dtype or self.norm_weight.dtype, torch.float32)
        shapes = ((heads, size, size), (heads, size), (heads,))
        return tuple(self.norm_weight.new_zeros((batch_size, *s), device=device, dtype=dtype) for s in shapes)

    def _heads(self, q: Tensor, k: Tensor, v: Tensor, u: Tensor) -> tuple[Tensor, ...]:
        """q, k, v (..., H, D) and i, f (..., H)."""
        dtype = torch.promote_types(self.gates.weight.dtype, torch.float32)
        weight, bias = self.gates.weight.to(dtype), self.gates.bias.to(dtype)
        i, f = nn.functional.linear(u.to(dtype), weight, bias).chunk(2, dim=-1)
        q, k, v = (x.to(dtype).unflatten(-1, (self.num_heads, -1)) for x in (q, k, v))
        return q, k / math.sqrt(k.shape[-1]), v, i, FORGET_GATES[self.forget_gate](f)

    def _joined(self, h: Tensor) -> Tensor:
        """The heads, each normalised, concatenated: (..., H, D) -> (..., H * D)."""
        normalised = nn.functional.layer_norm(h, h.shape[-1:]).flatten(-2).to(self.norm_weight.dtype)
        return torch.addcmul(self.norm_bias, normalised, self.norm_weight)

    def extra_repr(self) -> str:
        return f"features={len(self.norm_weight)}, num_heads={self.num_heads}, forget_gate={self.forget_gate}"


def _head_count(features: int, num_heads: int | None) -> int:
    """`num_heads` checked, or where it is None the largest legal number up to 4."""
    legal = [n for n in range(1, max(features // 2, 1) + 1) if features % n == 0]
    if num_heads is None:
        return max(n for n in legal if n <= 4)
    if isinstance(num_heads, bool) or num_heads not in legal:
        names = ", ".join(map(str, legal))
        raise ValueError(
            f"num_heads={num_heads}: must divide {features} features, two or more a head: choose one of {names}"
        )
    return num_heads


@RECURRENCES.register("mlstm")
class MLSTM(RecurrentLayer):
    """The mLSTM as a layer. With W weights of the token x_t, s the logistic function and * the elementwise product,

        q_t = W_q x_t + b_q     k_t = W_k x_t + b_k     v_t = W_v x_t + b_v     o_t = s(W_o x_t + b_o)
        y_t = o_t * h_t         h_t the normalised heads of `MatrixMemory`, whose gates see u_t = x_t

    State: (C, n, m), each (B, H, ...). W is initially normal with standard deviation sqrt(2 / (5 F)) (Nguyen & Salazar
    2019, arXiv 1910.05895; the authors' choice), b zero.

    Args:
        input_size: F.
        hidden_size: features of y_t, over all heads.
        num_heads, forget_gate, chunk_size: see `MatrixMemory`.

    Raises:
        ValueError: for a `hidden_size` of 1, or a number of heads that does not divide it; the message names those
            that do.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        sequence_length: int = 2,
        *,
        num_heads: int | None = None,
        forget_gate: str = "sigmoid",
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        at_least("hidden_size", hidden_size, 2)  # normalising a head of one feature leaves nothing of it
        super().__init__(input_size, hidden_size, sequence_length)
        self.project = nn.Linear(input_size, 4 * hidden_size)  # q, k, v, o
        self.memory = MatrixMemory(
            hidden_size, input_size, num_heads=num_heads, forget_gate=forget_gate, chunk_size=chunk_size
        )
        nn.init.normal_(self.project.weight, std=math.sqrt(2 / (5 * input_size)))
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        q, k, v, o = self.project(x).chunk(4, dim=-1)
        h, state = self.memory(q, k, v, x, state)
        return o.sigmoid() * h, state

    def multiply_adds(self, tokens: int) -> int:
        return tokens * self.project.weight.numel() + self.memory.multiply_adds(tokens)

    def initial_state(
        self, batch_size: int, *, device: torch.device | None = None, dtype: torch.dtype | None = None
    ) -> State:
        return self.memory.initial_state(batch_size, device=device, dtype=dtype)
