"""Networks that others have published, from their papers and the structure of their code, with their names of weights.

Plain and slow: loops over time, no kernel. Nothing here is of this project's networks.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Vision-LSTM, version 2 (arXiv 2406.04303; github.com/NX-AI/vision-lstm, vision_lstm2.py) -----------------------------


class ResidualNorm(nn.Module):
    """Layer normalisation that is multiplied by 1 + weight, in `groups` groups of features."""

    def __init__(self, features: int, groups: int = 1, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(torch.zeros(features)) for _ in range(2))
        self.groups, self.eps = groups, eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.unflatten(-1, (self.groups, -1))
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + self.eps).sqrt()
        return x.flatten(-2) * (1 + self.weight) + self.bias


class Headwise(nn.Module):
    """A matrix for each block of features."""

    def __init__(self, features: int, size: int) -> None:
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(torch.zeros(features // size, size, size)),
            nn.Parameter(torch.zeros(features)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return (
            torch.cat([x[..., i * len(w) : (i + 1) * len(w)] @ w.T for i, w in enumerate(self.weight)], -1) + self.bias
        )


class Cell(nn.Module):
    """The mLSTM, token by token (arXiv 2405.04517): C_t = f C + i v k', n_t = f n + i k, h = C q / max(|n q|, 1)."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.igate, self.fgate = (nn.Linear(3 * features, heads) for _ in range(2))
        self.outnorm = ResidualNorm(features, heads)
        self.heads = heads

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen = torch.cat((q, k, v), dim=-1)
        i, f = self.igate(seen).exp(), self.fgate(seen).sigmoid()  # (B, T, H); without a stabiliser, for small gates
        q, k, v = (x.unflatten(-1, (self.heads, -1)) for x in (q, k, v))  # (B, T, H, D)
        batch, length, heads, size = q.shape
        memory, n = q.new_zeros(batch, heads, size, size), q.new_zeros(batch, heads, size)
        states = []
        for t in range(length):
            key = k[:, t] / math.sqrt(size)
            memory = f[:, t, :, None, None] * memory + i[:, t, :, None, None] * v[:, t, :, :, None] * key[:, :, None, :]
            n = f[:, t, :, None] * n + i[:, t, :, None] * key
            least = (n * q[:, t]).sum(-1).abs().clamp(min=1)
            states.append((memory @ q[:, t, :, :, None]).squeeze(-1) / least[..., None])
        return self.outnorm(torch.stack(states, dim=1).flatten(2))


