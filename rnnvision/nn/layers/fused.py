"""RNN, LSTM and GRU on torch's fused kernels (oneDNN on the CPU, cuDNN on CUDA), and their initialisations.

Notation: x_t token, h_t output state, W input weights, U recurrent weights, b biases, s the logistic function, * the
elementwise product. torch keeps two biases per gate (b_ih and b_hh); where only their sum matters it is written b.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from rnnvision.checks import one_of
from rnnvision.nn.layers.initialisation import GATE_BIASES, keep_bias, orthogonal_gates
from rnnvision.nn.layers.layer import RECURRENCES, RecurrentLayer, State

WEIGHT_INITS = ("torch", "orthogonal")


class FusedLayer(RecurrentLayer):
    """A single-layer, unidirectional torch kernel under the contract of `RecurrentLayer`.

    `weight_init`:
        torch       everything uniform in +-1/sqrt(hidden_size), torch's default.
        orthogonal  recurrent weights orthogonal, gate by gate (Saxe et al. 2014, arXiv 1312.6120), input weights
                    uniform after Glorot & Bengio (2010), biases zero.
    """

    kernel_class: ClassVar[Callable[..., nn.RNNBase]]
    num_gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, sequence_length: int = 2, *, weight_init: str = "orthogonal"
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        one_of("weight_init", weight_init, WEIGHT_INITS)
        self.kernel = self.kernel_class(input_size, hidden_size, batch_first=True)
        if weight_init == "orthogonal":
            self._orthogonal()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        states, last = self.kernel(x, None if state is None else self._to_kernel(state))
        return states, tuple(s.squeeze(0) for s in (last if isinstance(last, tuple) else (last,)))

    def gate(self, parameter: str, index: int) -> Tensor:
        """The rows of one gate in a parameter of the kernel (`weight_ih`, `weight_hh`, `bias_ih`, `bias_hh`)."""
        rows = getattr(self.kernel, f"{parameter}_l0")
        return rows[index * self.hidden_size : (index + 1) * self.hidden_size]

    def _to_kernel(self, state: State) -> Tensor | State:
        layers = tuple(s.unsqueeze(0).contiguous() for s in state)  # torch's kernels want (layers, B, D)
        return layers if len(layers) > 1 else layers[0]

    @torch.no_grad()
    def _orthogonal(self) -> None:
        weight_ih, weight_hh, bias_ih, bias_hh = self.kernel.parameters()
        orthogonal_gates(weight_ih, weight_hh)
        nn.init.zeros_(bias_ih)
        nn.init.zeros_(bias_hh)


@RECURRENCES.register("rnn")
class RNN(FusedLayer):
    """Elman network (Cognitive Science 14, 1990): h_t = tanh(W x_t + U h_{t-1} + b). State: (h,)."""

    kernel_class = nn.RNN
    num_gates = 1


class GatedLayer(FusedLayer):
    """A fused layer with gates, whose biases determine how long it remembers initially.

    `gate_bias`:
        torch   as set by `weight_init`.
        forget  bias 1 on the gate that keeps the old state (Gers et al. 2000; Jozefowicz et al. 2015), so that the
                network starts by remembering.
        chrono  bias log(u) on that gate, u uniform in [1, T - 1], so that memory spans time scales up to the length T
                of the sequence (Tallec & Ollivier 2018, arXiv 1804.11188).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        sequence_length: int = 2,
        *,
        weight_init: str = "orthogonal",
        gate_bias: str = "forget",
    ) -> None:
        super().__init__(input_size, hidden_size, sequence_length, weight_init=weight_init)
        one_of("gate_bias", gate_bias, GATE_BIASES)
        bias = keep_bias(gate_bias, hidden_size, sequence_length)
        if bias is not None:
            self._set_keep_bias(bias, tie_input=gate_bias == "chrono")

    @abstractmethod
    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        """Set the bias of the gate that keeps the state; with `tie_input` the input gate gets its negative."""

    @torch.no_grad()
    def _set_bias(self, gate: int, bias: Tensor) -> None:
        self.gate("bias_ih", gate).copy_(bias)
        self.gate("bias_hh", gate).zero_()


@RECURRENCES.register("lstm")
class LSTM(GatedLayer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    Gates in torch's order i, f, g, o:

        i_t = s(W_i x_t + U_i h_{t-1} + b_i)      f_t = s(W_f x_t + U_f h_{t-1} + b_f)
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g)   o_t = s(W_o x_t + U_o h_{t-1} + b_o)
        c_t = f_t * c_{t-1} + i_t * g_t           h_t = o_t * tanh(c_t)

    State: (h, c), each (B, D).

    Examples:
        >>> layer = LSTM(input_size=28, hidden_size=16)
        >>> tokens = torch.randn(2, 5, 28)  # (B, T, F)
        >>> states, (h, c) = layer(tokens)
        >>> states.shape, h.shape, c.shape
        (torch.Size([2, 5, 16]), torch.Size([2, 16]), torch.Size([2, 16]))
        >>> y_1, state = layer.step(tokens[:, 0], layer.initial_state(2))
        >>> torch.allclose(y_1, states[:, 0], atol=1e-6)
        True
    """

    kernel_class = nn.LSTM
    num_gates = 4
    num_states = 2

    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        self._set_bias(1, bias)
        if tie_input:
            self._set_bias(0, -bias)


@RECURRENCES.register("gru")
class GRU(GatedLayer):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078), the reset gate applied after the product, as in cuDNN.

    Gates in torch's order r, z, n:

        r_t = s(W_r x_t + U_r h_{t-1} + b_r)      z_t = s(W_z x_t + U_z h_{t-1} + b_z)
        n_t = tanh(W_n x_t + b_in + r_t * (U_n h_{t-1} + b_hn))
        h_t = (1 - z_t) * n_t + z_t * h_{t-1}

    z keeps the old state and 1 - z admits the new one, so one bias sets both. State: (h,).
    """

    kernel_class = nn.GRU
    num_gates = 3

    def _set_keep_bias(self, bias: Tensor, *, tie_input: bool) -> None:
        self._set_bias(1, bias)
