"""Augmentation of batches: the geometry against float64, the limits of what is erased, what a draw depends on."""

from math import cos, radians, sin, tan
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from rnnvision.data import Augmentation, ImageData, Split
from rnnvision.data.augment import CACHED, LIMITS, BatchTransform, erase, move, normalise
from rnnvision.data.resident import ResidentLoader

HEIGHT, WIDTH = 9, 14
EVERYTHING: dict[str, Any] = {"shift": 2, "rotate": 20.0, "scale": 0.2, "shear": 10.0, "flip": 0.5, "erase": 0.5}
MIDDLE = [0.5, 0.5, 0.5, 0.999, 0.5, 0.5]  # the draws of no rotation, shear, scale, flip or shift
ROTATE, SHEAR, SCALE, FLIP, SHIFT_X, SHIFT_Y = range(6)  # the columns of draws


def picture(height: int = HEIGHT, width: int = WIDTH, batch: int = 1) -> Tensor:
    return torch.randint(256, (batch, 3, height, width), generator=torch.Generator().manual_seed(0)).float()


def draws(changes: dict[int, float]) -> Tensor:
    return torch.tensor([[changes.get(column, middle) for column, middle in enumerate(MIDDLE)]])


# Geometry -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_shift_is_a_slice_of_the_padded_image(padding: str, flip: bool) -> None:
    most = 2
    options = Augmentation(shift=most, flip=1.0 if flip else 0.0, padding=padding)
    mode: Any = {"zeros": "constant", "border": "edge", "reflection": "symmetric"}[padding]
    image = picture()
    padded = torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), (most, most), (most, most)], mode=mode))
    seen = set()
    for dx in range(-most, most + 1):
        for dy in range(-most, most + 1):
            uniform = draws({SHIFT_X: (dx + most + 0.5) / 5, SHIFT_Y: (dy + most + 0.5) / 5})
            x, y = most + dx, most + dy
            expected = padded[..., y : y + HEIGHT, x : x + WIDTH]
            moved = move(image, uniform, options)
            assert torch.equal(moved, expected.flip(-1) if flip else expected)
            seen.add(tuple(moved.flatten().tolist()))
    assert len(seen) == 25


@pytest.mark.parametrize("size", [28, 32, 224, 225])
def test_shifts_and_flips_change_no_value_whatever_the_size(size: int) -> None:
    image = picture(size, size + 3)
    assert torch.equal(move(image, draws({FLIP: 0.2}), Augmentation(flip=0.3)), image.flip(-1))
    assert torch.equal(move(image, draws({FLIP: 0.4}), Augmentation(flip=0.3)), image)
    moved = move(image, draws({SHIFT_X: 0.0, SHIFT_Y: 0.999999}), Augmentation(shift=4))
    assert torch.equal(moved[..., :-4, 4:], image[..., 4:, :-4])
    assert not moved[..., -4:, :].any()
    assert not moved[..., :4].any()


def resampled(image: Tensor, matrix: np.ndarray, offset: tuple[float, float]) -> np.ndarray:
    """Each pixel of the output from where `matrix` (x, y from the middle) and `offset` send it; bilinear, on black."""
    channels, height, width = image.shape
    pixels = image.double().numpy()
    out = np.zeros((channels, height, width))
    for row in range(height):
        for column in range(width):
            x, y = matrix @ np.array([column - (width - 1) / 2, row - (height - 1) / 2])
            x, y = x + offset[0] + (width - 1) / 2, y + offset[1] + (height - 1) / 2
            for i in (int(np.floor(y)), int(np.floor(y)) + 1):
                for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                    if 0 <= i < height and 0 <= j < width:
                        out[:, row, column] += pixels[:, i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return out


def rotation(degrees: float) -> np.ndarray:
    a = radians(degrees)
    return np.array([[cos(a), -sin(a)], [sin(a), cos(a)]])


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (WIDTH, HEIGHT), (8, 8)])
@pytest.mark.parametrize(
    ("options", "uniform", "matrix", "offset"),
    [
        ({"rotate": 30.0}, {ROTATE: 1.0}, rotation(30), (0, 0)),
        ({"rotate": 30.0}, {ROTATE: 0.25}, rotation(-15), (0, 0)),
        ({"scale": 0.5}, {SCALE: 1.0}, np.eye(2) / 1.5, (0, 0)),
        ({"scale": 0.5}, {SCALE: 0.0}, np.eye(2) / 0.5, (0, 0)),
        ({"shear": 20.0}, {SHEAR: 1.0}, np.array([[1, tan(radians(20))], [0, 1]]), (0, 0)),
        (
            {"rotate": 40.0, "scale": 0.2, "shear": 10.0, "flip": 0.5, "shift": 1},
            {ROTATE: 0.75, SCALE: 1.0, SHEAR: 0.0, FLIP: 0.0, SHIFT_X: 0.9, SHIFT_Y: 0.1},
            rotation(20) / 1.2 @ np.array([[1, -tan(radians(10))], [0, 1]]) @ np.diag([-1, 1]),
            (1, -1),
        ),
    ],
    ids=["rotate", "rotate back", "larger", "smaller", "shear", "all"],
)
def test_a_resampling_agrees_with_float64(
    shape: tuple[int, int],
    options: dict[str, Any],
    uniform: dict[int, float],
    matrix: np.ndarray,
    offset: tuple[float, float],
) -> None:
    image = picture(*shape)
    moved = move(image, draws(uniform), Augmentation(**options))[0]
    np.testing.assert_allclose(moved.double().numpy(), resampled(image[0], matrix, offset), atol=0.02)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (WIDTH, HEIGHT)])
