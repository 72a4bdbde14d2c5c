"""The tokens of a stream: those of the scan, in every order, whatever comes in at a time; and what is kept of it."""

from typing import Any

import pytest
import torch

from rnnvision.nn import ORDERS, SCANS, Scan
from rnnvision.nn.streaming import TokenStream
from tests.nn.cases import scan_arguments

ENDLESS = {"rows", "columns", "pixels", "row_pairs", "patches", "snake"}
CASES: dict[str, dict[str, Any]] = {name: scan_arguments(name, channels=2) for name in SCANS}
CASES |= {f"order_{name}": {"input_shape": (2, 6, 8), "scan": "pixels", "order": name} for name in ORDERS}
CASES |= {
    "shuffled_columns": {"input_shape": (2, 6, 8), "scan": "columns", "order": "random"},
    "patches_of_a_margin": {"input_shape": (2, 6, 8), "scan": "patches", "patch_size": 2, "margin": 1},
    "columns_of_a_margin": {"input_shape": (2, 6, 8), "scan": "columns", "margin": 2},
    "snake_of_pairs": {"input_shape": (2, 10, 8), "scan": "snake", "patch_size": 2},
    "wide_columns": {"input_shape": (2, 6, 8), "scan": "patches", "patch_size": (6, 2)},
    "one_token": {"input_shape": (2, 6, 8), "scan": "patches", "patch_size": (6, 8)},
}


def along(stream: TokenStream) -> int:
    """The dimension of an image (C, H, W) along which its lines follow each other."""
    return 1 if stream.axis == "rows" else 2


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_tokens_are_those_of_the_scan_each_as_soon_as_its_lines_are_there(case: dict[str, Any]) -> None:
    scan = Scan(**case)
    stream = TokenStream(scan)
    shape = [1, 1, 1]
    shape[along(stream)] = stream.num_lines
    numbers = torch.arange(float(stream.num_lines)).reshape(shape).expand(scan.input_shape)  # of each pixel's line
    due = scan(numbers[None])[0].amax(dim=1).cummax(dim=0).values.tolist()  # the line that each token waits for
    for image in torch.rand(2, *scan.input_shape):
        found = [stream.read(line) for line in image.unbind(along(stream))]
        assert torch.equal(torch.cat(found), scan(image[None])[0])
        assert [len(tokens) for tokens in found] == [due.count(i) for i in range(stream.num_lines)]
        stream.reset()


@pytest.mark.parametrize("name", SCANS)
def test_a_stream_goes_on_where_the_order_lets_it(name: str) -> None:
    """An endless stream is read as an image twice as long is: a snake of three rows turns to the left in the fourth."""
    case = scan_arguments(name, channels=2, rows=3, columns=5)
    scan, stream = Scan(**case), TokenStream(Scan(**case))
    assert stream.endless == (name in ENDLESS)
    image = torch.rand(scan.input_shape)
    for line in image.unbind(along(stream)):
        stream.read(line)
    if not stream.endless:
        with pytest.raises(ValueError, match=rf"^line {stream.num_lines + 1}: the image has {stream.num_lines} rows$"):
            stream.read(torch.rand(stream.line_shape))
        return
    twice = torch.cat((image, image), dim=along(stream))
    longer = Scan(**(case | {"input_shape": tuple(twice.shape)}))(twice[None])[0]
    found = [stream.read(line) for line in image.unbind(along(stream))]
    assert torch.equal(torch.cat(found), longer[scan.num_tokens :])


def kept(stream: TokenStream) -> int:
    """Values that a stream holds."""
    return sum(v.numel() for v in [*stream._lines, *stream._bands.values()])


@pytest.mark.parametrize("name", SCANS)
def test_no_more_is_kept_than_the_lines_of_a_token_or_one_image(name: str) -> None:
    scan = Scan(**scan_arguments(name))
    stream = TokenStream(scan)
    line = torch.rand(stream.line_shape)
    most = 0
    for _ in range(stream.num_lines * (50 if stream.endless else 1)):
        stream.read(line)
        most = max(most, kept(stream))
    height, image = scan.token_shape[stream.axis == "columns"], line.numel() * stream.num_lines
    assert most <= ((height - 1) * line.numel() if stream.endless else image)
    assert stream.endless or not kept(stream)
