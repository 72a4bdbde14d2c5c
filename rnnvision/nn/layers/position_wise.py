"""The control for every recurrence: a layer of the same size that sees one token at a time."""

from torch import Tensor, nn

from rnnvision.nn.layers.layer import RECURRENCES, RecurrentLayer, State


@RECURRENCES.register("none")
class PositionWise(RecurrentLayer):
    """No recurrence: y_t = V gelu(W x_t + b) + c, the same map at every time step, with no access to the others.

    W is 4 D x F and V is D x 4 D, as in the feed-forward part of a Transformer, so it has as many weights as an LSTM of
    the same size, 4 D (F + D). Weights and biases have torch's initialisation. The state is empty: ().

    The network then knows nothing of the order of the tokens, and of the image only what the readout pools over time:
    with `mean`, `max` or `attention` all tokens, with `last` one.
    """

    num_states = 0

    def __init__(self, input_size: int, hidden_size: int, sequence_length: int = 2) -> None:
        super().__init__(input_size, hidden_size, sequence_length)
        self.inner = nn.Linear(input_size, 4 * hidden_size)
        self.outer = nn.Linear(4 * hidden_size, hidden_size)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        return self.outer(nn.functional.gelu(self.inner(x))), ()
