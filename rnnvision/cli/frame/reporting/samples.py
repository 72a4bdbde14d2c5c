"""Images of a split for a report: as the network reads them, and as pictures."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rnnvision.report.page.blocks import Picture

if TYPE_CHECKING:
    from rnnvision.data.splits import Samples

LARGEST = 160  # pixels of a side of a picture in the page
FAINT = 38  # opacity, of 255, of what has not been read


def pixels(samples: "Samples", indices: list[int]) -> Tensor:
    """Those images at the size that the network reads: uint8 (B, C, H, W)."""
    return torch.stack([samples.seen(index) for index in indices])


def spread(total: int, count: int) -> list[int]:
    """`count` indices evenly over `total`, all of them where there are fewer.

    Examples:
        >>> spread(10, 3), spread(2, 3)
        ([0, 3, 6], [0, 1])
    """
    count = min(total, count)
    return [i * total // count for i in range(count)]


def picture(image: Tensor, opacity: Tensor | None = None) -> Picture:
    """uint8 (C, H, W) -> Picture; `opacity` (H, W) in [0, 1] goes with it. Of many channels the first is shown."""
    image = image if image.shape[0] in (1, 3) else image[:1]
    if opacity is not None:
        faded = FAINT + (255 - FAINT) * opacity  # (H, W)
        image = torch.cat([image.expand(3, -1, -1), faded.to(torch.uint8).unsqueeze(0)])
    side = max(image.shape[1:])
    if side > LARGEST:
        image = interpolate(image[None].float(), scale_factor=LARGEST / side, mode="area")[0].round().to(torch.uint8)
    c, h, w = image.shape
    return Picture(w, h, c, image.permute(1, 2, 0).contiguous().numpy().tobytes())