def test_turning_and_scaling_are_those_of_torchvision(shape: tuple[int, int]) -> None:
    image, bilinear = picture(*shape), InterpolationMode.BILINEAR
    turned = move(image, draws({ROTATE: 1.0}), Augmentation(rotate=25.0))
    torch.testing.assert_close(turned, F.rotate(image, 25.0, bilinear), atol=0.02, rtol=0)
    larger = move(image, draws({SCALE: 1.0}), Augmentation(scale=0.3))
    expected = F.affine(image, 0.0, [0.0, 0.0], 1.3, [0.0, 0.0], bilinear)
    torch.testing.assert_close(larger, expected, atol=0.02, rtol=0)
    slanted = move(image, draws({SHEAR: 1.0}), Augmentation(shear=15.0))
    expected = F.affine(image, 0.0, [0.0, 0.0], 1.0, [15.0, 0.0], bilinear)
    torch.testing.assert_close(slanted, expected, atol=0.02, rtol=0)


def test_a_quarter_turn_is_counter_clockwise() -> None:
    image = picture(8, 8)
    moved = move(image, draws({ROTATE: 1.0}), Augmentation(rotate=90.0))
    torch.testing.assert_close(moved, image.rot90(1, (-2, -1)), atol=0.02, rtol=0)


def test_each_image_of_a_batch_moves_by_its_own_draws() -> None:
    images, options = picture(batch=5), Augmentation(shift=2, rotate=15.0, flip=0.5)
    uniform = torch.rand(5, 6, generator=torch.Generator().manual_seed(1))
    together = move(images, uniform, options)
    for i in range(5):
        torch.testing.assert_close(move(images[i : i + 1], uniform[i : i + 1], options)[0], together[i])


# Erasing --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(32, 32), (20, 50)])
def test_what_is_erased_is_one_rectangle_within_its_limits(shape: tuple[int, int]) -> None:
    height, width = shape
    count = 4000
    uniform = torch.rand(count, 5, generator=torch.Generator().manual_seed(0))
    erased = erase(torch.ones(count, 2, height, width), uniform, 0.25) == 0
    assert torch.equal(erased[:, 0], erased[:, 1])
    hit = erased[:, 0].flatten(1).any(dim=1)
    assert abs(float(hit.float().mean()) - 0.25) < 0.03
    rows, columns = erased[hit, 0].any(dim=2), erased[hit, 0].any(dim=1)
    assert torch.equal(erased[hit, 0], rows[:, :, None] & columns[:, None, :])
    assert all("01" * 2 not in "".join(map(str, line)) for line in rows.int().tolist())  # one piece
    h, w = rows.sum(dim=1).double(), columns.sum(dim=1).double()
    area, free = h * w / (height * width), (h < height) & (w < width)
    half = 0.5 / torch.minimum(h, w)  # sides are rounded to whole pixels
    assert (area[free] * (1 + half[free]) ** 2 >= 0.02).all()
    assert (area * (1 - half) ** 2 <= 0.33).all()
    ratio, slack = h / w, (1 + 0.5 / h) / (1 - 0.5 / w)
    assert (ratio[free] <= 3.3 * slack[free]).all()
    assert (ratio[free] >= 1 / (3.3 * ((1 + 0.5 / w) / (1 - 0.5 / h))[free])).all()
    assert rows.any(dim=0).all()  # every place is reached
    assert columns.any(dim=0).all()


