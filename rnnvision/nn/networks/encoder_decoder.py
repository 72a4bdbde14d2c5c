"""The encoder-decoder: a recurrence reads the image, another looks back at what was read before it answers."""

from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, one_of, probability
from rnnvision.nn.glimpse import ATTENTIONS
from rnnvision.nn.layers import RECURRENCES
from rnnvision.nn.networks.sequence_classifier import SequenceNetwork
from rnnvision.nn.readout import Last
from rnnvision.nn.reconstruction import ReconstructionHead
from rnnvision.nn.recurrence import Recurrence


class EncoderDecoder(SequenceNetwork):
    """Read an image, look back at it K times, and classify it: (B, C, H, W) -> (B, num_classes) logits.

    The encoder turns T tokens into states h_1 ... h_T (B, T, D). The decoder takes K glimpses at them, each a weighted
    mean of the states (`rnnvision.nn.glimpse`), which it asks for with what it knows by then:

        y_0 = tanh(W h_last + b)              h_last: of each direction, after it has read everything
        c_k = glimpse(y_{k-1}; h_1 ... h_T)   k = 1 ... K
        y_k, s_k = cell(c_k, s_{k-1})         s_0: the cell's initial state

    and the head answers from y_K. This is the decoder of Bahdanau et al. 2015 (arXiv 1409.0473) without words: nothing
    is said between two glimpses, so the glimpse is all that the cell gets, and the summary h_last decides where the
    first one goes. Weights do not depend on K.

    Args:
        num_classes: width of the head.
        num_glimpses: K.
        attention: additive or dot, a name in `rnnvision.nn.ATTENTIONS`.
        attention_size: width in which query and states are compared; None: decoder_size.
        decoder: the decoder's cell, a name in `rnnvision.nn.RECURRENCES`; None: that of the encoder. It is initialised
            by its own defaults.
        decoder_size: width of the decoder; None: hidden_size.
        head_dropout: dropout rate before the head.
        **reading: how the encoder reads the image, see `SequenceNetwork`.

    Raises:
        ValueError: that begins with the argument and names what is legal.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        num_glimpses: int = 4,
        attention: str = "additive",
        attention_size: int | None = None,
        decoder: str | None = None,
        decoder_size: int | None = None,
        head_dropout: float = 0.0,
        **reading: Any,
    ) -> None:
        at_least("num_classes", num_classes, 1)
        at_least("num_glimpses", num_glimpses, 1)
        one_of("attention", attention, ATTENTIONS)
        if decoder is not None:
            one_of("decoder", decoder, RECURRENCES)
        for name, width in (("attention_size", attention_size), ("decoder_size", decoder_size)):
            if width is not None:
                at_least(name, width, 1)
        probability("head_dropout", head_dropout)
        super().__init__(**reading)
        self.num_glimpses = num_glimpses
        width, bidirectional = self.recurrence.output_size, self.recurrence.bidirectional
        size = self.recurrence.hidden_size if decoder_size is None else decoder_size
        self.summary = Last(width, bidirectional)
        self.start = nn.Linear(width, size)
        self.glimpse = ATTENTIONS[attention](size, width, size if attention_size is None else attention_size)
        self.decoder = Recurrence(
            input_size=width,
            recurrence=self.recurrence.name if decoder is None else decoder,
            hidden_size=size,
            sequence_length=num_glimpses,
        )
        self.head_dropout = nn.Dropout(head_dropout)
        self.head: nn.Module = nn.Linear(size, num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """What the decoder knows after the last glimpse, y_K: (B, C, H, W) -> (B, decoder_size)."""
        return self._look(x)[0][:, -1]

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of such a vector: (B, decoder_size) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_anytime(self, x: Tensor) -> Tensor:
        """What the head would say after each glimpse: (B, C, H, W) -> (B, K, num_classes); the last is `forward`.

        Time is glimpses here, not tokens: the encoder has read the whole image before the first.
        """
        return self.forward_head(self._look(x)[0])

    def attention(self, x: Tensor) -> Tensor:
        """How much each glimpse looks at each token: (B, C, H, W) -> (B, K, T), rows that sum to 1."""
        return self._look(x)[1]

    def attention_maps(self, x: Tensor) -> Tensor:
        """The same laid out on the picture, each pixel with the weight of its token: (B, C, H, W) -> (B, K, H, W)."""
        weights = self.attention(x).flatten(0, 1).unsqueeze(-1)  # (B K, T, 1)
        maps = self.scan.inverse(weights.expand(-1, -1, self.scan.token_size))[:, 0]  # (B K, H, W), alike in C
        return maps.unflatten(0, (-1, self.num_glimpses))

    def use_reconstruction_head(self) -> None:
        """Draw the picture instead of classifying it: from here on `forward` gives (B, C, H, W)."""
        self.head = ReconstructionHead(self.start.out_features, self.scan).to(self.start.weight)

    def _look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y_k (B, K, decoder_size) and the weights (B, K, T) of every glimpse."""
        states = self.states(x)  # (B, T, D)
        keys = self.glimpse.keys(states)  # (B, T, A)
        y = torch.tanh(self.start(self.summary(states)))  # (B, decoder_size)
        state = self.decoder.initial_state(len(x))
        known, looks = [], []
        for _ in range(self.num_glimpses):
            seen, weights = self.glimpse(states, keys, y)
            y, state = self.decoder.step(seen, state)
            known.append(y)
            looks.append(weights)
        return torch.stack(known, dim=1), torch.stack(looks, dim=1)
