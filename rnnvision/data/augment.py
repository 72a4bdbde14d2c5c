"""Augmentation of a whole batch at once, on the training device: uint8 images in, normalised batches out.

Every number that is drawn for an image is a function of (seed, epoch, index), so the same seed gives the same images
whatever the batch size, the number of workers or the point from which a run was resumed. Mixup and cutmix join the
images of a batch: what they draw is a function of (seed, epoch, batch, rank).

Shapes: N training samples, B images of a batch, C channels, H x W pixels, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import log

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rnnvision.checks import LONGEST_SIDE, at_least, number, one_of
from rnnvision.seeding import derive_seed

POLICIES = ("randaugment", "trivialaugment")
PADDINGS = ("zeros", "border", "reflection")
CACHED = 2**18  # float32 values: a megabyte of them stays in a core's cache
LIMITS = {"rotate": 180.0, "scale": 0.9, "shear": 80.0, "flip": 1.0, "crop": 1.0, "erase": 1.0}  # 0 <= value <= limit


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Augmentation of the training images; by default none.

    Attributes:
        shift: by up to so many pixels, each axis independently.
        rotate: by up to so many degrees, either way.
        scale: by a factor in [1 - scale, 1 + scale].
        shear: horizontally, by up to so many degrees.
        flip: left to right, with this probability.
        padding: what fills in from outside: zeros (black), border (the edge is repeated) or reflection.
        erase: with this probability a rectangle of 2-33 % of the area is set to the mean (arXiv 1708.04896).
        crop: a random part of the image, of at least this share of its area and of aspect ratio 3/4 to 4/3, resized
            (arXiv 1409.4842); 0 for none. Streamed images only.
        policy: randaugment (arXiv 1909.13719: 2 operations of magnitude 9) or trivialaugment (arXiv 2103.10158).
            Streamed images only.
        mixup: alpha of arXiv 1710.09412, 0 for none.
        cutmix: alpha of arXiv 1905.04899, 0 for none; with both, each batch takes one of the two at random.

    Raises:
        ValueError: for a value out of range.

    Examples:
        >>> print(Augmentation(shift=2, rotate=10.0))
        shift 2, rotate 10.0
    """

    shift: int = 0
    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    padding: str = "zeros"
    erase: float = 0.0
    crop: float = 0.0
    policy: str | None = None
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        at_least("shift", self.shift, 0, LONGEST_SIDE)
        for name, limit in LIMITS.items():
            number(name, getattr(self, name), limit)
        number("mixup", self.mixup)
        number("cutmix", self.cutmix)
        one_of("padding", self.padding, PADDINGS)
        if self.policy is not None:
            one_of("policy", self.policy, POLICIES)

    @property
    def moves(self) -> bool:
        return bool(self.shift or self.rotate or self.scale or self.shear or self.flip)

    @property
    def needs_whole_images(self) -> bool:
        """Whether it works on single images, at the size that they have in their files."""
        return bool(self.crop or self.policy)

    def __str__(self) -> str:
        changed = ((f.name, getattr(self, f.name)) for f in fields(self) if getattr(self, f.name) != f.default)
        return ", ".join(f"{name} {value}" for name, value in changed) or "none"