def test_what_is_erased_is_the_mean_and_the_rest_stays() -> None:
    mean, std = (0.2, 0.5, 0.7), (0.1, 0.3, 0.5)
    images = picture(batch=20).byte()
    made = {}
    for probability in (0.0, 1.0):
        augmentation = Augmentation(erase=probability)
        transform = BatchTransform(mean, std, augmentation=augmentation, size=20)
        transform.start(0)
        made[probability], _ = transform(images, torch.arange(20), torch.arange(20), 0)
    changed = made[0.0] != made[1.0]
    assert changed.flatten(1).any(dim=1).all()
    assert not made[1.0][changed].any()


# What a draw depends on -----------------------------------------------------------------------------------------------


def loader(
    augmentation: Augmentation, size: int = 13, batch_size: int = 4, seed: int = 3, **options: Any
) -> ResidentLoader:
    """The label of a sample is its index, its image one grey level that tells it."""
    images = torch.arange(size, dtype=torch.uint8)[:, None, None, None].mul(15).add(10).expand(-1, 1, 12, 10)
    transform = BatchTransform(
        (0.0,), (1.0,), augmentation=augmentation, size=size, seed=seed, num_classes=size, rank=options.get("rank", 0)
    )
    split = Split(images.contiguous(), torch.arange(size))
    return ResidentLoader(split, batch_size, transform, seed=seed, **options)


def by_index(made: ResidentLoader, epoch: int) -> dict[int, Tensor]:
    made.sampler.set_epoch(epoch)
    return {int(i): image for images, index in made for i, image in zip(index, images, strict=True)}


def same(one: dict[int, Tensor], other: dict[int, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[i], other[i]) for i in one)


def test_a_draw_depends_on_seed_epoch_and_index_alone() -> None:
    augmentation = Augmentation(**EVERYTHING)
    expected = by_index(loader(augmentation), 2)
    torch.manual_seed(8)
    for batch_size in (1, 5, 13):
        assert same(by_index(loader(augmentation, batch_size=batch_size), 2), expected)
    used = loader(augmentation)
    for epoch in (0, 4, 2):
        found = by_index(used, epoch)
    assert same(found, expected)
    ranks = [by_index(loader(augmentation, rank=rank, world_size=2), 2) for rank in range(2)]
    for i, image in {**ranks[0], **ranks[1]}.items():
        assert torch.equal(image, expected[i])


@pytest.mark.parametrize("change", ["seed", "epoch", "index"])
@pytest.mark.parametrize("option", EVERYTHING)
def test_a_draw_depends_on_each_of_seed_epoch_and_index(option: str, change: str) -> None:
    augmentation = Augmentation(**{option: EVERYTHING[option]})
    split = Split(picture(batch=1)[:, :1].byte().expand(60, -1, -1, -1).contiguous(), torch.zeros(60))

    def made(seed: int, epoch: int) -> Tensor:
        transform = BatchTransform((0.0,), (1.0,), augmentation=augmentation, size=60, seed=seed)
        transform.start(epoch)
        return transform(split.images, split.labels, torch.arange(60), 0)[0]

    one = made(0, 0)
    other = {"seed": made(1, 0), "epoch": made(0, 1), "index": one.roll(1, 0)}[change]
    assert not torch.equal(one, other)


@pytest.mark.parametrize("mixed", [{}, {"mixup": 0.8}, {"mixup": 1}, {"cutmix": 1}, {"mixup": 0.8, "cutmix": 1.0}])
def test_the_generators_of_torch_are_left_alone(mixed: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(seed: int) -> None:
        raise AssertionError("the generators of the GPUs were seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    monkeypatch.setattr(torch.mps, "manual_seed", refuse)
    torch.default_generator.manual_seed(4)
    before = torch.get_rng_state()
    assert len(list(loader(Augmentation(**{**EVERYTHING, **mixed})))) == 4
    assert torch.equal(torch.get_rng_state(), before)


# Mixing ---------------------------------------------------------------------------------------------------------------

MIXES = {"mixup": {"mixup": 0.8}, "cutmix": {"cutmix": 1.0}, "both": {"mixup": 0.8, "cutmix": 1.0}}


def batches(made: ResidentLoader, epoch: int = 0) -> list[tuple[Tensor, Tensor]]:
    made.sampler.set_epoch(epoch)
    return list(made)


@pytest.mark.parametrize("name", MIXES)
def test_mixed_labels_say_how_much_of_each_image_there_is(name: str) -> None:
    made = batches(loader(Augmentation(**MIXES[name]), size=16, batch_size=8))
    made += batches(loader(Augmentation(**MIXES[name]), size=16, batch_size=8), 1)
    grey = (torch.arange(16) * 15 + 10) / 255
    changed = 0
    for images, labels in made:
        assert (images.shape, labels.shape, labels.dtype) == ((8, 1, 12, 10), (8, 16), torch.float32)
        assert (labels >= 0).all()
        torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))
        torch.testing.assert_close(images.mean(dim=(1, 2, 3)), labels @ grey)
        changed += int((labels.max(dim=1).values < 1).any())
    assert changed


