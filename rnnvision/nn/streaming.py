"""Streaming: which networks can be read token by token, and the tokens of an image whose rows come in one by one.

Shapes: B images, C channels, H x W pixels, T tokens of F features.
"""

import torch
from torch import Tensor, nn

from rnnvision.nn.scan import Scan


def no_stream(network: nn.Module) -> str | None:
    """Why a network cannot be read token by token; None where it can.

    One that can has `scan`, `initial_state(batch) -> state` and `step(token (B, F), state) -> (logits (B, num_classes),
    state)`, a state being nested tuples of tensors (B, ...), and answers as `forward_anytime` does. One that cannot
    says why in its attribute `no_stream`.
    """
    if hasattr(network, "no_stream"):
        return network.no_stream  # type: ignore[return-value]
    if hasattr(network, "scan") and hasattr(network, "step"):
        return None
    return f"{type(network).__name__} has no `step`: it needs the whole image at once"


class TokenStream:
    """The tokens of a scan in visiting order, each as soon as the lines that it needs are there.

    A line is a row of the image; of a scan whose tokens are as high as the image (`columns`) it is a column. Where the
    order finishes the tokens of a line, or of the h lines that a token is high, before it begins the next ones (rows,
    row_pairs, columns, pixels, patches, snake), no more than h lines are kept, and the stream may be longer than the
    image: the order goes on as it began. Any other order has to wait for lines further on (hilbert, diagonal, spiral),
    at worst for the last one (reverse): it keeps at most one image, and ends with it. So does a scan with a margin,
    which is a frame around an image of a known size.

    Attributes:
        axis: "rows" or "columns", what a line is.
        line_shape: (C, W) of a row, (C, H) of a column.
        num_lines: H, or W: the lines of an image.
        endless: whether the stream may be longer than the image.
        lines_read: so far.

    Examples:
        >>> scan = Scan(input_shape=(1, 4, 6), scan="snake")
        >>> stream = TokenStream(scan)
        >>> image = torch.rand(1, 4, 6)
        >>> tokens = torch.cat([stream.read(image[:, i]) for i in range(4)])
        >>> torch.equal(tokens, scan(image[None])[0]), stream.endless
        (True, True)
    """

    def __init__(self, scan: Scan) -> None:
        (channels, height, width), (rows, columns), (h, w) = scan.input_shape, scan.grid, scan.token_shape
        self.axis = "columns" if rows == 1 < columns else "rows"
        by_rows = self.axis == "rows"
        self.line_shape = (channels, width if by_rows else height)
        self.num_lines = height if by_rows else width
        self._margin = scan.margin
        self._token_shape = (h, w)
        self._band_size, self._per_band = (h, columns) if by_rows else (w, 1)  # lines; tokens that they hold
        self._cells = [divmod(i, self._per_band) for i in scan.order.tolist()]  # (band, place) of each token
        band_by_band = [band for band, _ in self._cells] == [t // self._per_band for t in range(len(self._cells))]
        self.endless = band_by_band and not scan.margin
        self._places = _repeated(self._cells, self._per_band) if self.endless else []
        self.reset()

    def reset(self) -> None:
        """Begin another image."""
        self.lines_read = self._tokens_read = self._bands_read = 0
        self._lines: list[Tensor] = []  # of the band that is not complete
        self._bands: dict[int, Tensor] = {}  # complete, with tokens that have not been read: each (per_band, F)
        self._left: dict[int, int] = {}  # how many of them

    @property
    def lines_left(self) -> int | None:
        """How many lines can still be read; None: any number."""
        return None if self.endless else self.num_lines - self.lines_read

    def read(self, line: Tensor) -> Tensor:
        """The tokens that one more line (C, length) completes, in visiting order: (n, F), n of at least 0."""
        if self.lines_left == 0:
            raise ValueError(f"line {self.lines_read + 1}: the image has {self.num_lines} {self.axis}")
        at, m = self.lines_read - self._margin, self._margin
        self.lines_read += 1
        if self.endless or 0 <= at < self.num_lines - 2 * m:
            self._lines.append(line[:, m : line.shape[1] - m])
        if len(self._lines) == self._band_size:
            self._close_band()
        found = []
        while (cell := self._next_cell()) is not None and cell[0] in self._bands:
            band, place = cell
            found.append(self._bands[band][place])
            self._tokens_read += 1
            self._left[band] -= 1
            if not self._left[band]:
                del self._bands[band], self._left[band]
        features = self.line_shape[0] * self._token_shape[0] * self._token_shape[1]
        return torch.stack(found) if found else line.new_empty(0, features)

    def _close_band(self) -> None:
        """Cut the lines of a band into its tokens, their features ordered as in `Scan`: channel, row, column."""
        w = self._token_shape[1]
        band = torch.stack(self._lines, dim=1 if self.axis == "rows" else 2)  # (C, h, per_band w)
        self._bands[self._bands_read] = band.unflatten(2, (self._per_band, w)).permute(2, 0, 1, 3).flatten(1)
        self._left[self._bands_read] = self._per_band
        self._bands_read += 1
        self._lines = []

    def _next_cell(self) -> tuple[int, int] | None:
        """(band, place) of the next token; None after the last."""
        t = self._tokens_read
        if self.endless:
            band, i = divmod(t, self._per_band)
            return band, self._places[band % len(self._places)][i]
        return self._cells[t] if t < len(self._cells) else None


def _repeated(cells: list[tuple[int, int]], per_band: int) -> list[list[int]]:
    """The shortest run of bands, each the places of its tokens in visiting order, that is repeated down the image."""
    bands = [[place for _, place in cells[t : t + per_band]] for t in range(0, len(cells), per_band)]
    return next(bands[:p] for p in range(1, len(bands) + 1) if all(b == bands[i % p] for i, b in enumerate(bands)))
