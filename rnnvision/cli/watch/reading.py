"""Reading: one image as a network reads it, token by token, ready to be drawn.

Shapes: C channels, H x W pixels, T tokens, K classes.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.checks import one_line
from rnnvision.inference.predictions import as_labels, ranked

if TYPE_CHECKING:
    from rnnvision.inference import Classifier

UNREAD = (52, 58, 74)  # a colour that neither the background of digits nor the margin of a photograph has
FRAMES_PER_SECOND = 20


@dataclass(frozen=True)
class Reading:
    """What has been read after each token, and what the network believes then.

    Attributes:
        pixels: the image, uint8 (C, H, W).
        when: after which token, from 1, each pixel has been read; 0: never, the margin (H, W).
        beliefs: probabilities after each token (T, K).
        class_names: in the order of the beliefs, each on one line.
        unit: what a token is: row, column, pixel, patch, glimpse ...
        note: what a viewer should know of a network that does not read each token once; may be empty.
    """

    pixels: Tensor
    when: Tensor
    beliefs: Tensor
    class_names: tuple[str, ...]
    unit: str
    note: str = ""

    @property
    def num_tokens(self) -> int:
        return len(self.beliefs)

    @cached_property
    def answers(self) -> list[int]:
        """The likeliest class after each token."""
        return self.beliefs.argmax(dim=1).tolist()

    @cached_property
    def settled(self) -> int:
        """The number of tokens after which the answer stayed what it is at the end."""
        from rnnvision.nn.anytime import tokens_until_settled

        return int(tokens_until_settled(self.beliefs.argmax(dim=1)))

    def picture(self, t: int) -> Tensor:
        """The image as far as it has been read after t tokens: uint8 (3, H, W)."""
        image = self.pixels.expand(3, -1, -1)
        read = (self.when > 0) & (self.when <= t)
        return torch.where(read, image, torch.tensor(UNREAD, dtype=torch.uint8)[:, None, None])

    def bars(self, most: int) -> list[int]:
        """The classes that are worth a bar, those that were likeliest at some time, in their own order."""
        peaks = self.beliefs.amax(dim=0) + self.beliefs[-1]  # the end counts twice
        return sorted(peaks.topk(min(most, len(self.class_names))).indices.tolist())

    def ranked(self, t: int, top_k: int) -> list[dict[str, Any]]:
        """The likeliest classes after t tokens, best first."""
        return as_labels(ranked(self.beliefs[t - 1 : t], self.class_names, top_k)[0])

    def place(self, t: int) -> str:
        width = len(str(self.num_tokens))
        return f"{self.unit} {t:{width}} of {self.num_tokens}"

    def since(self) -> str:
        """From where on the answer stayed what it is at the end."""
        return f"settled from {self.unit} {self.settled} on"

    def verdict(self) -> str:
        """The answer at the end, and from where on it was that."""
        return f"{labels_line(self.ranked(self.num_tokens, 1))}, {self.since()}"


def labels_line(ranked: list[dict[str, Any]]) -> str:
    """Ranked classes on one line.

    Examples:
        >>> labels_line([{"label": "cat", "score": 0.91}, {"label": "dog", "score": 0.09}])
        'cat 0.91   dog 0.09'
    """
    return "   ".join(f"{one_line(answer['label'])} {answer['score']:.2f}" for answer in ranked)


def frames(num_tokens: int, seconds: float) -> list[int]:
    """The tokens after which there is a frame: all, or as many as can be seen in the time; the last always.

    Examples:
        >>> frames(4, 1.0), frames(784, 0.2)
        ([1, 2, 3, 4], [196, 392, 588, 784])
    """
    count = max(1, min(num_tokens, round(seconds * FRAMES_PER_SECOND)))
    return [round((i + 1) * num_tokens / count) for i in range(count)]


def reading_of(classifier: "Classifier", pixels: Tensor) -> Reading:
    """The reading of one image, uint8 (1, C, H, W), by a network that answers after each token."""
    beliefs = classifier.anytime(pixels)[0]
    network, image = classifier.network, pixels[0]
    unit, note = "token", ""
    when = torch.ones(image.shape[1:])
    if hasattr(network, "num_glimpses"):
        unit, note = "glimpse", "the network has read the whole image before its first glimpse"
    elif hasattr(network, "scan"):
        scan = network.scan
        count = torch.arange(1.0, scan.num_tokens + 1, device=classifier.device).reshape(1, -1, 1)  # (1, T, 1)
        when = scan.inverse(count.expand(-1, -1, scan.token_size))[0, 0].cpu()
        unit = _unit(scan.token_shape, scan.grid)
    if getattr(getattr(network, "recurrence", None), "bidirectional", False) and unit != "glimpse":
        note = f"the network reads in both directions: for each {unit} it has read the part up to there anew"
    return Reading(image, when, beliefs, tuple(map(one_line, classifier.class_names)), unit, note)


def _unit(token_shape: tuple[int, int], grid: tuple[int, int]) -> str:
    """What a token of this shape is called."""
    if grid[1] == 1:
        return "row" if token_shape[0] == 1 else f"{token_shape[0]} rows"
    if grid[0] == 1:
        return "column" if token_shape[1] == 1 else f"{token_shape[1]} columns"
    return "pixel" if token_shape == (1, 1) else "patch"
