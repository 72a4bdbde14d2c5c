"""Sequencer2D: vision-transformer blocks with LSTMs along rows and columns in place of attention (arXiv 2205.01972).

Shapes: B images, a grid of R rows and K columns, C features per cell.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rnnvision.checks import at_least, image_shape, one_of, probability, whole_numbers
from rnnvision.nn.dropout import DropPath
from rnnvision.nn.grid import Sweep, check_image, tiled
from rnnvision.nn.parts import LAYER

NORM_EPS = 1e-6


@dataclass(frozen=True)
class Variant:
    """A named size: one value per stage."""

    layers: tuple[int, ...]
    patch_sizes: tuple[int, ...]
    embed_dims: tuple[int, ...]
    hidden_sizes: tuple[int, ...]
    mlp_ratios: tuple[float, ...]


def _published(*layers: int) -> Variant:
    return Variant(layers, (7, 2, 1, 1), (192, 384, 384, 384), (48, 96, 96, 96), (3.0, 3.0, 3.0, 3.0))


# The paper's three for images of 224 x 224 (27.65, 38.31 and 54.30 million parameters with 1000 classes), and ours.
VARIANTS: dict[str, Variant] = {
    "s": _published(4, 3, 8, 3),
    "m": _published(4, 3, 14, 3),
    "l": _published(8, 8, 16, 4),
    "tiny": Variant((2, 4), (2, 2), (96, 192), (24, 48), (3.0, 3.0)),  # 28 and 32 pixels a side
    "small": Variant((3, 8), (2, 2), (128, 256), (32, 64), (3.0, 3.0)),  # the same
    "tiny_64": Variant((2, 4), (4, 2), (96, 192), (24, 48), (3.0, 3.0)),  # 64 pixels a side
}


class BiLSTM2D(nn.Module):
    """Mix the cells of a grid: (B, R, K, C) -> (B, R, K, C).

    y = W [columns(x), rows(x)] + b: a sweep along the columns and one along the rows read the same input, each in both
    directions; their four states are concatenated and mapped linearly back to C features.
    """

    def __init__(self, columns: Sweep, rows: Sweep, out_features: int) -> None:
        super().__init__()
        self.columns = columns
        self.rows = rows
        self.merge = _glorot(nn.Linear(columns.output_size + rows.output_size, out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(torch.cat((self.columns(x), self.rows(x)), dim=-1))


class Block(nn.Module):
    """x + mixer(norm(x)), then x + mlp(norm(x)), either branch dropped at random: (B, R, K, C) -> (B, R, K, C)."""

    def __init__(self, mixer: BiLSTM2D, width: int, mlp_width: int, dropout: float, drop_path: float) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.mixer = mixer
        self.mlp_norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.mlp = nn.Sequential(
            _glorot(nn.Linear(width, mlp_width)),
            nn.GELU(),
            nn.Dropout(dropout),
            _glorot(nn.Linear(mlp_width, width)),
            nn.Dropout(dropout),
        )
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.mixer(self.mixer_norm(x)))
        return x + self.drop_path(self.mlp(self.mlp_norm(x)))


class Stage(nn.Module):
    """A linear map of each p x p patch, then blocks: (B, C, H, W) -> (B, C', H / p, W / p)."""

    def __init__(self, embed: nn.Conv2d, blocks: Sequence[Block]) -> None:
        super().__init__()
        self.embed = _lecun(embed)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.embed(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Sequencer2D(nn.Module):
    """Classify an image with LSTMs along its rows and columns: (B, C, H, W) -> (B, num_classes) logits.

    Initialised as published: linear maps after Glorot & Bengio (2010), convolutions after LeCun et al. (1998), biases
    zero. Two things differ: recurrent layers have this project's initialisation (the paper's is
    `layer={weight_init: torch, gate_bias: torch}`), and the head has a standard deviation of 0.02 instead of zero, so
    that the first step reaches every weight.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        variant: a name in `VARIANTS`, which sets the five sizes below. Each that is given, one value per stage,
            overrides the variant's.
        layers: number of blocks.
        patch_sizes: side of the square of cells that is merged into one before the blocks; in the first stage, pixels.
        embed_dims: features per cell.
        hidden_sizes: state size of each of the four directions.
        mlp_ratios: width of the hidden layer of the blocks' MLP, as a multiple of `embed_dims`.
        recurrence, layer: see `rnnvision.nn.recurrence.Recurrence`.
        dropout: rate in the blocks' MLP.
        drop_path: rate at which the last block's branches are dropped; it rises linearly over the blocks of all stages,
            from 0 at the first one, as the authors have it (github.com/okojoalg/sequencer).
        head_dropout: dropout rate before the head.

    Raises:
        ValueError: for an invalid argument, or an image size that the patches do not tile; the message begins with the
            argument and states what is legal.
    """

    no_stream = "a Sequencer2D reads rows and columns in both directions"

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        variant: str = "s",
        layers: Sequence[int] | None = None,
        patch_sizes: Sequence[int] | None = None,
        embed_dims: Sequence[int] | None = None,
        hidden_sizes: Sequence[int] | None = None,
        mlp_ratios: Sequence[float] | None = None,
        recurrence: str = "lstm",
        layer: Mapping[str, Any] | None = None,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        head_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        image_shape("input_shape", input_shape)
        at_least("num_classes", num_classes, 1)
        for name, rate in (("dropout", dropout), ("drop_path", drop_path), ("head_dropout", head_dropout)):
            probability(name, rate)
        self.sizes = _sizes(
            variant,
            layers=layers,
            patch_sizes=patch_sizes,
            embed_dims=embed_dims,
            hidden_sizes=hidden_sizes,
            mlp_ratios=mlp_ratios,
        )
        self.input_shape = width, *sides = tuple(input_shape)
        grids = _grids(variant, patch_sizes, *sides)
        sweep = partial(Sweep, recurrence=recurrence, layer=layer)

        depth = sum(self.sizes.layers)
        rates = iter([drop_path * i / (depth - 1) for i in range(depth)] if depth > 1 else [drop_path])

        def block(stage: int) -> Block:
            (rows, columns), features = grids[stage], self.sizes.embed_dims[stage]
            one_way = self.sizes.hidden_sizes[stage]
            mixer = BiLSTM2D(
                sweep(features, vertical=True, hidden_size=one_way, sequence_length=rows),
                sweep(features, vertical=False, hidden_size=one_way, sequence_length=columns),
                features,
            )
            return Block(mixer, features, int(self.sizes.mlp_ratios[stage] * features), dropout, next(rates))

        self.stages = nn.Sequential()
        for stage, (blocks, side) in enumerate(zip(self.sizes.layers, self.sizes.patch_sizes, strict=True)):
            embed = nn.Conv2d(width, self.sizes.embed_dims[stage], kernel_size=side, stride=side)
            self.stages.append(Stage(embed, [block(stage) for _ in range(blocks)]))
            width = self.sizes.embed_dims[stage]
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.head_dropout = nn.Dropout(head_dropout)
        self.head = nn.Linear(width, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def parts(self) -> dict[str, list[str]]:
        """Its blocks, counted over the stages; the map that begins a stage goes with the first one."""
        blocks = [(stage, i) for stage, number in enumerate(self.sizes.layers) for i in range(number)]
        return {
            LAYER.format(depth): [f"stages.{stage}.blocks.{i}", *([] if i else [f"stages.{stage}.embed"])]
            for depth, (stage, i) in enumerate(blocks)
        }

    def forward_features(self, x: Tensor) -> Tensor:
        """The mean over all cells after the last stage, normalised: (B, C, H, W) -> (B, D)."""
        check_image(x, self.input_shape)
        return self.norm(self.stages(x).permute(0, 2, 3, 1)).mean(dim=(1, 2))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, D) -> (B, num_classes)."""
        return self.head(self.head_dropout(features))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))


def _glorot(layer: nn.Linear) -> nn.Linear:
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _lecun(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _sizes(variant: str, **given: Sequence[Any] | None) -> Variant:
    """The sizes of a variant, overridden by those that are given."""
    one_of("variant", variant, VARIANTS)
    named = asdict(VARIANTS[variant])
    chosen = {name: values for name, values in given.items() if values is not None}
    for name, values in chosen.items():
        if name == "mlp_ratios":
            _check_ratios(values)
        else:
            whole_numbers(name, values)
    sizes = {**named, **{name: tuple(values) for name, values in chosen.items()}}
    stages = [len(values) for values in sizes.values()]
    usual = max(stages, key=stages.count)
    for name, values in sizes.items():
        if len(values) != usual:
            raise ValueError(
                f"{name}={list(values)}: has {len(values)} stages, the others {usual}; "
                f"give {', '.join(sizes)} one value a stage"
            )
    return Variant(**sizes)


def _grids(variant: str, patch_sizes: Sequence[int] | None, height: int, width: int) -> list[tuple[int, int]]:
    """The (rows, columns) of each stage."""
    if patch_sizes is not None:
        return tiled(f"patch_sizes={patch_sizes}", patch_sizes, height, width)
    try:
        return tiled(f"variant={variant}", VARIANTS[variant].patch_sizes, height, width)
    except ValueError as error:
        strides = {name: math.prod(other.patch_sizes) for name, other in VARIANTS.items()}
        fits = ", ".join(name for name, stride in strides.items() if height % stride == width % stride == 0)
        raise ValueError(f"{error}; variants that do: {fits or 'none, give patch_sizes'}") from None


def _check_ratios(values: object) -> None:
    ratios = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    if not ratios or any(
        isinstance(r, bool) or not isinstance(r, (int, float)) or not 1 <= r < math.inf for r in ratios
    ):
        raise ValueError(f"mlp_ratios={values}: must be a list of numbers of at least 1")
