"""LRU and S5: linear time-invariant layers with a complex diagonal state.

Both compute, with lambda (N), B (N x F), C (D x N) complex and the skip S real,

    h_t = lambda * h_{t-1} + B x_t      y_t = Re(C h_t) + S x_t

and differ in their parametrisation. S is one number per feature where F = D, and D x F elsewhere. N complex numbers are
as wide as 2 N real ones, so by default N is half of `hidden_size`, rounded up: that many conjugate pairs.

State: (h,), (B, N, 2), real and imaginary parts.
"""

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnvision.checks import at_least, number
from rnnvision.nn.kernels.prefix_scan import factor_gradient, prefix_scan, prefix_scan_gradient, prefix_states
from rnnvision.nn.layers.chunked import Chunk, ChunkedLayer, Kept, product_gradient, wide
from rnnvision.nn.layers.initialisation import check_ring
from rnnvision.nn.layers.layer import RECURRENCES

STEPS = (0.001, 0.1)  # initial range of Delta, of S5


class StateSpaceLayer(ChunkedLayer):
    """Base of LRU and S5.

    Args:
        input_size: F.
        hidden_size: D.
        state_size: N; None: half of `hidden_size`, rounded up.
    """

    def __init__(
        self, input_size: int, hidden_size: int, sequence_length: int = 2, *, state_size: int | None = None
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        if state_size is not None:
            at_least("state_size", state_size, 1)
        self.state_size = (hidden_size + 1) // 2 if state_size is None else state_size
        if input_size == hidden_size:
            self.skip = nn.Parameter(torch.randn(hidden_size))
        else:
            self.skip = nn.Parameter(torch.randn(hidden_size, input_size) / math.sqrt(input_size))

    @property
    def state_shape(self) -> tuple[int, ...]:
        return self.state_size, 2

    @abstractmethod
    def system(self) -> tuple[Tensor, Tensor, Tensor]:
        """lambda (N), B (N, F) and C (D, N), complex."""

    def weights(self) -> tuple[Tensor, ...]:
        transition, into, out_of = self.system()
        # As real matrices, real and imaginary parts side by side as in torch: complex products cost twice as much.
        real_into = torch.view_as_real(into).transpose(1, 2).flatten(0, 1)  # (2N, F)
        real_out_of = torch.view_as_real(out_of.conj().resolve_conj()).flatten(1)  # (D, 2N)
        return transition, real_into, real_out_of, wide(self.skip)

    @classmethod
    def cell(cls, x: Tensor, state: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        transition, into, out_of, skip = weights
        states, last = prefix_scan(transition, _driven(x, into), torch.view_as_complex(state))
        flat = torch.view_as_real(states).flatten(-2)
        passed = wide(x) * skip if skip.ndim == 1 else F.linear(wide(x), skip)
        return F.linear(flat, out_of) + passed, torch.view_as_real(last)

    @classmethod
    def read_chunk(cls, x: Tensor, state: Tensor, y: Tensor, *weights: Tensor) -> tuple[Tensor, Kept]:
        transition, into, out_of, skip = weights
        states = prefix_states(transition, _driven(x, into), torch.view_as_complex(state))
        flat_x, flat_y = wide(x).flatten(0, 1), y.flatten(0, 1)
        torch.mm(_flat(states), out_of.T, out=flat_y)
        if skip.ndim == 1:
            flat_y.addcmul_(flat_x, skip)
        else:
            flat_y.addmm_(flat_x, skip.T)
        return torch.view_as_real(states[-1]), (states,)

    @classmethod
    def chunk_gradient(
        cls, chunk: Chunk, dy: Tensor, dstate: Tensor, dx: Tensor | None, totals: list[Tensor]
    ) -> Tensor:
        x, before, _, (transition, into, out_of, skip), (states,) = chunk
        flat_x, flat_dy = x.flatten(0, 1), dy.flatten(0, 1)
        dstates = torch.view_as_complex((flat_dy @ out_of).view(*states.shape, 2))
        totals[2].addmm_(flat_dy.T, _flat(states))
        g, dbefore = prefix_scan_gradient(transition, dstates, torch.view_as_complex(dstate))
        totals[0] += factor_gradient(transition, g, states, torch.view_as_complex(before))
        product_gradient(_flat(g).to(x.dtype), flat_x, into.to(x.dtype), dx, totals[1])
        if skip.ndim == 1:
            totals[3] += (flat_dy * flat_x).sum(0)
        else:
            totals[3].addmm_(flat_dy.T, wide(flat_x))
        if dx is not None:
            dx += dy * skip if skip.ndim == 1 else F.linear(dy, skip.T)
        return torch.view_as_real(dbefore)


def _driven(x: Tensor, into: Tensor) -> Tensor:
    """B x: (L, B, F), (2N, F) -> complex (L, B, N)."""
    return torch.view_as_complex(wide(F.linear(x, into.to(x.dtype))).unflatten(-1, (-1, 2)))


def _flat(states: Tensor) -> Tensor:
    """Complex (L, B, N) -> real (L * B, 2N)."""
    return torch.view_as_real(states).flatten(-2).flatten(0, 1)


def _complex(parts: Tensor) -> Tensor:
    """(..., 2) -> complex (...)."""
    return torch.view_as_complex(wide(parts).contiguous())


@RECURRENCES.register("lru")
class LRU(StateSpaceLayer):
    """Linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349).

        lambda = exp(-exp(nu) + i exp(theta))      B = exp(gamma) * B_0

    so |lambda| < 1 whatever is learned. Initially lambda is uniform on the ring r_min <= |lambda| <= r_max, its angle
    up to `max_phase`, and gamma = log sqrt(1 - |lambda|^2), which gives states driven by white noise the same size for
    every lambda. B_0 and C are normal with variance 1 / 2F and 1 / N per part, S is normal.

    Args:
        input_size, hidden_size, state_size: see `StateSpaceLayer`.
        r_min, r_max: radii of the ring, 0 <= r_min < r_max <= 1. Close to 1 memory is long: half of a state is left
            after log(2) / (1 - r) tokens.
        max_phase: the largest angle of lambda, up to 2 pi. Small ones suit slow changes, over long sequences.
    """

    state_parameters = ("nu", "theta", "gamma", "into")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        sequence_length: int = 2,
        *,
        state_size: int | None = None,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * math.pi,
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length, state_size=state_size)
        check_ring(r_min, r_max)
        number("max_phase", max_phase, 2 * math.pi)
        n = self.state_size
        squared = torch.empty(n).uniform_(r_min**2, r_max**2).clamp_(1e-8, 1 - 1e-7)
        self.nu = nn.Parameter(torch.log(-0.5 * torch.log(squared)))
        self.theta = nn.Parameter(torch.log((max_phase * torch.rand(n)).clamp_(1e-8)))
        self.gamma = nn.Parameter(0.5 * torch.log1p(-squared))
        self.into = nn.Parameter(torch.randn(n, input_size, 2) / math.sqrt(2 * input_size))
        self.out_of = nn.Parameter(torch.randn(hidden_size, n, 2) / math.sqrt(n))

    def system(self) -> tuple[Tensor, Tensor, Tensor]:
        nu, theta, gamma = (wide(v) for v in (self.nu, self.theta, self.gamma))
        transition = torch.polar(torch.exp(-torch.exp(nu)), torch.exp(theta))
        return transition, torch.exp(gamma).unsqueeze(1) * _complex(self.into), _complex(self.out_of)


@RECURRENCES.register("s5")
class S5(StateSpaceLayer):
    """Simplified structured state space (Smith et al. 2023, arXiv 2208.04933): one system for all features.

    The continuous system dh/dt = Lambda h + B_0 x, discretised by zero-order hold with time step Delta:

        lambda = exp(Lambda Delta)      B = (lambda - 1) / Lambda * B_0

    with Lambda = -exp(decay) + i frequency, so that it is stable whatever is learned, and Delta = exp(log_step), each
    of size N. Initially Lambda is that half of the eigenvalues of the normal part of the HiPPO-LegS matrix of size 2 N
    whose frequencies are positive; B_0 and C are random real matrices in the basis of its eigenvectors; Delta is
    log-uniform over `STEPS`; S is normal. Conjugates are left out, so y has twice the real part.

    Args:
        input_size, hidden_size, state_size: see `StateSpaceLayer`.
    """

    state_parameters = ("decay", "frequency", "log_step", "into")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        sequence_length: int = 2,
        *,
        state_size: int | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length, state_size=state_size)
        n = self.state_size
        values, vectors = hippo(n)
        self.decay = nn.Parameter(torch.log(-values.real).to(self.skip.dtype))
        self.frequency = nn.Parameter(values.imag.to(self.skip.dtype))
        self.log_step = nn.Parameter(torch.empty(n).uniform_(*map(math.log, STEPS)))
        basis = vectors.to(torch.complex64)  # (2N, N)
        into = torch.randn(2 * n, input_size) / math.sqrt(input_size)
        out_of = torch.randn(hidden_size, 2 * n) / math.sqrt(2 * n)
        self.into = nn.Parameter(torch.view_as_real((basis.mH @ into.to(basis.dtype)).contiguous()))
        self.out_of = nn.Parameter(torch.view_as_real(out_of.to(basis.dtype) @ basis))

    def system(self) -> tuple[Tensor, Tensor, Tensor]:
        decay, frequency, log_step = (wide(v) for v in (self.decay, self.frequency, self.log_step))
        continuous = torch.complex(-torch.exp(decay), frequency)
        transition = torch.exp(continuous * torch.exp(log_step))
        held = (transition - 1) / continuous
        return transition, held.unsqueeze(1) * _complex(self.into), 2 * _complex(self.out_of)


def hippo(n: int) -> tuple[Tensor, Tensor]:
    """n eigenvalues (n,) and eigenvectors (2n, n) of the normal part of the HiPPO-LegS matrix of size 2n.

    That part is -1/2 on the diagonal and (j > k, sign - ; j < k, sign +) sqrt(2j + 1) sqrt(2k + 1) / 2 off it
    (arXiv 2206.11893). Its eigenvalues are -1/2 +- i w; these are those with w > 0, the smallest first.
    """
    root = torch.arange(2 * n, dtype=torch.float64).mul_(2).add_(1).sqrt_()
    outer = root.outer(root) / 2
    skew = outer.triu(1) - outer.tril(-1)
    w, vectors = torch.linalg.eigh(-1j * skew)  # in ascending order
    phase = vectors[:1] / vectors[:1].abs()  # an eigenvector is unique up to its phase: make its first entry real
    return torch.complex(torch.full_like(w[n:], -0.5), w[n:]), (vectors / phase)[:, n:]
