"""Session: an image, or a stream without an end, classified while its rows come in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rnnvision.checks import at_least
from rnnvision.errors import UsageError
from rnnvision.inference.predictions import as_labels, ranked
from rnnvision.nn.streaming import TokenStream, no_stream
from rnnvision.training.failures import finite

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier


class Session:
    """The beliefs of a network while it reads one image row by row, in memory that does not grow.

    After the last row of an image they are those that the classifier has of the whole image. Where the order of the
    scan allows it (`endless`), more rows than an image has can be pushed: the network reads on. Of a scan that reads
    columns, all that is said of rows holds for columns (`axis`).

    Attributes:
        probabilities: of each class after the tokens read so far (num_classes,); None before the first token.
        tokens_read: number of tokens that the network has read.
        settled: after how many of them the answer became the present one; None before the first.

    Raises:
        UsageError: for a network that cannot be read token by token, with the reason.

    Examples:
        session = rnnvision.load("logs/train/latest").session()
        for row in rows:  # each (C, W), or (W,) of a grey image
            print(session.push(row))
    """

    def __init__(self, classifier: "Classifier") -> None:
        if reason := no_stream(classifier.network):
            raise UsageError(f"{classifier.path}: cannot be read row by row: {reason}; {_instead(classifier)}")
        self._classifier = classifier
        self._stream = TokenStream(classifier.network.scan)
        self.reset()

    @property
    def axis(self) -> str:
        """What `push` takes: "rows" or "columns"."""
        return self._stream.axis

    @property
    def endless(self) -> bool:
        """Whether more rows can be pushed than an image has."""
        return self._stream.endless

    @property
    def line_shape(self) -> tuple[int, int]:
        """(C, W) of a row, (C, H) of a column."""
        return self._stream.line_shape

    @property
    def num_rows(self) -> int:
        """Number of rows of an image."""
        return self._stream.num_lines

    @property
    def rows_read(self) -> int:
        """Number of rows that were pushed."""
        return self._stream.lines_read

    @torch.inference_mode()
    def reset(self) -> None:
        """Forget all rows: begin another image."""
        self._stream.reset()
        self._state = self._classifier.network.initial_state(1)
        self._answer: int | None = None
        self.probabilities: Tensor | None = None
        self.tokens_read = 0
        self.settled: int | None = None

    @torch.inference_mode()
    def push(self, rows: Any, top_k: int = 5) -> list[dict[str, Any]]:
        """Read more rows; returns the likeliest classes so far, best first: {"label": name, "score": probability}.

        The list is empty before the first token is complete: after one row of a scan of row pairs, or as long as an
        order such as `reverse` waits for the end of the image.

        Args:
            rows: uint8, or floating point from 0 to 1: a tensor (C, n, W), or (C, W) for one row; an array (n, W, C) or
                (W, C); of a grey image also (n, W) or (W,). Of columns (C, H, n), (C, H), (H, n, C), (H, C), (H, n) or
                (H,).
            top_k: number of classes to return.

        Raises:
            ValueError: for rows of another shape or range, or more than the image has where the scan is not endless;
                nothing has been read then.
        """
        at_least("top_k", top_k, 1)
        lines = self._lines(rows)
        left = self._stream.lines_left
        if left is not None and len(lines) > left:
            raise ValueError(
                f"rows: {len(lines)} given, {left} of the image's {self._stream.num_lines} {self.axis} are left; this "
                f"scan ends with the image: reset() begins another"
            )
        for line in lines:
            for token in self._stream.read(line):
                self._read(token)
        if self.probabilities is None:
            return []
        return as_labels(ranked(self.probabilities.unsqueeze(0), self._classifier.class_names, top_k)[0])

    def _read(self, token: Tensor) -> None:
        logits, self._state = self._classifier.network.step(token.unsqueeze(0), self._state)
        finite(logits, self._classifier.path)
        self.tokens_read += 1
        self.probabilities = (logits[0].float() / self._classifier.temperature_after(self.tokens_read)).softmax(dim=-1)
        answer = int(logits.argmax())
        if answer != self._answer:
            self._answer, self.settled = answer, self.tokens_read

    def _lines(self, rows: Any) -> Tensor:
        """Normalised lines: (n, C, length)."""
        pixels = _pixels(rows)
        (channels, length), across = self._stream.line_shape, 2 if self.axis == "rows" else 1
        for block in _readings(pixels, channels, across, is_array=not isinstance(rows, Tensor)):
            if block.shape[0] == channels and block.shape[across] == length:
                break
        else:
            raise ValueError(f"rows of shape {tuple(pixels.shape)}: this network reads {self.axis} of {self._wanted()}")
        return self._classifier.normalised(block).movedim(3 - across, 0)

    def _wanted(self) -> str:
        channels, length = self._stream.line_shape
        shapes = [("{c}, n, {w}", "{c}, {w}"), ("{c}, {w}, n", "{c}, {w}")][self.axis == "columns"]
        grey = [("n, {w}", "{w},"), ("{w}, n", "{w},")][self.axis == "columns"] if channels == 1 else ()
        return " or ".join(f"({shape.format(c=channels, w=length)})" for shape in (*shapes, *grey))


def _readings(pixels: Tensor, channels: int, across: int, *, is_array: bool) -> Iterator[Tensor]:
    """The ways in which pixels may be meant, each as (C, n, length), of columns (C, length, n); the likeliest first.

    Arrays are channels last, as in `Classifier`, or first.
    """
    if is_array and pixels.ndim == 3:
        yield pixels.movedim(-1, 0)
    if pixels.ndim == 3:
        yield pixels
    if pixels.ndim == 2 and channels == 1:
        yield pixels.unsqueeze(0)
    if is_array and pixels.ndim == 2:
        yield pixels.T.unsqueeze(3 - across)
    if pixels.ndim == 2:
        yield pixels.unsqueeze(3 - across)
    if pixels.ndim == 1:
        yield pixels.unsqueeze(0).unsqueeze(3 - across)


def _pixels(rows: Any) -> Tensor:
    pixels = rows if isinstance(rows, Tensor) else torch.tensor(rows)  # a copy: an array may be read-only
    if pixels.dtype == torch.uint8 or not pixels.numel():
        return pixels
    if pixels.is_floating_point() and 0 <= pixels.min() <= pixels.max() <= 1:
        return pixels
    low, high = pixels.double().aminmax()
    values = f"{pixels.dtype} from {low.item():g} to {high.item():g}".removeprefix("torch.")
    raise ValueError(f"rows of {values}: give pixels as uint8, or as floating point from 0 to 1")


def _instead(classifier: "Classifier") -> str:
    """What can be read row by row in place of this network."""
    if classifier.description["network"].get("name") != "sequence_classifier":
        return "a network that can: rnnvision train model=lstm"
    if classifier.description["network"].get("bidirectional"):
        return "train it with model.bidirectional=false"
    if hasattr(classifier.network, "readout"):
        return "train it with model.readout=last"
    return "load the checkpoint that it was exported from, or export it with format=step"
