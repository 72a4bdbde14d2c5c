"""Scans: an image read as a sequence, by a token shape and a visiting order.

Shapes: B images, C channels, H x W pixels; tokens of h x w pixels on a grid of R x K; T = R * K tokens of
F = C * h * w features.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from rnnvision.checks import LONGEST_SIDE, at_least, image_shape, one_of, seed_number
from rnnvision.nn.fixed import FixedBuffers
from rnnvision.registry import Registry

Cell = tuple[int, int]
MOST_TOKENS = 2**20  # of a sequence: 1024 x 1024 pixels, one by one
Order = Callable[[int, int, int], Iterable[Cell]]


def _raster(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """Row by row, each from left to right."""
    return ((r, c) for r in range(rows) for c in range(columns))


def _reverse(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """The raster order backwards: from the bottom right corner to the top left one."""
    return reversed(list(_raster(rows, columns, seed)))


def _snake(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """Row by row, every other one from right to left, so that neighbours in time are neighbours in the image."""
    return ((r, columns - 1 - c if r % 2 else c) for r in range(rows) for c in range(columns))


def _spiral(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """Clockwise from the top left corner to the centre."""
    top, left, bottom, right = 0, 0, rows - 1, columns - 1
    while top <= bottom and left <= right:
        yield from ((top, c) for c in range(left, right + 1))
        yield from ((r, right) for r in range(top + 1, bottom + 1))
        if top < bottom:
            yield from ((bottom, c) for c in range(right - 1, left - 1, -1))
        if left < right:
            yield from ((r, left) for r in range(bottom - 1, top, -1))
        top, left, bottom, right = top + 1, left + 1, bottom - 1, right - 1


def _diagonal(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """Along the anti-diagonals, in alternating direction (the zigzag of JPEG)."""
    for total in range(rows + columns - 1):
        cells = [(r, total - r) for r in range(max(0, total - columns + 1), min(rows, total + 1))]
        yield from cells if total % 2 else reversed(cells)


def _hilbert(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """The Hilbert curve, generalised to any rectangle by halving it recursively.

    Source of the halving rule: J. Cerveny, "Generalized Hilbert space-filling curve for rectangular domains" (2018).
    Every step goes to a neighbour; a side of odd length costs at most one diagonal step.
    """
    along, across = ((0, columns), (rows, 0)) if columns >= rows else ((rows, 0), (0, columns))
    return _hilbert_part((0, 0), along, across)


def _hilbert_part(start: Cell, along: Cell, across: Cell) -> Iterator[Cell]:
    """Fill the rectangle spanned at `start` by two axis-parallel vectors, ending at the far end of `along`."""
    length, width = abs(sum(along)), abs(sum(across))
    ahead, aside = _sign(along), _sign(across)
    if width == 1 or length == 1:
        step, count = (ahead, length) if width == 1 else (aside, width)
        yield from (_add(start, step, i) for i in range(count))
    elif 2 * length > 3 * width:  # long: two parts, one after the other
        half = _half(along, length, ahead)
        yield from _hilbert_part(start, half, across)
        yield from _hilbert_part(_add(start, half), _add(along, half, -1), across)
    else:  # up, along, and down again
        half_along, half = (along[0] // 2, along[1] // 2), _half(across, width, aside)
        corner = _add(_add(start, _add(along, ahead, -1)), _add(half, aside, -1))
        yield from _hilbert_part(start, half, half_along)
        yield from _hilbert_part(_add(start, half), along, _add(across, half, -1))
        rest = _add(along, half_along, -1)
        yield from _hilbert_part(corner, (-half[0], -half[1]), (-rest[0], -rest[1]))


def _sign(v: Cell) -> Cell:
    return (v[0] > 0) - (v[0] < 0), (v[1] > 0) - (v[1] < 0)


def _add(a: Cell, b: Cell, times: int = 1) -> Cell:
    return a[0] + times * b[0], a[1] + times * b[1]


def _half(v: Cell, length: int, unit: Cell) -> Cell:
    """Half of `v`, made even where there is room: even parts keep the curve connected."""
    half = (v[0] // 2, v[1] // 2)
    return _add(half, unit) if abs(sum(half)) % 2 and length > 2 else half


def _random(rows: int, columns: int, seed: int) -> Iterator[Cell]:
    """A fixed random permutation: `torch.randperm` from a generator seeded with `seed`."""
    order = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))
    return ((i // columns, i % columns) for i in order.tolist())


ORDERS: Registry[Order] = Registry(
    "order",
    {
        "raster": _raster,
        "reverse": _reverse,
        "snake": _snake,
        "spiral": _spiral,
        "diagonal": _diagonal,
        "hilbert": _hilbert,
        "random": _random,
    },
    rule=lambda order: None if callable(order) else f"{order} is no function",
)


@dataclass(frozen=True)
class Preset:
    """A named scan. A token side of None spans the whole image; without a token, `patch_size` has to give it."""

    token: tuple[int | None, int | None] | None
    order: str


def _wrong_preset(preset: object) -> str | None:
    if not isinstance(preset, Preset):
        return f"{preset} is no rnnvision.nn.scan.Preset"
    return None if preset.order in ORDERS else f"there is no order {preset.order}; register it first"


SCANS: Registry[Preset] = Registry(
    "scan",
    {
        "rows": Preset((1, None), "raster"),
        "columns": Preset((None, 1), "raster"),
        "pixels": Preset((1, 1), "raster"),
        "permuted_pixels": Preset((1, 1), "random"),
        "row_pairs": Preset((2, None), "raster"),
        "patches": Preset(None, "raster"),
        "reverse": Preset((1, None), "reverse"),
        "snake": Preset((1, 1), "snake"),
        "spiral": Preset((1, 1), "spiral"),
        "diagonal": Preset((1, 1), "diagonal"),
        "hilbert": Preset((1, 1), "hilbert"),
    },
    rule=_wrong_preset,
)


class Scan(FixedBuffers):
    """Read an image as a sequence of tokens: (B, C, H, W) -> (B, T, F).

    Args:
        input_shape: (C, H, W) of the images.
        scan: a name in `SCANS`, which sets the token shape and the visiting order.
        patch_size: side, or (height, width), of square or rectangular tokens in pixels. `patches` needs it; with any
            other scan it replaces that scan's token shape (`scan=hilbert patch_size=4`).
        order: a name in `ORDERS`, in place of the scan's own.
        order_seed: the seed of the order `random`; the others ignore it.
        margin: pixels at each side of the image that are not read, such as the empty frame around a digit.

    The features of a token are ordered (channel, row, column). The order is a fixed buffer outside the state dict, so
    weights do not depend on the image size.

    Raises:
        ValueError: for an unknown name, or a token that does not tile the image.

    Examples:
        >>> scan = Scan(input_shape=(1, 28, 28), scan="hilbert", patch_size=4)
        >>> scan
        Scan(1, 28, 28 -> T=49, F=16)
        >>> tokens = scan(torch.zeros(8, 1, 28, 28))
        >>> tokens.shape, scan.inverse(tokens).shape
        (torch.Size([8, 49, 16]), torch.Size([8, 1, 28, 28]))
    """

    order: Tensor  # (T,) raster index of the token read at each time step

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        scan: str = "rows",
        patch_size: int | tuple[int, int] | None = None,
        order: str | None = None,
        order_seed: int = 0,
        margin: int = 0,
    ) -> None:
        super().__init__()
        image_shape("input_shape", input_shape)
        one_of("scan", scan, SCANS)
        seed_number("order_seed", order_seed)
        self.margin = _margin(margin, input_shape)
        channels, height, width = input_shape[0], *(side - 2 * margin for side in input_shape[1:])
        self.token_shape = h, w = _token_shape(scan, patch_size, height, width)
        self.input_shape = (channels, height + 2 * margin, width + 2 * margin)
        self.grid = rows, columns = height // h, width // w
        self.num_tokens = rows * columns
        if self.num_tokens > MOST_TOKENS:
            argument = f"scan={scan}" if patch_size is None else f"patch_size={patch_size}"
            raise ValueError(
                f"{argument}: reads an image of {height} x {width} as {self.num_tokens:,} tokens, more than "
                f"{MOST_TOKENS:,}; choose larger tokens"
            )
        self.token_size = channels * h * w

        name = SCANS[scan].order if order is None else order
        one_of("order", name, ORDERS)
        with torch.device("cpu"):  # values are checked, also where a network is built on a device that has none
            cells = list(ORDERS[name](rows, columns, order_seed))
            raster = list(_raster(rows, columns, order_seed))
            if sorted(cells) != raster:
                raise ValueError(f"order={name}: does not visit each cell of the {rows} x {columns} grid once")
            self.fix("order", torch.tensor([r * columns + c for r, c in cells]))
        self._is_raster = cells == raster

    def forward(self, image: Tensor) -> Tensor:
        """Tokens in visiting order: (B, C, H, W) -> (B, T, F)."""
        if image.shape[1:] != self.input_shape:
            raise ValueError(f"image of shape {tuple(image.shape)}: this scan reads (B, {_text(self.input_shape)})")
        c, (rows, columns), (h, w), m = self.input_shape[0], self.grid, self.token_shape, self.margin
        image = image[:, :, m : m + rows * h, m : m + columns * w]
        patches = image.reshape(-1, c, rows, h, columns, w)
        tokens = patches.permute(0, 2, 4, 1, 3, 5).reshape(-1, self.num_tokens, self.token_size)  # (B, T, F)
        return tokens if self._is_raster else tokens.index_select(1, self.order)

    def inverse(self, tokens: Tensor) -> Tensor:
        """The image that was read, 0 in its margin: (B, T, F) -> (B, C, H, W)."""
        c, (rows, columns), (h, w), m = self.input_shape[0], self.grid, self.token_shape, self.margin
        raster = tokens.index_select(1, self.order.argsort())
        patches = raster.reshape(-1, rows, columns, c, h, w).permute(0, 3, 1, 4, 2, 5)
        return pad(patches.reshape(-1, c, rows * h, columns * w), (m, m, m, m))

    def path(self) -> Tensor:
        """The centre (row, column) of each token in visiting order, in pixels, to draw on the image: (T, 2)."""
        cells = torch.stack((self.order // self.grid[1], self.order % self.grid[1]), dim=1)
        size = torch.tensor(self.token_shape, device=cells.device)
        return cells * size + (size - 1) / 2 + self.margin

    def extra_repr(self) -> str:
        return f"{_text(self.input_shape)} -> T={self.num_tokens}, F={self.token_size}"


def _margin(margin: int, input_shape: Sequence[int]) -> int:
    at_least("margin", margin, 0, LONGEST_SIDE)
    most = (min(input_shape[1:]) - 1) // 2
    if margin > most:
        raise ValueError(f"margin={margin}: leaves nothing of images of {_text(input_shape[1:])}; at most {most}")
    return margin


def _token_shape(scan: str, patch_size: int | Sequence[int] | None, height: int, width: int) -> tuple[int, int]:
    token = SCANS[scan].token
    argument = f"scan={scan}"
    if patch_size is not None:
        sides = tuple(patch_size) if isinstance(patch_size, (list, tuple)) else (patch_size, patch_size)
        if len(sides) != 2:
            raise ValueError(f"patch_size={patch_size}: give one side, or [height, width]")
        for side in sides:
            at_least("patch_size", side, 1)
        token, argument = sides, f"patch_size={patch_size}"
    if token is None:
        example = next((d for d in range(2, min(height, width) + 1) if height % d == 0 and width % d == 0), 1)
        raise ValueError(f"patch_size=null: scan={scan} needs one, for example patch_size={example}")
    h, w = height if token[0] is None else token[0], width if token[1] is None else token[1]
    if height % h or width % w:
        raise ValueError(
            f"{argument}: tokens of {h} x {w} do not tile an image of {height} x {width}; "
            f"heights that do: {_divisors(height)}; widths that do: {_divisors(width)}"
        )
    return h, w


def _divisors(n: int) -> str:
    return ", ".join(str(d) for d in range(1, n + 1) if n % d == 0)


def _text(shape: Sequence[int]) -> str:
    return ", ".join(map(str, shape))
