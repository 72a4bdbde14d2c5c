"""Encoder-decoders: a recurrence reads the image, a second one takes glimpses at its states before the head answers."""

from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import DEEPEST, at_least, one_of, probability
from rnnvision.nn.glimpse import ATTENTIONS
from rnnvision.nn.layers import RECURRENCES
from rnnvision.nn.networks.sequence_classifier import SequenceNetwork
from rnnvision.nn.readout import Last
from rnnvision.nn.reconstruction import ReconstructionHead
from rnnvision.nn.recurrence import Recurrence


class EncoderDecoder(SequenceNetwork):
    """Read an image, look back at it K times, and classify it: (B, C, H, W) -> (B, num_classes) logits.

    The encoder turns T tokens into states h_1 ... h_T (B, T, D). The decoder takes K glimpses at them, each a mean of
    the states weighted by attention (`rnnvision.nn.glimpse`), with its previous output as the query:

        y_0 = tanh(W h_last + b)              h_last: the final state of each direction
        c_k = glimpse(y_{k-1}; h_1 ... h_T)   k = 1 ... K
        y_k, s_k = cell(c_k, s_{k-1})         s_0: the cell's initial state

    and the head classifies y_K. This is the decoder of Bahdanau et al. 2015 (arXiv 1409.0473) without words: nothing is
    output between two glimpses, so the glimpse is the cell's only input, and the summary h_last is the first query. The
    weights do not depend on K.

    Args:
        num_classes: width of the head.
        num_glimpses: K.
        attention: additive or dot, a name in `rnnvision.nn.ATTENTIONS`.
        attention_size: width in which query and states are compared; None: decoder_size.
        decoder: the decoder's cell, a name in `rnnvision.nn.RECURRENCES`; None: that of the encoder. It has its own
            default options.
        decoder_size: width of the decoder; None: hidden_size.
        head_dropout: dropout rate before the head.
        **reading: how the encoder reads the image, see `SequenceNetwork`.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.

    Examples:
        >>> network = EncoderDecoder(
        ...     input_shape=(1, 28, 28), num_classes=10, scan="patches", patch_size=4, hidden_size=16, num_glimpses=3
        ... )
        >>> images = torch.zeros(2, 1, 28, 28)
        >>> network.forward_anytime(images).shape, network.attention(images).shape
        (torch.Size([2, 3, 10]), torch.Size([2, 3, 49]))
    """

    no_stream = "an encoder-decoder takes its first glimpse when the whole image is read"

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
        at_least("num_glimpses", num_glimpses, 1, DEEPEST)
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

    def parts(self) -> dict[str, list[str]]:
        """Those of a network that reads one sequence, and the encoder, which is what reads it."""
        return {"encoder": ["embed", "recurrence"], **super().parts()}

    def forward_features(self, x: Tensor) -> Tensor:
        """The decoder's output after the last glimpse, y_K: (B, C, H, W) -> (B, decoder_size)."""
        return self._look(x)[0][:, -1]

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, decoder_size) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_anytime(self, x: Tensor) -> Tensor:
        """Logits after each glimpse: (B, C, H, W) -> (B, K, num_classes); the last are those of `forward`.

        Time counts glimpses here, not tokens: the encoder has read the whole image before the first.
        """
        return self.forward_head(self._look(x)[0])

    is_causal = True  # of two answers the later one alone knows the later glimpse

    def forward_with_anytime(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Of one pass, what `forward` and `forward_anytime` give: (B, num_classes) and (B, K, num_classes) logits."""
        looks = self._look(x)[0]
        return self.forward_head(looks[:, -1]), self.forward_head(looks)

    def attention(self, x: Tensor) -> Tensor:
        """The attention weight of each token in each glimpse: (B, C, H, W) -> (B, K, T), rows that sum to 1."""
        return self._look(x)[1]

    def attention_maps(self, x: Tensor) -> Tensor:
        """The attention weights on the image, each pixel with that of its token: (B, C, H, W) -> (B, K, H, W)."""
        weights = self.attention(x).flatten(0, 1).unsqueeze(-1)  # (B K, T, 1)
        maps = self.scan.inverse(weights.expand(-1, -1, self.scan.token_size))[:, 0]  # (B K, H, W), alike in C
        return maps.unflatten(0, (-1, self.num_glimpses))

    def use_reconstruction_head(self) -> None:
        """Reconstruct the image instead of classifying it: from then on `forward` returns (B, C, H, W)."""
        self.head = ReconstructionHead(self.start.out_features, self.scan).to(self.start.weight)

    def _look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y_k (B, K, decoder_size) and the weights (B, K, T) of every glimpse."""
        states = self.states(x)  # (B, T, D)
        keys = self.glimpse.keys(states)  # (B, T, A)
        y = torch.tanh(self.start(self.summary(states)))  # (B, decoder_size)
        state = self.decoder.initial_state(x.shape[0])
        known, looks = [], []
        for _ in range(self.num_glimpses):
            seen, weights = self.glimpse(states, keys, y)
            y, state = self.decoder.step(seen, state)
            known.append(y)
            looks.append(weights)
        return torch.stack(known, dim=1), torch.stack(looks, dim=1)
