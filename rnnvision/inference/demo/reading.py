"""One picture, opened, read and answered, for the page."""

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.data import DataError
from rnnvision.data.images.decoding import decode_seen
from rnnvision.inference.demo.facts import mode_of
from rnnvision.inference.predict import invert, is_inverted, without_advice
from rnnvision.inference.viewing import check_is_for_pictures

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

NAME = "this file"  # in messages: a browser tells no path


@dataclass(frozen=True)
class Reading:
    """What the network saw, and what it believed on the way.

    Attributes:
        seen: uint8 (C, H, W).
        inverted: whether light and dark were exchanged.
        probabilities: (T, K) after each token or glimpse; T = 1 for a network that answers at the end.
        attention: (T, H, W) of each glimpse, if it takes any.
    """

    seen: Tensor
    inverted: bool
    probabilities: Tensor
    attention: Tensor | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; of arrays the bytes, little-endian, in base64."""
        return {
            "seen": _encoded(self.seen),
            "inverted": self.inverted,
            "probabilities": _encoded(self.probabilities),
            "attention": None if self.attention is None else _encoded(self.attention),
        }


def open_picture(content: bytes, classifier: "Classifier") -> Tensor:
    """The content of a picture file as the network sees it: uint8 (C, H, W); of an animation its first frame.

    Raises:
        DataError: for what cannot be read, one line for the page.
        UsageError: if the network reads other channels than those of pictures.
    """
    check_is_for_pictures(classifier.view)
    try:
        return decode_seen(BytesIO(content), NAME, classifier.view)
    except DataError as error:
        raise DataError(without_advice(error)) from error


def read(pixels: Tensor, classifier: "Classifier", choice: bool | str = False) -> Reading:
    """Read one image, uint8 (C, H, W); `choice`: whether to exchange light and dark, or "auto"."""
    batch = pixels.unsqueeze(0)
    inverted = is_inverted(batch, choice, classifier)
    batch = invert(batch, inverted)
    mode, _ = mode_of(classifier.network)
    known = classifier.probabilities(batch) if mode == "end" else classifier.anytime(batch)[0]  # (T, K)
    attention = _attention(batch, classifier) if mode == "glimpses" else None
    return Reading(batch[0], bool(inverted[0]), known, attention)


@torch.inference_mode()
def _attention(batch: Tensor, classifier: "Classifier") -> Tensor:
    maps: Tensor = classifier.network.attention_maps(classifier.preprocess(batch))[0]
    return maps.float().cpu()


def _encoded(array: Tensor) -> str:
    return base64.b64encode(array.contiguous().numpy().astype(array.numpy().dtype.newbyteorder("<")).tobytes()).decode()
