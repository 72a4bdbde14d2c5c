"""Recurrences that are linear in their state, h_t = a_t * h_{t-1} + b_t, where all that waits for the token before is
the prefix scan.

Notation: x_t token, h_t state that goes out, W weights, b biases, s the logistic function, * the product by element.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnvision.checks import one_of
from rnnvision.nn.kernels.prefix_scan import prefix_scan, scan_gradient
from rnnvision.nn.layers.chunked import Block, BlockLayer, Kept, product_gradient, wide
from rnnvision.nn.layers.fused import GATE_BIASES, keep_bias
from rnnvision.nn.layers.layer import RecurrentLayer
from rnnvision.nn.layers.state_space import LRU, S5, check_ring


class MixingLayer(BlockLayer):
    """A layer whose state moves towards a candidate: h_t = (1 - z_t) * h_{t-1} + z_t * g(W_c x_t + b_c).

    g(v) = v + 1/2 for v >= 0 and s(v) elsewhere keeps candidates positive, and states that start so. The paper needs
    that since it computes in logarithms, and starts from h_0 = g(0) = 1/2; here the same equations are computed as they
    stand, see `prefix_scan`, and start from 0.

    All affine maps are one, the gates' first, the candidate's last. Weights are uniform in +-1/sqrt(F), biases zero but
    for `gate_bias`:
        torch   zero: half of the state is kept.
        forget  1 on the gate that keeps the state.
        chrono  keeping u parts to 1, u uniform in [1, T - 1], so that memory spans times up to the length T of the
                sequence (Tallec & Ollivier 2018, arXiv 1804.11188). The default: without it a state is forgotten in
                a few tokens, and gates that do not see it hardly learn to keep it.

    State: (h,), (B, D).
    """

    num_gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, *, gate_bias: str = "chrono", sequence_length: int = 2
    ) -> None:
        super().__init__(input_size, hidden_size)
        one_of("gate_bias", gate_bias, GATE_BIASES)
        self.affine = affine(input_size, (self.num_gates + 1) * hidden_size)
        bias = keep_bias(gate_bias, hidden_size, sequence_length)
        if bias is not None:
            self._set_keep_bias(bias, tie_input=gate_bias == "chrono")

    @staticmethod
    @abstractmethod
    def keep(gates: Tensor) -> Tensor:
        """1 - z_t from the gates' affine maps: (..., num_gates * D) -> (..., D)."""

    @staticmethod
    def spread_gradient(gradient: Tensor, *gates: Tensor) -> None:
        """From the gradient for k_t, where z_t = s(k_t), in the first D of `gradient`, to that for the gates' maps.

        Of one gate k_t is the map itself, and there is nothing to do, nor are `gates` kept.
        """

    @abstractmethod
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        """Set the bias towards keeping; with `tie_input` the gate that lets new input in gets its negative."""

    def gate(self, parameter: str, index: int) -> Tensor:
        """The rows of one gate, or of the candidate after them, in `weight` or `bias`."""
        return getattr(self.affine, parameter).split(self.hidden_size)[index]

    def weights(self) -> tuple[Tensor, ...]:
        return self.affine.weight, self.affine.bias

    @classmethod
    def cell(cls, x: Tensor, state: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        gates, v = cls._maps(x, state, weights)
        keep, candidate = cls.keep(gates), torch.where(v >= 0, v + 0.5, torch.sigmoid(v))
        return prefix_scan(keep, (1 - keep) * candidate, state)

    # The same in fewer passes over the block: a pass costs as much as the scan itself.

    @classmethod
    def read_block(cls, x: Tensor, state: Tensor, y: Tensor, *weights: Tensor) -> tuple[Tensor, Kept]:
        gates, v = cls._maps(x, state, weights)
        keep, s = cls.keep(gates), torch.sigmoid(v)
        candidate = torch.maximum(v.add_(0.5), s, out=s)  # v + 1/2 > s(v) just where v > 0
        for keep_t, c_t, y_t in zip(keep.unbind(0), candidate.unbind(0), y.unbind(0), strict=True):
            state = torch.lerp(c_t, state, keep_t, out=y_t)
        return state, (keep, candidate, *([gates] if cls.num_gates > 1 else []))

    @classmethod
    def block_gradient(
        cls, block: Block, dy: Tensor, dstate: Tensor, dx: Tensor | None, totals: list[Tensor]
    ) -> Tensor:
        x, before, y, weights, (keep, candidate, *gates) = block
        g, dbefore = scan_gradient(keep, dy, dstate)
        width = y.shape[-1]
        gradient = y.new_empty(*y.shape[:2], (cls.num_gates + 1) * width)
        # dL/dk = g * keep * z * (candidate - h_{t-1}), and z * (candidate - h_{t-1}) is h_t - h_{t-1}
        dk = gradient[..., :width]
        torch.sub(y[0], before, out=dk[0])
        torch.sub(y[1:], y[:-1], out=dk[1:])
        dk.mul_(g).mul_(keep)
        cls.spread_gradient(gradient[..., :-width], *gates)
        # The slope of g(v): 1 where v >= 0, that is g(v) >= 1/2, and g(v) (1 - g(v)) elsewhere
        slope = torch.addcmul(candidate, candidate, candidate, value=-1)
        torch.maximum(slope, torch.ge(candidate, 0.5, out=torch.empty_like(slope)), out=slope)
        torch.mul(slope, g.addcmul_(g, keep, value=-1), out=gradient[..., -width:])
        flat = gradient.flatten(0, 1)
        totals[1] += flat.sum(0)
        product_gradient(flat.to(x.dtype), x.flatten(0, 1), weights[0].to(x.dtype), dx, totals[0])
        return dbefore

    @staticmethod
    def _maps(x: Tensor, state: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The affine maps of the gates (L, B, num_gates * D) and of the candidate (L, B, D)."""
        maps = wide(F.linear(x, *(w.to(x.dtype) for w in weights)))
        return maps[..., : -state.shape[-1]], maps[..., -state.shape[-1] :]


class MinGRU(MixingLayer):
    """minGRU (Feng et al. 2024, arXiv 2410.01201, appendix B): z_t = s(W_z x_t + b_z). See `MixingLayer`."""

    num_gates = 1

    @staticmethod
    def keep(gates: Tensor) -> Tensor:
        return torch.neg(gates).sigmoid()

    @torch.no_grad()
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        self.gate("bias", 0).copy_(-bias)


class MinLSTM(MixingLayer):
    """minLSTM (Feng et al. 2024, arXiv 2410.01201, appendix B): two gates, made to sum to one. See `MixingLayer`.

    f_t = s(W_f x_t + b_f)      i_t = s(W_i x_t + b_i)      z_t = i_t / (f_t + i_t) = s(log i_t - log f_t)
    """

    num_gates = 2

    @staticmethod
    def keep(gates: Tensor) -> Tensor:
        f, i = torch.sigmoid(gates).add(torch.finfo(gates.dtype).tiny).chunk(2, dim=-1)  # never 0 / 0
        return f / (f + i)

    @staticmethod
    def spread_gradient(gradient: Tensor, *gates: Tensor) -> None:
        """k = log i - log f, and the slope of log s(v) is 1 - s(v)."""
        dk, di = gradient.chunk(2, dim=-1)
        shut_f, shut_i = torch.neg(gates[0]).sigmoid_().chunk(2, dim=-1)
        torch.mul(dk, shut_i, out=di)
        dk.mul_(shut_f).neg_()

    @torch.no_grad()
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        self.gate("bias", 0).copy_(bias)
        if tie_input:
            self.gate("bias", 1).copy_(-bias)


class RGLRU(BlockLayer):
    """Real-gated linear recurrent unit (De et al. 2024, Griffin, arXiv 2402.19427).

        r_t = s(W_a u_t + b_a)      i_t = s(W_x u_t + b_x)      a_t = s(Lambda)^(8 r_t)
        h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * u_t)

    u_t is the token, or where F is not D an affine map of it. Weights are uniform in +-1/sqrt of their input size,
    biases zero; at first the square of s(Lambda)^8 is uniform from r_min^2 to r_max^2.

    Args:
        input_size: F.
        hidden_size: D.
        r_min, r_max: the least and the most that is kept of a state while its gate r_t is 1, 0 <= r_min < r_max <= 1.

    State: (h,), (B, D).
    """

    state_parameters = ("decay",)

    def __init__(self, input_size: int, hidden_size: int, *, r_min: float = 0.9, r_max: float = 0.999) -> None:
        super().__init__(input_size, hidden_size)
        check_ring(r_min, r_max)
        self.entry = nn.Identity() if input_size == hidden_size else affine(input_size, hidden_size)
        self.recurrence_gate = affine(hidden_size, hidden_size)
        self.input_gate = affine(hidden_size, hidden_size)
        squared = torch.empty(hidden_size).uniform_(r_min**2, r_max**2).clamp_(1e-8, 1 - 1e-6)
        # log s(Lambda) = log(squared) / 16 = -log(1 + exp(-Lambda))
        self.decay = nn.Parameter(-torch.log(torch.expm1(-torch.log(squared) / 16)))

    def weights(self) -> tuple[Tensor, ...]:
        maps = (self.recurrence_gate, self.input_gate, self.entry)
        return F.logsigmoid(wide(self.decay)), *(parameter for m in maps for parameter in m.parameters())

    @classmethod
    def cell(cls, x: Tensor, state: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        log_base, *maps = weights
        maps = [parameter.to(x.dtype) for parameter in maps]
        u = F.linear(x, *maps[4:]) if maps[4:] else x
        r, i = (torch.sigmoid(wide(F.linear(u, *maps[k : k + 2]))) for k in (0, 2))
        log_a = 8 * r * log_base
        # 1 - a^2; the floor, which no gate in use comes near, keeps the slope of the root finite.
        rest = -torch.expm1(2 * log_a).clamp_max(-torch.finfo(log_a.dtype).tiny)
        return prefix_scan(torch.exp(log_a), rest.sqrt() * i * wide(u), state)


def affine(input_size: int, output_size: int) -> nn.Linear:
    """Weights uniform in +-1/sqrt(input_size), biases zero."""
    made = nn.Linear(input_size, output_size)
    nn.init.uniform_(made.weight, -1 / math.sqrt(input_size), 1 / math.sqrt(input_size))
    nn.init.zeros_(made.bias)
    return made


LINEAR: dict[str, type[RecurrentLayer]] = {"mingru": MinGRU, "minlstm": MinLSTM, "lru": LRU, "s5": S5, "rglru": RGLRU}
