"""UR-LSTM and UR-GRU: a refine gate and uniform gate initialisation. Notation as in `rnnvision.nn.layers.fused`."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from rnnvision.nn.layers.initialisation import orthogonal_gates
from rnnvision.nn.layers.layer import RECURRENCES, State
from rnnvision.nn.layers.unrolled import UnrolledLayer


class RefinedLayer(UnrolledLayer):
    """A layer with a refined forget gate: UR gates (Gu et al. 2020, arXiv 1910.09890).

        f_t = s(W_f x_t + U_f h_{t-1} + b_f)      r_t = s(W_r x_t + U_r h_{t-1} - b_f)
        k_t = 2 r_t f_t + (1 - 2 r_t) f_t^2

    The refine gate r moves the kept share k between f^2 and 1 - (1 - f)^2, so that it comes near 0 and 1 where f itself
    still has a gradient. r has no bias of its own. (The paper calls the kept share g.)

    Initialisation: uniform gates (UGI), b_f = log(u / (1 - u)) with u uniform in [1/D, 1 - 1/D], so that the memories
    of the D features span a range of time scales; recurrent weights orthogonal gate by gate, input weights uniform
    after Glorot, the other biases zero.
    """

    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(3 * hidden_size))  # of f and of the last two gates
        orthogonal_gates(self.weight_ih, self.weight_hh)
        lowest = 1 / max(hidden_size, 2)
        with torch.no_grad():
            self.bias[:hidden_size].uniform_(lowest, 1 - lowest).logit_()

    def project(self, x: Tensor) -> Tensor:
        keep = self.bias[: self.hidden_size]
        return linear(x, self.weight_ih, torch.cat((keep, -keep, self.bias[self.hidden_size :])))

    def recurrent_weight(self, dtype: torch.dtype) -> Tensor:
        return self.weight_hh.to(dtype).T

    @staticmethod
    def _kept(f: Tensor, r: Tensor) -> Tensor:
        """2 r f + (1 - 2 r) f^2 = f + 2 (r - 1/2) (f - f^2)."""
        return torch.addcmul(f, r - 0.5, torch.addcmul(f, f, f, value=-1), value=2)


@RECURRENCES.register("ur_lstm")
class URLSTM(RefinedLayer):
    """LSTM with a refined forget gate k and the input gate 1 - k (Gu et al. 2020, arXiv 1910.09890).

    Gates in the order f, r, o, g, with f, r and k as in `RefinedLayer`:

        o_t = s(W_o x_t + U_o h_{t-1} + b_o)      g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)
        c_t = k_t * c_{t-1} + (1 - k_t) * g_t     h_t = o_t * tanh(c_t)

    State: (h, c), each (B, D).
    """

    num_states = 2

    def cell(self, x_t: Tensor, recurrent: Tensor, state: State) -> State:
        h, c = state
        gates, candidate = (
            torch.addmm(x_t, h.to(x_t.dtype), recurrent).to(c.dtype).tensor_split([3 * self.hidden_size], -1)
        )
        f, r, o = gates.sigmoid().chunk(3, dim=-1)
        c = torch.lerp(candidate.tanh(), c, self._kept(f, r))
        return o * c.tanh(), c


@RECURRENCES.register("ur_gru")
class URGRU(RefinedLayer):
    """GRU with a refined update gate (Gu et al. 2020, arXiv 1910.09890), the reset gate z applied after the product.

    Gates in the order f, r, z, n, with f, r and k as in `RefinedLayer`:

        z_t = s(W_z x_t + U_z h_{t-1} + b_z)      n_t = tanh(W_n x_t + b_n + z_t * (U_n h_{t-1}))
        h_t = k_t * h_{t-1} + (1 - k_t) * n_t

    State: (h,).
    """

    def cell(self, x_t: Tensor, recurrent: Tensor, state: State) -> State:
        (h,) = state
        split = [3 * self.hidden_size]
        x_gates, x_candidate = x_t.tensor_split(split, -1)
        h_gates, h_candidate = torch.mm(h.to(x_t.dtype), recurrent).tensor_split(split, -1)
        f, r, z = (x_gates + h_gates).to(h.dtype).sigmoid().chunk(3, dim=-1)
        candidate = torch.addcmul(x_candidate.to(h.dtype), z, h_candidate.to(h.dtype)).tanh()
        return (torch.lerp(candidate, h, self._kept(f, r)),)
