"""Image files of little that ask for much are refused before a decoder sees them; threads share what there is."""

import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from torture import bombs

from rnnvision.data import DataError
from rnnvision.data.images import View, inspect_image, limits, open_seen
from rnnvision.data.images.memory import LITTLE, Memory

VIEW = View(image_size=8, convert=True)


def tables_tiff(count: int) -> bytes:
    """So many tables of a million numbers, of which none is there."""
    entries = (struct.pack("<HHII", 65000 + number, 12, 2**20, 8) for number in range(count))
    return struct.pack("<2sHIH", b"II", 42, 8, count) + b"".join(entries) + bytes(2**16)


CASES: dict[str, tuple[Callable[[], bytes], str]] = {  # the smallest of each kind that is refused
    "a side": (lambda: bombs.png(2**20 + 1, 1, 1, 0), "a side of 1,048,577 pixels, more than 1,048,576"),
    "chunk": (lambda: bombs.chunk_png(2**25 + 1), "33,554,433 bytes in a chunk that holds no pixels"),
    "table": (lambda: bombs.strips_tiff(2**20 + 1), "1,048,577 numbers in a table"),
    "tables": (lambda: tables_tiff(17), "142,606,336 bytes of tables"),
    "tile": (lambda: bombs.tile_tiff(2049), "tiles of 2049 x 2049 pixels in an image of 10 x 10"),
    "pages": (lambda: bombs.pages_tiff(20_000), "several frames"),
    "scans": (lambda: bombs.scans_jpeg(8, 100), "scans, more than 100"),
    "comment": (lambda: bombs.comment_ppm(2**16), "its header does not end"),
    "header": (lambda: bombs.header_bmp(2**16 + 1), "its header is too long"),
    "runs": (lambda: bombs.runs_bmp(3000), "of which each counts 8 times in BMP"),
    "16 bits": (lambda: b"P6\n3000 3000\n65535\n", "of which each counts 8 times in PPM"),
    "tiles": (lambda: bombs.tiles_jp2(200, 100), "10,000 tiles of 3 channels"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", CASES)
def test_what_asks_for_much_is_refused(tmp_path: Path, kind: str) -> None:
    make, said = CASES[kind]
    (tmp_path / "a").write_bytes(make())
    looks = [open_seen] if kind == "scans" else [open_seen, inspect_image]
    for look in looks:
        with pytest.raises(DataError, match=said):
            look(tmp_path / "a", VIEW)


@pytest.mark.parametrize(
    ("kind", "said"), [("GIF", "more than the 1,000"), ("JPEG", "more than the 1,000"), ("BMP", "more than the 2,000")]
)
def test_a_file_may_be_as_large_as_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, said: str
) -> None:
    (tmp_path / "a").write_bytes(bombs.small(kind) + bytes(3000))
    open_seen(tmp_path / "a", VIEW)
    monkeypatch.setattr(limits, "MAX_PACKED", 1000)
    monkeypatch.setattr(limits, "MAX_RAW", 2000)
    with pytest.raises(DataError, match=said):
        open_seen(tmp_path / "a", VIEW)


def test_a_sparse_file_of_terabytes_is_refused_at_once(tmp_path: Path) -> None:
    for kind in ("PNG", "TIFF", "GIF", "JPEG", "PPM", "WEBP"):
        (tmp_path / "a").write_bytes(bombs.small(kind))
        with (tmp_path / "a").open("r+b") as file:
            file.truncate(2**40)
        with pytest.raises(DataError, match="1,099,511,627,776 bytes, more than the"):
            open_seen(tmp_path / "a", VIEW)


def test_threads_take_no_more_together_than_there_is() -> None:
    memory, least, taken = Memory(4 * LITTLE), [4 * LITTLE], []

    def decode(size: int) -> None:
        with memory.taken(size):
            taken.append(size)
            least.append(memory.free)
            time.sleep(0.002)

    sizes = [LITTLE, 3 * LITTLE, 9 * LITTLE, LITTLE - 1] * 5
    threads = [threading.Thread(target=decode, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(taken) == sorted(sizes)
    assert min(least) == 0
    assert memory.free == memory.total
