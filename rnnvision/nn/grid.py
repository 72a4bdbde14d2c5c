"""Recurrences over a grid of cells, which is read column by column and row by row instead of as one long sequence.

Shapes: B images, a grid of R rows and K columns, F input and D = 2 x hidden_size output features per cell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import whole_numbers
from rnnvision.nn.recurrence import Recurrence


class Sweep(nn.Module):
    """Read every line of a grid in both directions, each line independently: (B, R, K, F) -> (B, R, K, D).

    The output at a cell is the state of the direction that goes down (or right) after it has read the line up to there,
    followed by that of the direction that goes up (or left).

    Args:
        input_size: F.
        vertical: whether the lines are the columns of the grid; else they are its rows.
        hidden_size: features of one direction's state.
        recurrence, sequence_length, layer: see `rnnvision.nn.recurrence.Recurrence`.
    """

    def __init__(
        self,
        input_size: int,
        *,
        vertical: bool,
        hidden_size: int,
        recurrence: str,
        sequence_length: int,
        layer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.vertical = vertical
        self.recurrence = Recurrence(
            input_size=input_size,
            recurrence=recurrence,
            hidden_size=hidden_size,
            bidirectional=True,
            sequence_length=sequence_length,
            layer=layer,
        )
        self.output_size = self.recurrence.output_size

    def forward(self, grid: Tensor) -> Tensor:
        lines = grid.transpose(1, 2) if self.vertical else grid  # (B, lines, T, F)
        states, _ = self.recurrence(lines.flatten(0, 1))
        states = states.unflatten(0, lines.shape[:2])
        return states.transpose(1, 2) if self.vertical else states


def tiled(argument: str, patch_sizes: Sequence[int], height: int, width: int) -> list[tuple[int, int]]:
    """The (rows, columns) after each stage, which merges each square patch of its input into one cell.

    `argument` is the argument that the patches come from, as `name=value`, for the message.

    Raises:
        ValueError: for patches that do not tile their input; the message names the sides that do, and the nearest.
    """
    whole_numbers("patch_sizes", patch_sizes)
    grids: list[tuple[int, int]] = []
    for side in patch_sizes:
        if height % side or width % side:
            legal = [d for d in range(1, min(height, width) + 1) if height % d == 0 and width % d == 0]
            near = min(legal, key=lambda d: abs(d - side))
            raise ValueError(
                f"{argument}: patches of {side} x {side} do not tile {'a grid' if grids else 'an image'} of {height} x "
                f"{width}; sides that do: {', '.join(map(str, legal))}; the nearest is {near}"
            )
        height, width = height // side, width // side
        grids.append((height, width))
    return grids


def check_image(image: Tensor, input_shape: Sequence[int]) -> None:
    """Check that the images have the shape (C, H, W) that a network was built for."""
    if image.shape[1:] != torch.Size(input_shape):
        raise ValueError(
            f"image of shape {tuple(image.shape)}: this network reads (B, {', '.join(map(str, input_shape))})"
        )
