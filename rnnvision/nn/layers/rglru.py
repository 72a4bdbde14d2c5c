"""RG-LRU: the real-gated linear recurrent unit of Griffin. Notation as in `rnnvision.nn.layers.minimal`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnvision.nn.kernels.prefix_scan import prefix_scan
from rnnvision.nn.layers.chunked import ChunkedLayer, wide
from rnnvision.nn.layers.initialisation import affine, check_ring
from rnnvision.nn.layers.layer import RECURRENCES


@RECURRENCES.register("rglru")
class RGLRU(ChunkedLayer):
    """Real-gated linear recurrent unit (De et al. 2024, Griffin, arXiv 2402.19427).

        r_t = s(W_a u_t + b_a)      i_t = s(W_x u_t + b_x)      a_t = s(Lambda)^(8 r_t)
        h_t = a_t * h_{t-1} + sqrt(1 - a_t^2) * (i_t * u_t)

    u_t is the token, or where F is not D an affine map of it. Weights are uniform in +-1/sqrt of their input size,
    biases zero; initially the square of s(Lambda)^8 is uniform from r_min^2 to r_max^2.

    Args:
        input_size: F.
        hidden_size: D.
        r_min, r_max: initially the smallest and the largest share of a state that is kept while its gate r_t is 1,
            0 <= r_min < r_max <= 1.

    State: (h,), (B, D).
    """

    state_parameters = ("decay",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        sequence_length: int = 2,
        *,
        r_min: float = 0.9,
        r_max: float = 0.999,
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
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
        # 1 - a^2; the floor, which no gate in use comes near, keeps the gradient of the root finite.
        rest = -torch.expm1(2 * log_a).clamp_max(-torch.finfo(log_a.dtype).tiny)
        return prefix_scan(torch.exp(log_a), rest.sqrt() * i * wide(u), state)