class BatchTransform:
    """From uint8 (B, C, H, W) and labels (B,) to a normalised, augmented batch.

    Args:
        mean, std: of each channel, pixels in [0, 1].
        device: where batches are made.
        augmentation: None for validation and test.
        size: N, of the split.
        seed: of all random numbers.
        num_classes: K; mixed labels are (B, K) probabilities.
        rank: of this process, which mixes within its own batches.
    """

    def __init__(
        self,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        device: torch.device | str = "cpu",
        *,
        augmentation: Augmentation | None = None,
        size: int = 0,
        seed: int = 0,
        num_classes: int = 0,
        rank: int = 0,
    ) -> None:
        self._scale = (1 / (255 * torch.tensor(std))).to(device)
        self._shift = -(torch.tensor(mean) / torch.tensor(std)).to(device)
        self._augmentation = augmentation or Augmentation()
        self._device, self._size, self._seed, self._rank = device, size, seed, rank
        self._epoch = 0
        self._geometry, self._erasing = torch.empty(0), torch.empty(0)
        self._mixing = _mixing(self._augmentation, num_classes)

    def start(self, epoch: int) -> None:
        """Draw the random numbers of an epoch, uniform in [0, 1), one row per sample."""
        self._epoch = epoch
        if self._augmentation.moves:
            self._geometry = self._draw("geometry", epoch, 6)
        if self._augmentation.erase:
            self._erasing = self._draw("erase", epoch, 5)

    def __call__(self, images: Tensor, labels: Tensor, index: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """The finished batch: float32 (B, C, H, W), and labels (B,), or (B, K) where they are mixed."""
        if self._augmentation.moves:
            images = move(images.float(), self._geometry[index], self._augmentation)
        pixels = normalise(images, self._scale, self._shift)
        if self._augmentation.erase:
            pixels = erase(pixels, self._erasing[index], self._augmentation.erase)
        if self._mixing is None:
            return pixels, labels
        with torch.random.fork_rng(devices=[]):  # torchvision draws from torch's own generator, on the CPU
            # torch.manual_seed would seed the GPUs too, and so dropout.
            torch.default_generator.manual_seed(derive_seed("mix", self._seed, self._epoch, batch, self._rank))
            return self._mixing(pixels, labels)

    def _draw(self, what: str, epoch: int, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(derive_seed(what, self._seed, epoch))
        return torch.rand(self._size, count, generator=generator).to(self._device)


def normalise(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """images * scale + shift, per channel: (B, C, H, W) of any dtype, (C,), (C,) -> float32, laid out as `images`.

    On the CPU in groups of images that fit its cache: this is a third faster.
    """
    if not images.is_contiguous(memory_format=torch.channels_last):
        images = images.contiguous()
    pixels = torch.empty_like(images, dtype=torch.float32)
    channels = (1, len(scale), 1, 1)
    if images.is_contiguous():
        whole, finished, scale, shift = images, pixels, scale.reshape(channels), shift.reshape(channels)
    else:  # channels last: a row of pixels as one vector, since loops over three channels are slow
        whole, finished = (x.permute(0, 2, 3, 1).flatten(2) for x in (images, pixels))  # (B, H, W * C)
        scale, shift = (x.repeat(images.shape[3]) for x in (scale, shift))
    count = max(1, CACHED // images[0].numel()) if images.device.type == "cpu" else len(images)
    for raw, done in zip(whole.split(count), finished.split(count), strict=True):
        done.copy_(raw).mul_(scale).add_(shift)
    return pixels


def _mixing(augmentation: Augmentation, num_classes: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None:
    if not (augmentation.mixup or augmentation.cutmix):
        return None
    from torchvision.transforms import v2

    mixup = [v2.MixUp(alpha=float(augmentation.mixup), num_classes=num_classes)] if augmentation.mixup else []
    cutmix = [v2.CutMix(alpha=float(augmentation.cutmix), num_classes=num_classes)] if augmentation.cutmix else []
    return v2.RandomChoice([*mixup, *cutmix])


def move(images: Tensor, uniform: Tensor, augmentation: Augmentation) -> Tensor:
    """Shift, rotate, scale, shear and flip: (B, C, H, W), (B, 6) -> (B, C, H, W).

    Shifts and flips alone move whole pixels and change no value; the rest is one bilinear resampling.
    """
    steps = 2 * augmentation.shift + 1
    dx, dy = ((uniform[:, 4:] * steps).floor() - augmentation.shift).unbind(1)  # whole pixels
    flipped = uniform[:, 3] < augmentation.flip
    if not (augmentation.rotate or augmentation.scale or augmentation.shear):
        return _move_pixels(images, dx.long(), dy.long(), flipped, augmentation.padding)
    height, width = images.shape[-2:]
    signed = 2 * uniform - 1  # (B, 6)
    angle = torch.deg2rad(signed[:, 0] * augmentation.rotate)
    shear = torch.tan(torch.deg2rad(signed[:, 1] * augmentation.shear))
    zoom = 1 / (1 + signed[:, 2] * augmentation.scale)  # of the map from output to input
    mirror = torch.where(flipped, -1.0, 1.0)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    # Rows of the map from output to input, in units of half a side, as grid_sample wants it.
    x_row = torch.stack((cos * mirror, (cos * shear - sin) * (height / width), dx * (2 / width)), dim=1)
    y_row = torch.stack((sin * mirror * (width / height), sin * shear + cos, dy * (2 / height)), dim=1)
    grid = affine_grid(torch.stack((x_row, y_row), dim=1), list(images.shape), align_corners=False)
    return grid_sample(images, grid, mode="bilinear", padding_mode=augmentation.padding, align_corners=False)


def _move_pixels(images: Tensor, dx: Tensor, dy: Tensor, flipped: Tensor, padding: str) -> Tensor:
    """Each output pixel is the input pixel offset by (dx, dy) (B,), in a flipped image counted from the right."""
    channels, height, width = images.shape[1:]
    x = torch.arange(width, device=images.device)
    columns, no_column = _inside(torch.where(flipped[:, None], width - 1 - x, x) + dx[:, None], width, padding)
    rows, no_row = _inside(torch.arange(height, device=images.device) + dy[:, None], height, padding)
    place = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)[:, None].expand(-1, channels, -1)
    moved = images.flatten(2).gather(2, place).reshape(images.shape)
    if padding == "zeros":
        moved.masked_fill_((no_row[:, :, None] | no_column[:, None, :])[:, None], 0.0)
    return moved


def _inside(place: Tensor, length: int, padding: str) -> tuple[Tensor, Tensor]:
    """The indices in [0, length) that padding puts in place of these, and which of these were outside."""
    outside = (place < 0) | (place >= length)
    if padding == "reflection":  # about the edge, the outermost pixel twice, as grid_sample does
        place = place.remainder(2 * length)
        return torch.minimum(place, 2 * length - 1 - place), outside
    return place.clamp(0, length - 1), outside


def erase(images: Tensor, uniform: Tensor, probability: float) -> Tensor:
    """Set a rectangle of some images to 0, the mean: (B, C, H, W), (B, 5) -> (B, C, H, W)."""
    height, width = images.shape[-2:]
    area = (0.02 + 0.31 * uniform[:, 1]) * height * width
    ratio = torch.exp((2 * uniform[:, 2] - 1) * log(3.3))
    h = (area * ratio).sqrt().round().clamp(1, height)
    w = (area / ratio).sqrt().round().clamp(1, width)
    h = torch.where(uniform[:, 0] < probability, h, 0.0)
    top, left = (uniform[:, 3] * (height - h + 1)).floor(), (uniform[:, 4] * (width - w + 1)).floor()
    inside = _between(height, top, h)[:, None, :, None] & _between(width, left, w)[:, None, None, :]  # (B, 1, H, W)
    return images.masked_fill_(inside, 0.0)


def _between(length: int, start: Tensor, count: Tensor) -> Tensor:
    """Which of `length` indices lie in [start, start + count): (B, length)."""
    place = torch.arange(length, device=start.device)
    return (place >= start[:, None]) & (place < (start + count)[:, None])
