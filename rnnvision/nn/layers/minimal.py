"""minGRU and minLSTM: gates and candidates that do not depend on the state.

All that is left to link the time steps is the prefix scan of h_t = a_t * h_{t-1} + b_t.

Notation: x_t token, h_t output state, W weights, b biases, s the logistic function, * the elementwise product.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from rnnvision.checks import one_of
from rnnvision.nn.kernels.prefix_scan import prefix_scan, prefix_scan_gradient
from rnnvision.nn.layers.chunked import Chunk, ChunkedLayer, Kept, product_gradient, wide
from rnnvision.nn.layers.initialisation import GATE_BIASES, affine, keep_bias
from rnnvision.nn.layers.layer import RECURRENCES


class MixingLayer(ChunkedLayer):
    """A layer whose state moves towards a candidate: h_t = (1 - z_t) * h_{t-1} + z_t * g(W_c x_t + b_c).

    g(v) = v + 1/2 for v >= 0 and s(v) elsewhere keeps candidates positive, and states that start positive. The paper
    needs that since it computes in logarithms, and starts from h_0 = g(0) = 1/2; here the same equations are computed
    directly, see `prefix_scan`, and start from 0.

    All affine maps are computed as one, the gates' first, the candidate's last. Weights are uniform in +-1/sqrt(F),
    biases zero except for `gate_bias`:
        torch   zero: half of the state is kept.
        forget  1 on the gate that keeps the state.
        chrono  old state to candidate as u to 1, u uniform in [1, T - 1], so that memory spans time scales up to the
                length T of the sequence (Tallec & Ollivier 2018, arXiv 1804.11188). The default: without it a state is
                forgotten in a few tokens, and gates that do not see it hardly learn to keep it.

    State: (h,), (B, D).
    """

    num_gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, sequence_length: int = 2, *, gate_bias: str = "chrono"
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
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
        """Turn the gradient of k_t, where z_t = s(k_t), in the first D of `gradient`, into that of the gates' maps.

        With a single gate k_t is the map itself: there is nothing to do, and `gates` is not kept.
        """

    @abstractmethod
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        """Set the bias towards keeping the state; with `tie_input` the input gate gets its negative."""

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

    # The same in fewer passes over the chunk: a pass costs as much as the prefix scan itself.

    @classmethod
    def read_chunk(cls, x: Tensor, state: Tensor, y: Tensor, *weights: Tensor) -> tuple[Tensor, Kept]:
        gates, v = cls._maps(x, state, weights)
        keep, s = cls.keep(gates), torch.sigmoid(v)
        candidate = torch.maximum(v.add_(0.5), s, out=s)  # v + 1/2 > s(v) exactly where v > 0
        for keep_t, c_t, y_t in zip(keep.unbind(0), candidate.unbind(0), y.unbind(0), strict=True):
            state = torch.lerp(c_t, state, keep_t, out=y_t)
        return state, (keep, candidate, *([gates] if cls.num_gates > 1 else []))

    @classmethod
    def chunk_gradient(
        cls, chunk: Chunk, dy: Tensor, dstate: Tensor, dx: Tensor | None, totals: list[Tensor]
    ) -> Tensor:
        x, before, y, weights, (keep, candidate, *gates) = chunk
        g, dbefore = prefix_scan_gradient(keep, dy, dstate)
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


@RECURRENCES.register("mingru")
class MinGRU(MixingLayer):
    """minGRU (Feng et al. 2024, arXiv 2410.01201, appendix B): z_t = s(W_z x_t + b_z). See `MixingLayer`."""

    num_gates = 1

    @staticmethod
    def keep(gates: Tensor) -> Tensor:
        return torch.neg(gates).sigmoid()

    @torch.no_grad()
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        self.gate("bias", 0).copy_(-bias)


@RECURRENCES.register("minlstm")
class MinLSTM(MixingLayer):
    """minLSTM (Feng et al. 2024, arXiv 2410.01201, appendix B): two gates, normalised to sum to one. See `MixingLayer`.

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
