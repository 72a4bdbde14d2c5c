"""Vision-LSTM (Alkin et al. 2024, "Vision-LSTM: xLSTM as Generic Vision Backbone", arXiv 2406.04303).

Shapes: B images, T patches on a grid of R x K, E features of a token, I = expansion * E features inside a block.

This follows the second version of the paper, that of its published results: biases everywhere, a convolution over the
grid before queries and keys, the first and the last token concatenated before the head.
"""

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from rnnvision.checks import DEEPEST, at_least, one_of, probability
from rnnvision.nn.dropout import DropPath
from rnnvision.nn.layers.mlstm import MatrixMemory
from rnnvision.nn.parts import LAYER
from rnnvision.nn.readout import READOUTS
from rnnvision.nn.scan import Scan

CHUNK_SIZE = 64  # tokens
PRODUCT_SIZE = 16  # features


class VisionLSTM(nn.Module):
    """Classify an image with mLSTM blocks over its patches: (B, C, H, W) -> (B, num_classes) logits.

    Patches in raster order are mapped to tokens, a learned position embedding is added, and `num_layers` blocks read
    them, every other one from the bottom right corner to the top left one; then layer normalisation, the readout, layer
    normalisation again (which the published weights have) and the head. It has no `forward_anytime`: after the second
    block each token depends on all others, so no output depends only on the tokens read so far.

    Args:
        input_shape: (C, H, W) of the images.
        num_classes: width of the head.
        patch_size: side, or (height, width), of the patches in pixels; 16 in the paper.
        hidden_size: E; 192, 384 and 768 for tiny, small and base.
        num_layers: number of blocks; 24 in the paper.
        num_heads: heads of the mLSTM; None: the largest divisor of I up to 4 (4 in the paper).
        expansion: I / E.
        qkv_block_size: features in a block of the block-diagonal maps to queries, keys and values.
        kernel_size: side of the convolution, odd.
        drop_path: rate at which a block is skipped for an image in training (stochastic depth, arXiv 1603.09382), the
            same for all blocks, as in the authors' runs; 0, 0.05 and 0.2 for tiny, small and base.
        readout: a name in `rnnvision.nn.READOUTS`; first_last is the paper's.
        feature_norm_eps: what the normalisation before the head adds to the variance: 1e-6 in the authors' trainings,
            1e-5 in their package, which runs the published weights; None: there is none.

    Initialisation (the authors', github.com/NX-AI/vision-lstm): maps into a block and to queries, keys and values
    normal with standard deviation sqrt(2 / (5 E)); out of a block 2 / sqrt(E), which the number of blocks does not
    divide; the gates as in `MatrixMemory`; positions truncated normal with 0.02, the head with 2e-5; patches uniform
    after Glorot & Bengio (2010); the convolution torch's; other biases zero, the skip 1. Positions do not decay.

    Raises:
        ValueError: for an invalid argument; the message begins with its name and states what is legal. Also from
            `load_state_dict`, for weights with another number of positions, which `resized` gives another size.
    """

    no_stream = "every other block of a Vision-LSTM reads from the end of the image"

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        num_classes: int,
        patch_size: int | tuple[int, int] = 16,
        hidden_size: int = 192,
        num_layers: int = 24,
        num_heads: int | None = None,
        expansion: int = 2,
        qkv_block_size: int = 4,
        kernel_size: int = 3,
        drop_path: float = 0.0,
        readout: str = "first_last",
        feature_norm_eps: float | None = 1e-6,
    ) -> None:
        super().__init__()
        at_least("num_classes", num_classes, 1)
        at_least("num_layers", num_layers, 1, DEEPEST)
        probability("drop_path", drop_path)
        one_of("readout", readout, READOUTS)
        _check_eps(feature_norm_eps)
        _check_widths(hidden_size, expansion, qkv_block_size, kernel_size)
        self.scan = Scan(input_shape=input_shape, scan="patches", patch_size=patch_size)
        self.embed = nn.Linear(self.scan.token_size, hidden_size)
        self.position = Position(self.scan.num_tokens, hidden_size)
        self.blocks = nn.ModuleList(
            Block(
                hidden_size,
                self.scan.grid,
                reverse=i % 2 == 1,
                num_heads=num_heads,
                expansion=expansion,
                qkv_block_size=qkv_block_size,
                kernel_size=kernel_size,
                drop_path=drop_path,
            )
            for i in range(num_layers)
        )
        self.norm = nn.LayerNorm(hidden_size, eps=1e-6)
        self.readout = READOUTS[readout](hidden_size)
        width = self.readout.out_features
        self.feature_norm = nn.LayerNorm(width, feature_norm_eps) if feature_norm_eps is not None else nn.Identity()
        self.head = nn.Linear(width, num_classes)
        nn.init.xavier_uniform_(self.embed.weight)
        nn.init.zeros_(self.embed.bias)
        nn.init.trunc_normal_(self.head.weight, std=2e-5, a=-4e-5, b=4e-5)
        nn.init.zeros_(self.head.bias)

    def parts(self) -> dict[str, list[str]]:
        """The parts that are no module of their own, see `rnnvision.nn.parts`."""
        return {LAYER.format(i): [f"blocks.{i}"] for i in range(len(self.blocks))}

    def forward_features(self, x: Tensor) -> Tensor:
        """The vector that the head classifies: (B, C, H, W) -> (B, D), D = 2 E for the readout first_last."""
        tokens = self.position(self.embed(self.scan(x)))  # (B, T, E)
        for block in self.blocks:
            tokens = block(tokens)
        return self.feature_norm(self.readout(self.norm(tokens)))

    def forward_head(self, features: Tensor) -> Tensor:
        """Logits of a feature vector: (B, D) -> (B, num_classes)."""
        return self.head(features)

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def resized(self, weights: Mapping[str, Tensor], input_shape: Sequence[int]) -> dict[str, Tensor]:
        """The weights of such a network for images of `input_shape`, for the size of this one's.

        Positions are interpolated bicubically over the grid of patches, as the authors do.
        """
        grid = tuple(int(side) // patch for side, patch in zip(input_shape[1:], self.scan.token_shape, strict=True))
        table = weights["position.table"]
        if grid == self.scan.grid or len(table) != math.prod(grid):
            return dict(weights)
        maps = table.unflatten(0, grid).movedim(-1, 0).unsqueeze(0)  # (1, E, R, K)
        positions = interpolate(maps, size=self.scan.grid, mode="bicubic")
        return {**weights, "position.table": positions.flatten(2).squeeze(0).mT.contiguous()}


class Block(nn.Module):
    """x + drop_path(block(norm(x))), its tokens read forwards or, with `reverse`, backwards: (B, T, E) -> (B, T, E).

    With W_up of E x 2 I, W_q, W_k, W_v block-diagonal of I x I, W_down of I x E, each with a bias,

        [a, z] = W_up norm(x)          c = silu(conv(a))                conv depthwise over the grid
        q, k, v = W_q c, W_k c, W_v a  h = MatrixMemory(q, k, v), its gates see [q, k, v]
        y = W_down ((h + skip * c) * silu(z))                          skip a learned vector of I features
    """

    def __init__(
        self,
        hidden_size: int,
        grid: tuple[int, int],
        *,
        reverse: bool,
        num_heads: int | None,
        expansion: int,
        qkv_block_size: int,
        kernel_size: int,
        drop_path: float,
    ) -> None:
        super().__init__()
        inner = expansion * hidden_size
        self.grid = grid
        self.reverse = reverse
        self.norm = nn.LayerNorm(hidden_size)
        self.up = nn.Linear(hidden_size, 2 * inner)
        self.conv = nn.Conv2d(inner, inner, kernel_size, padding=kernel_size // 2, groups=inner)
        into = math.sqrt(2 / (5 * hidden_size))
        self.q, self.k, self.v = (BlockDiagonalLinear(inner, qkv_block_size, into) for _ in range(3))
        self.memory = MatrixMemory(inner, 3 * inner, num_heads=num_heads, chunk_size=CHUNK_SIZE)
        self.skip = Scale(inner)
        self.down = nn.Linear(inner, hidden_size)
        self.drop_path = DropPath(drop_path)
        nn.init.normal_(self.up.weight, std=into)
        nn.init.normal_(self.down.weight, std=2 / math.sqrt(hidden_size))
        nn.init.zeros_(self.up.bias)
        nn.init.zeros_(self.down.bias)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flip(1) if self.reverse else x
        a, z = self.up(self.norm(tokens)).chunk(2, dim=-1)  # (B, T, I)
        c = silu(self._convolved(a))
        q, k, v = self.q(c), self.k(c), self.v(a)
        h, _ = self.memory(q, k, v, torch.cat((q, k, v), dim=-1), last_state=False)
        y = self.down((h + self.skip(c)) * silu(z))
        return x + self.drop_path(y.flip(1) if self.reverse else y)

    def _convolved(self, a: Tensor) -> Tensor:
        """The convolution over the grid that the tokens fill row by row: (B, T, I) -> (B, T, I)."""
        return self.conv(a.mT.unflatten(-1, self.grid)).flatten(2).mT


class BlockDiagonalLinear(nn.Module):
    """A linear map with a block-diagonal matrix: (..., I) -> (..., I), initially normal with a standard deviation.

    Four features are too few for an efficient matrix product: blocks are joined, with zeros around them, to matrices of
    `PRODUCT_SIZE` features, which takes less than half of the time.
    """

    def __init__(self, features: int, block_size: int, deviation: float) -> None:
        super().__init__()
        blocks = features // block_size
        self.joined = math.gcd(blocks, max(1, PRODUCT_SIZE // block_size))  # blocks per product
        self.weight = nn.Parameter(torch.empty(blocks, block_size, block_size))
        self.bias = nn.Parameter(torch.zeros(features))
        nn.init.normal_(self.weight, std=deviation)

    def forward(self, x: Tensor) -> Tensor:
        size = self.joined * self.weight.shape[-1]
        weight = self.weight.unflatten(0, (-1, self.joined))  # (G, J, block, block)
        apart = torch.eye(self.joined, dtype=weight.dtype, device=weight.device)[:, None, :, None]
        weight = (weight.unsqueeze(3) * apart).flatten(3, 4).flatten(1, 2)  # (G, size, size)
        y = x.reshape(-1, len(weight), size).transpose(0, 1) @ weight.mT  # (G, B * T, size)
        return y.transpose(0, 1).reshape(x.shape) + self.bias


class Scale(nn.Module):
    """Each feature times a learned factor, initially 1: (..., I) -> (..., I)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(features))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight


class Position(nn.Module):
    """Add a learned vector for each position: (B, T, E) -> (B, T, E)."""

    undecayed: ClassVar = ("table",)  # as the authors have it

    def __init__(self, num_tokens: int, features: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(num_tokens, features))
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_load_state_dict_pre_hook(_check_positions)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


def _check_positions(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Reject weights with another number of positions; torch's own message would speak only of tensor sizes."""
    own, loaded = module.get_parameter("table"), state.get(f"{prefix}table")
    if loaded is not None and len(loaded) != len(own):
        raise ValueError(
            f"input_shape: these weights have learned {len(loaded)} positions, this network reads {len(own)} patches; "
            "build it with the input_shape and the patch_size of the weights"
        )


def _check_eps(eps: float | None) -> None:
    if eps is not None and (isinstance(eps, (bool, str)) or not 0 < eps < 1):
        raise ValueError(f"feature_norm_eps={eps}: must be a number above 0 and below 1, or null for no normalisation")


def _check_widths(hidden_size: int, expansion: int, qkv_block_size: int, kernel_size: int) -> None:
    at_least("hidden_size", hidden_size, 1)
    at_least("expansion", expansion, 1)
    at_least("qkv_block_size", qkv_block_size, 1)
    at_least("kernel_size", kernel_size, 1)
    if expansion * hidden_size % qkv_block_size:
        multiple = qkv_block_size // math.gcd(qkv_block_size, expansion)
        raise ValueError(
            f"hidden_size={hidden_size}: {expansion} x {hidden_size} features do not divide into blocks of "
            f"{qkv_block_size} (qkv_block_size); choose a multiple of {multiple}"
        )
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size}: must be odd, so that a grid keeps its size")
