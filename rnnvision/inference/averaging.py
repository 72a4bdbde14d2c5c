"""Averaging over views of an image: it is shown shifted and mirrored, and the probabilities are averaged."""

from torch import Tensor
from torch.nn.functional import pad

from rnnvision.checks import one_of

VIEWS = ("shifts", "flips", "both")
STEPS = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


def shown_views(pixels: Tensor, kind: str) -> list[Tensor]:
    """The views of each image, the image itself first: (B, C, H, W) -> 2, 5 or 10 of (B, C, H, W).

    Args:
        pixels: images.
        kind: "shifts" by 1/28 of a side in four directions, with the pixels of the border repeated; "flips": mirrored
            left to right, for what may be seen from both sides, which digits may not; "both".

    Raises:
        ValueError: for another kind.
    """
    one_of("average", kind, VIEWS)
    views = [pixels] if kind == "flips" else [_shifted(pixels, *step) for step in STEPS]
    return views if kind == "shifts" else views + [view.flip(-1) for view in views]


def _shifted(pixels: Tensor, down: int, right: int) -> Tensor:
    if not down and not right:
        return pixels
    height, width = pixels.shape[-2:]
    y, x = max(1, round(height / 28)), max(1, round(width / 28))
    padded = pad(pixels.float(), (x, x, y, y), mode="replicate").to(pixels.dtype)
    top, left = y * (1 - down), x * (1 - right)
    return padded[..., top : top + height, left : left + width]
