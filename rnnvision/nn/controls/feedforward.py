"""Controls: networks without a recurrence, to measure what reading an image as a sequence is worth.

Shapes: B images, C channels, H x W pixels, D features.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from rnnvision.checks import DEEPEST, at_least, image_shape, probability
from rnnvision.nn.parts import LAYER


class Control(nn.Module, ABC):
    """Features of the whole image, and a linear head: (B, C, H, W) -> (B, num_classes) logits."""

    no_stream = "a control reads no sequence"

    def __init__(
        self, input_shape: Sequence[int], num_classes: int, num_features: int, head_dropout: float = 0.0
    ) -> None:
        super().__init__()
        image_shape("input_shape", input_shape)
        at_least("num_classes", num_classes, 1)
        probability("head_dropout", head_dropout)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(num_features, num_classes)

    @abstractmethod
    def forward_features(self, x: Tensor) -> Tensor:
        """The vector that the head classifies: (B, C, H, W) -> (B, D)."""

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, D) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def num_values(input_shape: Sequence[int]) -> int:
    """C * H * W, checked.

    Raises:
        ValueError: if it is not an image shape.
    """
    image_shape("input_shape", input_shape)
    return math.prod(input_shape)


class Logistic(Control):
    """Multinomial logistic regression on the pixels, trained like every network.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(self, *, input_shape: Sequence[int], num_classes: int) -> None:
        super().__init__(input_shape, num_classes, num_values(input_shape))

    def forward_features(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class MLP(Control):
    """Fully connected layers with ReLU on the pixels.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        hidden_size: width of a hidden layer.
        num_layers: number of hidden layers.
        dropout: rate after each hidden layer.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        hidden_size: int = 256,
        num_layers: int = 2,
        dropout: float = 0.0,
    ) -> None:
        at_least("hidden_size", hidden_size, 1)
        at_least("num_layers", num_layers, 1, DEEPEST)
        probability("dropout", dropout)
        super().__init__(input_shape, num_classes, hidden_size)
        sizes = [num_values(input_shape)] + [hidden_size] * num_layers
        layers = [
            nn.Sequential(nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)) for before, after in pairwise(sizes)
        ]
        self.layers = nn.Sequential(*layers)

    def parts(self) -> dict[str, list[str]]:
        """The parts that are no module of their own, see `rnnvision.nn.parts`."""
        return {LAYER.format(i): [f"layers.{i}"] for i in range(len(self.layers))}

    def forward_features(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))


class CNN(Control):
    """A small convolutional network after VGG (arXiv 1409.1556), with batch normalisation and global average pooling.

    A stage is two 3 x 3 convolutions, each with batch normalisation and ReLU, twice as wide as the stage before;
    between stages 2 x 2 max pooling. Images may have any size.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        channels: width of the first stage.
        num_stages: number of stages.
        head_dropout: dropout rate before the head.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal.
    """

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        channels: int = 32,
        num_stages: int = 3,
        head_dropout: float = 0.0,
    ) -> None:
        at_least("channels", channels, 1)
        at_least("num_stages", num_stages, 1, DEEPEST)
        widths = [channels * 2**stage for stage in range(num_stages)]
        super().__init__(input_shape, num_classes, widths[-1], head_dropout)
        layers: list[nn.Module] = []
        before = input_shape[0]
        for width in widths:
            if layers:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [*_convolution(before, width), *_convolution(width, width)]
            before = width
        self.layers = nn.Sequential(*layers)

    def parts(self) -> dict[str, list[str]]:
        """Its convolutions, each with the normalisation after it."""
        places = [i for i, layer in enumerate(self.layers) if isinstance(layer, nn.Conv2d)]
        return {LAYER.format(depth): [f"layers.{i}", f"layers.{i + 1}"] for depth, i in enumerate(places)}

    def forward_features(self, x: Tensor) -> Tensor:
        return self.layers(x).mean(dim=(2, 3))


def _convolution(before: int, after: int) -> list[nn.Module]:
    # The normalisation has a bias of its own.
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


CONTROLS: dict[str, type[nn.Module]] = {"logistic": Logistic, "mlp": MLP, "cnn": CNN}
