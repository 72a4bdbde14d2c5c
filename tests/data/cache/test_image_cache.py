"""The cache of decoded images: the same pixels with it and without, decoded once, and again where one could differ."""

import os
import shutil
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from rnnvision.data import DataError, ImageData, files
from rnnvision.data.cache import images as cache_images
from rnnvision.data.cache import pool as cache_pool
from rnnvision.data.cache import rows as cache_rows
from rnnvision.data.files import FileSplit, encode
from rnnvision.data.images import View
from tests.decodes import opened_files

CLASSES = ("ant", "bee", "cat")
EACH = 12


def paint(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)).save(path, quality=95)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(EACH):
            paint(folder / name / f"{i}.jpg", 100 * number + i)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are decoded, as they are."""
    return opened_files(monkeypatch)


def photos(root: Path, cache: Path | bool, **options: Any) -> ImageData:
    where = cache if isinstance(cache, bool) else str(cache)
    given = {"image_size": 8, "num_workers": 0, "val_fraction": 0.3, **options}
    data = ImageData("image_folder", root=str(root), cache=where, **given)
    data.setup()
    return data


def pixels(data: ImageData) -> list[torch.Tensor]:
    return [torch.stack([part.load(i) for i in range(len(part))]) for part in data.splits.values()]


def same(one: ImageData, other: ImageData) -> bool:
    assert one.record is not None
    assert other.record is not None
    records = [{part: f.tolist() for part, f in data.record.files.items()} for data in (one, other) if data.record]
    names = [[part.name(i) for part in data.splits.values() for i in range(len(part))] for data in (one, other)]
    labels = [[part.labels.tolist() for part in data.splits.values()] for data in (one, other)]
    equal = all(map(torch.equal, pixels(one), pixels(other)))
    return equal and records[0] == records[1] and names[0] == names[1] and labels[0] == labels[1]


def pools(kept: Path) -> set[str]:
    return {about.parent.name for about in kept.glob(f"*/{cache_pool.ABOUT}")}


@pytest.mark.parametrize("small", [0, 2**26])  # of a file that is mapped, and of one that is copied
def test_all_is_as_without_it_and_the_second_run_decodes_nothing(
    root: Path, kept: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(cache_rows, "SMALL", small)
    without = photos(root, cache=False)
    assert not kept.exists()
    decoded.clear()
    first = photos(root, kept)
    assert len(decoded) == 3 * EACH
    assert f"; 36 images decoded and kept in {kept}; resident" in first.summary()
    decoded.clear()
    second = photos(root, kept)
    assert decoded == []
    assert f"; 36 images from the cache {kept}; resident" in second.summary()
    assert same(without, first)
    assert same(without, second)
    assert [(path.stat().st_mode & 0o77) for path in (kept, *(kept / name for name in pools(kept)))] == [0, 0, 0]
    maps = [str(kept) in line for line in Path("/proc/self/maps").read_text().splitlines()]
    assert any(maps) is (small == 0)
    for data in (first, second):  # what is trained on may be changed by whoever holds it, the file may not
        data.splits.train.load(0).zero_()
    assert same(without, photos(root, kept))


def test_no_file_is_looked_at_before_a_training_that_a_cache_has(
    root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def setup() -> list[str]:
        looked: list[str] = []
        monkeypatch.setattr(files, "inspect_image", lambda path, view: looked.append(path.name))
        ImageData("image_folder", root=str(root), cache=str(kept), image_size=8, num_workers=0).setup("fit")
        return looked

    assert len(setup()) > 1  # of test, since it is decoded at the end alone
    data = photos(root, kept, val_fraction=0.1)
    assert setup() == []
    name = Path(data.splits.test.name(0))
    paint(name, 9)
    assert setup() == [name.name]


def test_other_splits_of_the_same_files_decode_nothing(root: Path, kept: Path, decoded: list[str]) -> None:
    photos(root, kept)
    decoded.clear()
    for options in ({"split_seed": 1}, {"val_fraction": 0.5}, {"max_train_samples": 5}, {"test_fraction": 0.4}):
        assert same(photos(root, kept, **options), photos(root, kept, **options))
        assert decoded == []
        assert same(photos(root, kept, **options), photos(root, cache=False, **options))
        decoded.clear()


def replace_content(path: Path) -> None:
    """Another image of the same size, with the times of the old one."""
    status = path.stat()
    Image.open(path.with_name("3.jpg")).save(path, quality=30)
    path.write_bytes(path.read_bytes().ljust(status.st_size, b"\0"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


CHANGES: dict[str, tuple[Callable[[Path], object], int]] = {  # and how many files have to be decoded
    "changed": (lambda path: paint(path, 7), 1),
    "changed, with size and time of the old one": (replace_content, 1),
    "touched": (lambda path: os.utime(path, ns=(1, 1)), 1),
    "added": (lambda path: paint(path.with_name("new.jpg"), 8), 1),
    "removed": (lambda path: path.unlink(), 0),
    "renamed": (lambda path: path.rename(path.with_name("other.jpg")), 1),
    "swapped": (
        lambda path: (
            path.rename(path.with_name("x")),
            path.with_name("5.jpg").rename(path),
            path.with_name("x").rename(path.with_name("5.jpg")),
        ),
        2,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed_and_nothing_else_is_decoded(
    root: Path, kept: Path, decoded: list[str], change: str
) -> None:
    photos(root, kept)
    make, count = CHANGES[change]
    make(root / "bee" / "4.jpg")
    decoded.clear()
    data = photos(root, kept)
    assert len(decoded) == count
    assert same(data, photos(root, cache=False))
    decoded.clear()
    assert same(data, photos(root, kept))
    assert decoded == []


def test_a_link_to_another_file_of_the_same_size_and_times_is_a_change(root: Path, kept: Path, tmp_path: Path) -> None:
    targets = [tmp_path / f"{i}.bmp" for i in range(2)]
    for shade, target in zip((50, 200), targets, strict=True):
        Image.new("RGB", (20, 24), (shade, shade, shade)).save(target)
    for _ in range(1000):
        for target in targets:
            os.utime(target, ns=(1, 1))
        if targets[0].stat().st_ctime_ns == targets[1].stat().st_ctime_ns:  # as of files that are unpacked together
            break
    else:
        pytest.skip("this file system tells the times of all files apart")
    link = root / "bee" / "4.bmp"
    link.symlink_to(targets[0])
    photos(root, kept)
    link.unlink()
    link.symlink_to(targets[1])
    assert same(photos(root, kept), photos(root, cache=False))


OTHER = {  # another value of each option of a view
    "image_size": 6, "crop_ratio": 0.5, "fit": "letterbox", "channels": 1, "max_pixels": 1000, "first_frame": True,
    "reduced_scale": True, "used_bits": 12, "convert": True,
}  # fmt: skip


@pytest.mark.parametrize("option", [field.name for field in fields(View)])
def test_every_option_of_a_view_has_pixels_of_its_own(root: Path, kept: Path, decoded: list[str], option: str) -> None:
    defaults = {f.name: f.default for f in fields(View) if f.default is not MISSING}
    assert OTHER[option] != defaults[option], "give a new option of View another value here"
    changed = {"on_bad_file": "convert"} if option == "convert" else {option: OTHER[option]}
    photos(root, kept)
    before = pools(kept)
    decoded.clear()
    data = photos(root, kept, **changed)
    assert len(decoded) == 3 * EACH
    assert len(pools(kept) - before) == 1
    assert same(data, photos(root, cache=False, **changed))


@pytest.mark.parametrize("what", ["torch", "torchvision", "pillow", "libraries", "code", "machine", "cpu"])
def test_another_decoder_has_pixels_of_its_own(
    root: Path, kept: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    photos(root, kept)
    now = cache_images.decoders()
    assert now[what]
    monkeypatch.setattr(cache_images, "decoders", lambda: {**now, what: "another"})
    decoded.clear()
    photos(root, kept)
    assert len(decoded) == 3 * EACH


def test_changed_code_of_the_decoders_is_another_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_images.decoders.__wrapped__()["code"]
    copy = shutil.copytree(Path(cache_images.images.__file__).parent, tmp_path / "images")
    monkeypatch.setattr(cache_images.images, "__file__", str(copy / "__init__.py"))
    assert cache_images.decoders.__wrapped__()["code"] == before
    for path in copy.glob("*.py"):
        code = path.read_text()
        path.write_text(code + "\n")
        assert cache_images.decoders.__wrapped__()["code"] != before
        path.write_text(code)


# Bad files ------------------------------------------------------------------------------------------------------------


def test_bad_files_are_remembered_with_their_messages(root: Path, kept: Path, decoded: list[str]) -> None:
    for part in ("ant/bad.jpg", "bee/bad.png", "cat/bad.gif"):
        (root / part).write_bytes(b"no image")
    without = photos(root, cache=False, on_bad_file="skip")
    first = photos(root, kept, on_bad_file="skip")
    decoded.clear()
    second = photos(root, kept, on_bad_file="skip")
    assert decoded == []
    assert len(second.bad_files) == 3
    assert first.bad_files == second.bad_files == without.bad_files
    assert same(without, second)
    with pytest.raises(DataError) as error:
        photos(root, kept)
    assert decoded == []
    with pytest.raises(DataError) as fresh:
        photos(root, cache=False)
    assert str(error.value) == str(fresh.value)


def test_what_stops_a_run_is_not_decoded_again_once_it_is_mended(root: Path, kept: Path, decoded: list[str]) -> None:
    bad = root / "ant" / "bad.jpg"
    bad.write_bytes(b"no image")
    with pytest.raises(DataError):
        photos(root, kept)
    paint(bad, 1)
    decoded.clear()
    assert same(photos(root, kept), photos(root, kept))
    assert decoded == ["bad.jpg"]


@pytest.mark.parametrize(
    "cause",
    [
        PermissionError(13, "Permission denied"),
        OSError(5, "Input/output error"),
        MemoryError(),
        OSError("out of memory error when reading image file"),  # Pillow's
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory"),  # torch's
        RuntimeError("Insufficient memory (case 4)"),  # libjpeg's
    ],
)
def test_an_error_of_the_system_is_not_remembered(
    root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    real = files.open_seen

    def fail(path: Path, *arguments: Any) -> torch.Tensor:
        if path.name == "4.jpg":
            raise DataError(f"{path}: cannot be read") from cause
        return real(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(files, "open_seen", fail)
        assert len(photos(root, kept, on_bad_file="skip").bad_files) == 3
    data = photos(root, kept, on_bad_file="skip")
    assert data.bad_files == []
    assert same(data, photos(root, cache=False))


def test_files_that_are_gone_are_told_each_time(root: Path, kept: Path) -> None:
    split = FileSplit(encode([root / "ant" / "0.jpg", root / "gone.jpg"]), torch.tensor([0, 1]), View(image_size=8))
    cache = cache_images.ImageCache(kept, None, str(root))
    for _ in range(2):
        found, bad = cache.read(split)
        assert len(found) == 1
        assert [(file.index, file.reason) for file in bad] == [(1, f"{root}/gone.jpg: there is no such file")]


# Damage and limits ----------------------------------------------------------------------------------------------------


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a pixel": lambda path: flip(path, -1),
    "the first pixel": lambda path: flip(path, 4096),
    "the header": lambda path: flip(path, 70),
    "the digest": lambda path: flip(path, 30),
    "the length": lambda path: flip(path, 20),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 1),
    "cut in its header": lambda path: os.truncate(path, 20),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_told_and_mended(
    root: Path, kept: Path, decoded: list[str], capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    whole, count = photos(root, cache=False), 0
    photos(root, kept)
    for path in kept.glob(f"*/*{cache_pool.ROWS}"):
        DAMAGE[damage](path)
        count += 1
    decoded.clear()
    assert same(whole, photos(root, kept))
    assert len(decoded) == (3 if "pixel" in damage else 3 * EACH)
    told = capsys.readouterr().out.splitlines()
    assert len(told) == count
    assert all(line.startswith(f"cache     {kept}/") and "was damaged" in line for line in told)
    decoded.clear()
    assert same(whole, photos(root, kept))
    assert decoded == []
    assert capsys.readouterr().out == ""


def test_what_cannot_be_kept_is_told_and_hinders_nothing(
    root: Path, kept: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = photos(root, cache=False)
    kept.mkdir()
    monkeypatch.setattr(cache_pool, "LEFT_FREE", 2**80)
    for _ in range(2):
        decoded.clear()
        data = photos(root, kept)
        assert same(whole, data)
        assert f"not cached: {kept}: the disk is full" in data.summary()
        assert len(decoded) == 3 * EACH
    assert not list(kept.glob(f"*/*{cache_pool.ROWS}"))
    blocked = kept / "file"
    blocked.write_text("")
    data = photos(root, blocked / "below")
    assert same(whole, data)
    assert "not cached: " in data.summary()


def test_what_is_somebody_elses_hinders_nothing(root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = photos(root, cache=False)
    real = os.stat, os.scandir, os.listdir, os.mkdir, os.open

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def of(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and Path(os.fsdecode(path)).parent.is_relative_to(kept):
                raise PermissionError(13, "Permission denied", path)
            return call(path, *arguments, **options)

        return of

    kept.mkdir()
    with monkeypatch.context() as patch:
        for call in real:
            patch.setattr(os, call.__name__, refusing(call))
        data = photos(root, kept)
        assert list(cache_pool.files_of_pools(kept / "below")) == []
        assert same(whole, data)
        assert f"not cached: {kept}: Permission denied" in data.summary()


def test_without_a_home_folder_nothing_is_kept_and_a_note_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("RNNVISION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as it does where there is none
    data = photos(root, cache=True)
    assert "decoded images are not cached: there is no home folder; set RNNVISION_CACHE" in " ".join(data.known.notes)
    assert same(photos(root, cache=False), data)
    assert cache_images.cache_size() == 0


def test_what_was_used_longest_ago_goes_beyond_the_limit(
    root: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RNNVISION_CACHE", str(tmp_path))
    for size in (8, 9):
        photos(root, cache=True, image_size=size)
    held = sum(path.stat().st_size for path in (tmp_path / "images").glob(f"*/*{cache_pool.ROWS}"))
    for path in (tmp_path / "images").glob("*/*"):
        os.utime(path, (1000, 1000))
    other = tmp_path / "images" / "of the user" / f"my{cache_pool.ROWS}"
    other.parent.mkdir()
    other.write_text("no file of ours")
    monkeypatch.setattr(cache_images, "LIMIT", held)
    photos(root, cache=True, image_size=8)  # used now
    photos(root, cache=True, image_size=10)
    assert sum(path.stat().st_size for path in (tmp_path / "images").glob(f"*/*{cache_pool.ROWS}")) <= 1.2 * held
    assert other.exists()
    decoded.clear()
    photos(root, cache=True, image_size=8)
    assert decoded == []
    photos(root, cache=True, image_size=9)
    assert len(decoded) > 0
    monkeypatch.setattr(cache_images, "LIMIT", held // 2)
    assert "were used within a day" in photos(root, cache=True, image_size=7).summary()
    monkeypatch.setattr(cache_images, "LIMIT", 100)
    assert "are more than the" in photos(root, cache=True, image_size=11).summary()


def test_many_small_files_become_one(
    root: Path, kept: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_pool, "MOST_FILES", 3)
    for i in range(8):
        paint(root / "ant" / f"more{i}.jpg", i)
        photos(root, kept)
    assert len(decoded) == 3 * EACH + 8
    assert all(len(list((kept / name).glob(f"*{cache_pool.ROWS}"))) <= 3 for name in pools(kept))
    assert same(photos(root, kept), photos(root, cache=False))


# Which data, which values ---------------------------------------------------------------------------------------------


def test_data_without_image_files_has_nothing_to_keep() -> None:
    assert ImageData("digits").cache is False
    for cache in (True, "folder"):
        with pytest.raises(ValueError, match=r"^cache=.*: digits does not consist of image files"):
            ImageData("digits", cache=cache)


@pytest.mark.parametrize("wrong", [1, "", 0.5, ["a"], __file__, "x" * 300, "~no-such-user/kept"])
def test_what_is_no_folder_is_refused(root: Path, wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"^cache="):
        ImageData("image_folder", root=str(root), cache=wrong)


def test_no_folder_is_named_for_shards(root: Path) -> None:
    with pytest.raises(ValueError, match=r"^cache=kept: shards are decoded while they stream"):
        ImageData("image_folder", root=str(root), format="shards", cache="kept")
    ImageData("image_folder", root=str(root), format="shards", cache=True)  # which is the default


def test_images_that_stream_are_not_kept_but_their_fingerprints_are(
    root: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = photos(root, kept, format="streaming")

    def none(paths: list[str]) -> torch.Tensor:
        assert not paths
        return torch.empty(0, dtype=torch.int64)

    monkeypatch.setattr(cache_images, "fingerprints", none)
    assert same(first, photos(root, kept, format="streaming"))
    assert len(pools(kept)) == 1