class ViLLayer(nn.Module):
    def __init__(self, width: int, inner: int, heads: int, size: int, kernel: int, grid: Sequence[int]) -> None:
        super().__init__()
        self.proj_up = nn.Linear(width, 2 * inner)
        self.q_proj, self.k_proj, self.v_proj = (Headwise(inner, size) for _ in range(3))
        self.conv = nn.Conv2d(inner, inner, kernel, padding=kernel // 2, groups=inner)
        self.mlstm_cell = Cell(inner, heads)
        self.learnable_skip = nn.Parameter(torch.ones(inner))
        self.proj_down = nn.Linear(inner, width)
        self.grid = grid

    def forward(self, x: Tensor) -> Tensor:
        a, z = self.proj_up(x).chunk(2, dim=-1)
        c = nn.functional.silu(self.conv(a.mT.unflatten(-1, self.grid)).flatten(2).mT)
        h = self.mlstm_cell(self.q_proj(c), self.k_proj(c), self.v_proj(a))
        return self.proj_down((h + self.learnable_skip * c) * nn.functional.silu(z))


class ViLBlock(nn.Module):
    def __init__(self, width: int, *sizes: int, grid: Sequence[int], backwards: bool) -> None:
        super().__init__()
        self.norm = ResidualNorm(width)
        self.layer = ViLLayer(width, *sizes, grid)
        self.backwards = backwards

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        return x + (self.layer(y.flip(1)).flip(1) if self.backwards else self.layer(y))


class ViLPair(nn.Module):
    def __init__(self, *sizes: int, grid: Sequence[int]) -> None:
        super().__init__()
        self.rowwise_from_top_left = ViLBlock(*sizes, grid=grid, backwards=False)
        self.rowwise_from_bot_right = ViLBlock(*sizes, grid=grid, backwards=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rowwise_from_bot_right(self.rowwise_from_top_left(x))


class Patches(nn.Module):
    def __init__(self, channels: int, width: int, patch: Sequence[int]) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, tuple(patch), stride=tuple(patch))


class Positions(nn.Module):
    def __init__(self, grid: Sequence[int], width: int) -> None:
        super().__init__()
        self.embed = nn.Parameter(torch.zeros(1, *grid, width))


class VisionLSTM2(nn.Module):
    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        classes: int,
        width: int = 8,
        depth: int = 2,
        patch: Sequence[int] = (4, 4),
        heads: int = 4,
        expansion: int = 2,
        size: int = 4,
        kernel: int = 3,
        legacy_norm: bool = True,
    ) -> None:
        super().__init__()
        grid = tuple(side // p for side, p in zip(input_shape[1:], patch, strict=True))
        self.patch_embed = Patches(input_shape[0], width, patch)
        self.pos_embed = Positions(grid, width)
        sizes = (width, expansion * width, heads, size, kernel)
        self.blocks = nn.ModuleList(ViLPair(*sizes, grid=grid) for _ in range(depth))
        self.norm = ResidualNorm(width, eps=1e-6)
        self.legacy_norm = nn.LayerNorm(2 * width) if legacy_norm else nn.Identity()
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed.proj(images).flatten(2).mT + self.pos_embed.embed.flatten(1, 2)
        for pair in self.blocks:
            x = pair(x)
        x = self.norm(x)
        return self.head(self.legacy_norm(torch.cat((x[:, 0], x[:, -1]), dim=-1)))


def interpolated(embed: Tensor, grid: Sequence[int]) -> Tensor:
    """Positions (1, R, K, E) for another grid: convolution with the cubic kernel of Keys (1981), a = -0.75."""

    def kernel(d: float) -> float:
        d = abs(d)
        if d <= 1:
            return 1.25 * d**3 - 2.25 * d**2 + 1
        return -0.75 * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0

    def matrix(old: int, new: int) -> Tensor:
        weights = torch.zeros(new, old, dtype=embed.dtype)
        for i in range(new):
            centre = (i + 0.5) * old / new - 0.5
            for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
                weights[i, min(max(j, 0), old - 1)] += kernel(centre - j)  # beyond the border there is the border
        return weights

    rows, columns = (matrix(old, new) for old, new in zip(embed.shape[1:3], grid, strict=True))
    return torch.einsum("ir,jk,brke->bije", rows, columns, embed)


# Sequencer2D (arXiv 2205.01972; github.com/okojoalg/sequencer, models/two_dim_sequencer.py) ---------------------------


class BiLSTM2D(nn.Module):
    def __init__(self, width: int, hidden: int, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rnn_v, self.rnn_h = (kind(width, hidden, batch_first=True, bidirectional=True) for _ in range(2))
        self.fc = nn.Linear(4 * hidden, width)

    def forward(self, x: Tensor) -> Tensor:  # (B, R, K, C)
        v = torch.stack([self.rnn_v(x[:, :, column])[0] for column in range(x.shape[2])], dim=2)
        h = torch.stack([self.rnn_h(x[:, row])[0] for row in range(x.shape[1])], dim=1)
        return self.fc(torch.cat((v, h), dim=-1))


class Mlp(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(nn.functional.gelu(self.fc1(x)))


class SequencerBlock(nn.Module):
    def __init__(self, width: int, hidden: int, ratio: float, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.rnn_tokens = BiLSTM2D(width, hidden, kind)
        self.mlp_channels = Mlp(width, int(ratio * width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.rnn_tokens(self.norm1(x))
        return x + self.mlp_channels(self.norm2(x))


class Stem(nn.Module):
    def __init__(self, channels: int, width: int, side: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, side, stride=side)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)


class Downsample(nn.Module):
    def __init__(self, width: int, following: int, side: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(width, following, side, stride=side)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Sequencer(nn.Module):
    def __init__(
        self,
        *,
        classes: int,
        channels: int = 3,
        layers: Sequence[int] = (1, 2),
        patch_sizes: Sequence[int] = (4, 2),
        embed_dims: Sequence[int] = (8, 12),
        hidden_sizes: Sequence[int] = (3, 5),
        mlp_ratios: Sequence[float] = (3.0, 2.0),
        kind: type[nn.RNNBase] = nn.LSTM,
    ) -> None:
        super().__init__()
        self.stem = Stem(channels, embed_dims[0], patch_sizes[0])
        stages = []
        for s, (count, width) in enumerate(zip(layers, embed_dims, strict=True)):
            parts: list[nn.Module] = [SequencerBlock(width, hidden_sizes[s], mlp_ratios[s], kind) for _ in range(count)]
            if s + 1 < len(layers):  # the map to the next stage ends this one
                parts.append(Downsample(width, embed_dims[s + 1], patch_sizes[s + 1]))
            stages.append(nn.Sequential(*parts))
        self.blocks = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(embed_dims[-1], eps=1e-6)
        self.head = nn.Linear(embed_dims[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.stem(images))).mean(dim=(1, 2)))
