"""ReNet: recurrent sweeps over a grid in place of convolutions (arXiv 1505.00393)."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from rnnvision.checks import at_least, image_shape, one_of, probability
from rnnvision.nn.grid import Sweep, check_image, tiled
from rnnvision.nn.parts import LAYER
from rnnvision.nn.readout import READOUTS

FLATTEN = "flatten"  # the paper's readout, which unlike those in READOUTS fixes the image size


class ReNetLayer(nn.Module):
    """Patches -> every column down and up -> every row from left and right: (B, R, K, F) -> (B, R / p, K / p, D).

    The rows read the concatenated states of both column directions, so each cell depends on the whole grid.

    Args:
        patch_size: p, the side of the square of cells that is merged into one.
        columns: reads the patches, p * p * F features each.
        rows: reads the states of `columns`.
        dropout: rate, of the states of `rows`.
    """

    def __init__(self, patch_size: int, columns: Sweep, rows: Sweep, dropout: float = 0.0) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.columns = columns
        self.rows = rows
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        p = self.patch_size
        patches = x.unflatten(2, (-1, p)).unflatten(1, (-1, p))  # (B, R / p, p, K / p, p, F)
        return self.dropout(self.rows(self.columns(patches.transpose(2, 3).flatten(3))))


class ReNet(nn.Module):
    """Classify an image with sweeps over its patches: (B, C, H, W) -> (B, num_classes) logits.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        patch_sizes: one per layer: the side of the square of cells of the layer below that is merged into one; in the
            first layer, pixels. 1 keeps the grid.
        recurrence, hidden_size, layer: of each of the four directions of each layer, see
            `rnnvision.nn.recurrence.Recurrence`. The paper uses gru.
        dropout: rate after each layer.
        readout: `flatten`, the states of all cells concatenated (the paper's), or a name in `rnnvision.nn.READOUTS`,
            which reads the cells of the last layer as one sequence, row by row. Only with `flatten` do the weights
            depend on the image size.
        head_size: width of a fully connected layer with ReLU before the head (as in the paper); None leaves it out.
        head_dropout: dropout rate before the head.

    Raises:
        ValueError: for an invalid argument, or an image size that the patches do not tile; the message begins with the
            argument and states what is legal.
    """

    no_stream = "a ReNet sweeps over the whole image in four directions"

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        patch_sizes: Sequence[int] = (2, 2),
        recurrence: str = "gru",
        hidden_size: int = 64,
        layer: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        readout: str = FLATTEN,
        head_size: int | None = None,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        image_shape("input_shape", input_shape)
        at_least("num_classes", num_classes, 1)
        probability("dropout", dropout)
        one_of("readout", readout, [FLATTEN, *READOUTS])
        if head_size is not None:
            at_least("head_size", head_size, 1)
        probability("head_dropout", head_dropout)
        self.input_shape = width, *sides = tuple(input_shape)
        grids = tiled(f"patch_sizes={patch_sizes}", patch_sizes, *sides)
        sweep = partial(Sweep, recurrence=recurrence, hidden_size=hidden_size, layer=layer)
        self.layers = nn.ModuleList()
        for patch_size, (rows, columns) in zip(patch_sizes, grids, strict=True):
            down = sweep(width * patch_size**2, vertical=True, sequence_length=rows)
            across = sweep(down.output_size, vertical=False, sequence_length=columns)
            self.layers.append(ReNetLayer(patch_size, down, across, dropout))
            width = across.output_size
        self.readout: nn.Module = nn.Flatten()
        if readout == FLATTEN:
            width *= math.prod(grids[-1])
        else:
            self.readout = READOUTS[readout](width, bidirectional=True)
            width = self.readout.out_features
        self.hidden = nn.Identity() if head_size is None else nn.Sequential(nn.Linear(width, head_size), nn.ReLU())
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(width if head_size is None else head_size, num_classes)

    def parts(self) -> dict[str, list[str]]:
        """The parts that are no module of their own, see `rnnvision.nn.parts`."""
        return {LAYER.format(i): [f"layers.{i}"] for i in range(len(self.layers))}

    def forward_grid(self, x: Tensor) -> Tensor:
        """The states of the last layer's cells: (B, C, H, W) -> (B, R, K, D)."""
        check_image(x, self.input_shape)
        x = x.permute(0, 2, 3, 1)
        for layer in self.layers:
            x = layer(x)
        return x

    def forward_features(self, x: Tensor) -> Tensor:
        """The vector that the head classifies: (B, C, H, W) -> (B, D)."""
        return self.hidden(self.readout(self.forward_grid(x).flatten(1, 2)))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, D) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))