def test_with_mixup_and_cutmix_each_batch_takes_one_of_them() -> None:
    made = loader(Augmentation(mixup=0.8, cutmix=1.0), size=16, batch_size=8)
    flat = [bool((images.std(dim=(1, 2, 3)) < 1e-6).all()) for epoch in range(10) for images, _ in batches(made, epoch)]
    assert 4 <= sum(flat) <= 16


def test_mixing_depends_on_seed_epoch_batch_and_rank_alone() -> None:
    augmentation = Augmentation(mixup=1.0)

    def shares(epoch: int = 0, **options: Any) -> list[list[float]]:
        made = loader(augmentation, size=16, **options)
        return [sorted(labels[0][labels[0] > 0].tolist()) for _, labels in batches(made, epoch)]

    expected = shares(1)
    torch.manual_seed(9)
    used = loader(augmentation, size=16)
    batches(used, 0)
    again = [sorted(labels[0][labels[0] > 0].tolist()) for _, labels in batches(used, 1)]
    assert again == expected
    assert len({tuple(share) for share in expected}) == 4  # each batch by another number
    assert shares(2) != expected
    assert shares(1, seed=4) != expected
    one, other = (shares(1, rank=rank, world_size=2, batch_size=2) for rank in range(2))
    assert all(a != b for a, b in zip(one, other, strict=True))


# Arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        *[(name, value) for name in LIMITS for value in (-0.1, float("nan"), "much", None, True)],
        *[(name, limit * 1.01) for name, limit in LIMITS.items()],
        *[("shift", value) for value in (-1, 1.5, "far", float("nan"))],
        *[(name, value) for name in ("mixup", "cutmix") for value in (-1.0, float("nan"), float("inf"), "much")],
        ("padding", "zero"),
        ("policy", "autoaugment"),
    ],
)
def test_an_argument_out_of_range_is_named(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{argument}={value}: "):
        Augmentation(**{argument: value})


def test_the_limits_themselves_are_legal() -> None:
    limits: dict[str, Any] = {**LIMITS}
    assert Augmentation(**limits).moves
    assert not Augmentation(**dict.fromkeys(limits, 0)).moves


def test_it_says_what_it_does() -> None:
    assert str(Augmentation()) == "none"
    assert str(Augmentation(shift=4, flip=0.5)) == "shift 4, flip 0.5"


def test_validation_and_test_are_not_augmented() -> None:
    tiny = {"image_shape": (1, 8, 8), "num_classes": 4, "num_train": 60, "num_test": 20}
    plain, changed = (
        ImageData("fake", augmentation=augmentation, **tiny)
        for augmentation in (None, Augmentation(**EVERYTHING, mixup=0.5))
    )
    for name in ("val_dataloader", "test_dataloader"):
        for one, other in zip(getattr(plain, name)(), getattr(changed, name)(), strict=True):
            assert torch.equal(one[0], other[0])
            assert torch.equal(one[1], other[1])
    images, labels = next(iter(changed.train_dataloader()))
    assert labels.shape == (54, 4)
    assert not torch.equal(images, next(iter(plain.train_dataloader()))[0])


# Normalisation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [5, 300])  # many pictures at a time, one at a time
def test_normalisation_is_the_same_for_every_layout(channels: int, side: int) -> None:
    images = torch.randint(256, (5, channels, side, side), generator=torch.Generator().manual_seed(0)).byte()
    scale, shift = torch.tensor([0.5, 0.25, 3.0])[:channels], torch.tensor([-1.0, 0.125, 2.0])[:channels]
    expected = images.float() * scale[:, None, None] + shift[:, None, None]
    assert (side == 5) == (images[0].numel() * 5 < CACHED)
    last = images.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    for laid_out in (images, last, images.transpose(2, 3).contiguous().transpose(2, 3), last[::2]):
        part = expected[::2] if len(laid_out) == 3 else expected
        assert torch.equal(normalise(laid_out, scale, shift), part)
    assert normalise(last, scale, shift).is_contiguous(memory_format=torch.channels_last)
