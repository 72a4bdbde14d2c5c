"""Rows of pixels on standard input, read by a Session as they come in, and a line of beliefs after each."""

import os
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import torch
from torch import Tensor

from rnnvision.checks import counted
from rnnvision.cli.frame.stdin import refuse_image
from rnnvision.cli.watch.reading import labels_line
from rnnvision.errors import FailureError, UsageError

if TYPE_CHECKING:
    from rnnvision.inference import Classifier

LONGEST = 16  # characters of a number in a line of text, with what separates it


def watch_rows(classifier: "Classifier", kind: str, every: int, top_k: int) -> None:
    """Print what the network believes after every so many rows, until the pipe ends.

    Raises:
        UsageError: for a network that cannot be read row by row.
        FailureError: for a row that is cut short or holds something else than bytes of pixels.
    """
    session = classifier.session()
    unit = session.axis.removesuffix("s")
    if sys.stdin.isatty():
        raise UsageError(f"source=-: nothing is piped in; try: some_program | rnnvision watch source=- rows={kind} ...")
    stream = cast("BufferedReader", sys.stdin.buffer)
    refuse_image(stream, "rows of pixels")
    channels, length = session.line_shape
    read = raw_rows if kind == "raw" else csv_rows
    ranked: list[dict[str, Any]] = []
    for row in read(stream, channels * length, unit):
        try:
            ranked = session.push(row.reshape(length, channels).T, top_k)
        except ValueError as error:  # more than the image has
            raise FailureError(f"source=-: {error}") from error
        if session.rows_read % every == 0 and not _printed(
            f"{unit} {session.rows_read}   {labels_line(ranked) or '-'}"
        ):
            return
    if not session.rows_read:
        raise FailureError(f"source=-: not one {unit} came in")
    if not ranked:
        raise FailureError(
            f"source=-: ended after {counted(session.rows_read, unit)}, before the network could begin; its scan waits "
            f"for more of the {session.num_rows} of an image"
        )
    if session.rows_read % every:
        _printed(f"{unit} {session.rows_read}   {labels_line(ranked)}")


def raw_rows(stream: BinaryIO, size: int, unit: str) -> Iterator[Tensor]:
    """Rows of so many bytes, one for each channel of each pixel: uint8 (size,)."""
    number = 0
    while data := stream.read(size):
        number += 1
        if len(data) < size:
            raise FailureError(
                f"source=-: ends within {unit} {number}, after {len(data)} of its {counted(size, 'byte')}"
            )
        yield torch.frombuffer(bytearray(data), dtype=torch.uint8)


def csv_rows(stream: BinaryIO, size: int, unit: str) -> Iterator[Tensor]:
    """Lines of so many whole numbers from 0 to 255, separated by commas or spaces: uint8 (size,)."""
    number = 0
    while line := stream.readline(LONGEST * size + LONGEST):
        number += 1
        words = line.replace(b",", b" ").split()
        if not words:
            continue
        where = f"source=-: line {number}"
        if len(words) != size:
            raise FailureError(f"{where}: holds {counted(len(words), 'number')}; a {unit} has {size}")
        values = []
        for word in words:
            if not word.isdigit() or len(word) > LONGEST or int(word) > 255:
                shown = word[:20].decode("utf-8", "backslashreplace")
                raise FailureError(f"{where}: {shown} is no pixel; give whole numbers from 0 to 255")
            values.append(int(word))
        yield torch.tensor(values, dtype=torch.uint8)


def _printed(line: str) -> bool:
    """Print to standard output itself, as a stream without an end would fill the log; returns whether somebody reads.

    Where nobody does any more, as behind `| head`, the stream is not read to its end.
    """
    out = sys.__stdout__
    if out is None:
        return False
    try:
        out.flush()
        out.buffer.write(f"{line}\n".encode(out.encoding or "ascii", "backslashreplace"))
        out.buffer.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, out.fileno())  # Python would fail to write the rest at its end
        os.close(nowhere)
        return False
    except OSError as error:
        raise FailureError(f"standard output cannot be written ({error.strerror})") from error
    return True
