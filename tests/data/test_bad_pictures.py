"""Pictures of strangers: each kind is read rightly or refused with its reason, on one line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import DataError
from rnnvision.data.images import View, open_many, open_seen
from tests.data.pictures import DARK, LIGHT, READABLE, UNREADABLE, Made, bomb, halves, make_bad_pictures

VIEW = View(image_size=8, convert=True, reduced_scale=True)  # as predict opens them
OTHERS = (
    *("missing", "below a file", "folder", "pipe", "device", "socket", "link to nothing", "link to itself"),
    "a name too long",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return make_bad_pictures(tmp_path_factory.mktemp("pictures"))


def test_every_kind_is_tried(made: dict[str, Made]) -> None:
    assert set(made) == {*READABLE, *UNREADABLE, *OTHERS}


@pytest.mark.timeout(20)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # what PIL says of damage beside the exception
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [*READABLE, *UNREADABLE, *OTHERS])
def test_a_picture_is_read_rightly_or_refused_on_one_line(made: dict[str, Made], kind: str, channels: int) -> None:
    path, reason = made[kind]
    view = replace(VIEW, channels=channels)
    if reason is not None:
        with pytest.raises(DataError) as error:
            open_seen(path, view)
        assert reason in str(error.value)
        assert len(str(error.value).splitlines()) == 1
        return
    seen = open_seen(path, view)
    assert seen.shape == (channels, 8, 8)
    assert (seen[..., :3].int() - DARK).abs().max() <= 4
    assert (seen[..., 5:].int() - LIGHT).abs().max() <= 4


def test_a_single_pixel_fills_the_view(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "gif"):
        Image.new("L", (1, 1), 77).save(tmp_path / f"a.{suffix}")
        assert (open_seen(tmp_path / f"a.{suffix}", VIEW).int() - 77).abs().max() <= 2


def test_a_null_character_in_a_name_is_told() -> None:
    with pytest.raises(DataError, match=r"^a\\x00.png: cannot be read \(embedded null"):
        open_seen(Path("a\0.png"), VIEW)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    path = tmp_path / "a.png"
    halves().save(path)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open" if place == "file" else "stat", refuse)  # the superuser may read everything
    with pytest.raises(DataError) as error:
        open_seen(path, VIEW)
    assert str(error.value) == f"{path}: cannot be read (Permission denied)"


@pytest.mark.parametrize("kind", ["WEBP", "JPEG2000", "AVIF"])
def test_what_takes_twice_the_memory_counts_twice(tmp_path: Path, kind: str) -> None:
    halves(48).save(tmp_path / "a", kind)
    told = "48 x 48 pixels, of which each counts twice in"
    with pytest.raises(DataError, match=f"{told} {kind}, more than data.max_pixels=4607 allows; data.max_pixels=4608 "):
        open_seen(tmp_path / "a", View(max_pixels=4607))
    open_seen(tmp_path / "a", View(max_pixels=4608))


def test_a_picture_of_some_kilobytes_takes_no_gigabyte(tmp_path: Path) -> None:
    """1 bit a pixel in 26 kB, as many pixels as are allowed."""
    path = tmp_path / "a.png"
    path.write_bytes(bomb(8000))
    assert path.stat().st_size < 30_000
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux begins to count anew
    except OSError:
        pytest.skip("the peak of memory cannot be measured here")
    before = _megabytes("VmRSS")
    seen = open_seen(path, VIEW)
    assert _megabytes("VmHWM") - before < 400
    assert seen[..., :3].max() == 0
    assert seen[..., 5:].min() == 255


def _megabytes(key: str) -> float:
    """A figure of this process's memory: VmRSS now, VmHWM at its peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) / 1024


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_among_others_each_is_answered_in_its_place(made: dict[str, Made]) -> None:
    found = list(open_many([path for path, _ in made.values()], VIEW))
    assert [isinstance(seen, DataError) for seen in found] == [reason is not None for _, reason in made.values()]
    for seen, (path, _) in zip(found, made.values(), strict=True):
        if isinstance(seen, torch.Tensor):
            assert np.array_equal(seen, open_seen(path, VIEW))
