"""Progress of long work: what is counted where, and that each room counts all that it reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from rnnvision.data.files import FileSplit, encode, inspect, read_all, survey
from rnnvision.data.images import View
from rnnvision.data.membership import fingerprints
from rnnvision.data.sets.folders import read_image_folder
from rnnvision.data.sets.tree import Tree
from rnnvision.progress import done, shown_by, work


class Seen:
    """Each work in its order: name, total, how much was counted."""

    def __init__(self) -> None:
        self.works: list[list[object]] = []

    @contextmanager
    def __call__(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        found: list[object] = [what, total, 0]
        self.works.append(found)

        def count(more: int) -> None:
            found[2] += more  # type: ignore[operator]

        yield count


@pytest.fixture
def seen() -> Iterator[Seen]:
    found = Seen()
    with shown_by(found):
        yield found


def test_work_within_work_of_its_name_is_a_part_of_it_and_other_work_is_not(seen: Seen) -> None:
    with work("finding files", 10):
        done(2)
        with work("finding files"):
            done(3)
        with work("reading images", 5):
            done()
        done(4)
    done(100)  # of nothing
    assert seen.works == [["finding files", 10, 9], ["reading images", 5, 1]]


def test_without_anybody_who_shows_it_nothing_happens() -> None:
    with work("finding files"):
        done()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(40):
            Image.new("L", (4, 4), i).save(tmp_path / name / f"{i}.png")
    (tmp_path / "b" / "bad.png").write_bytes(b"no image")
    return tmp_path


def split_of(folder: Path) -> FileSplit:
    files = Tree().find_images(folder)[0]
    return FileSplit(encode(files), torch.zeros(len(files), dtype=torch.int64), View(image_size=4))


@pytest.mark.parametrize(
    ("reads", "expected"),
    [
        (lambda folder: read_all(split_of(folder)), ["reading images", 81, 81]),
        (lambda folder: survey(split_of(folder)), ["looking through images", 81, 81]),
        (lambda folder: fingerprints(Tree().find_images(folder)[0]), ["comparing files", 81, 81]),
        (lambda folder: inspect(split_of(folder)), ["looking at files", 81, 81]),
        (lambda folder: Tree().find_images(folder), ["finding files", None, 81]),
    ],
    ids=["resident", "streamed", "compared", "looked at", "found"],
)
def test_all_that_is_read_is_counted(
    folder: Path, seen: Seen, reads: Callable[[Path], object], expected: list[object]
) -> None:
    reads(folder)
    assert seen.works[-1] == expected


def test_a_folder_of_classes_is_found_in_one_go(folder: Path, seen: Seen) -> None:
    (folder / "b" / "bad.png").unlink()
    read_image_folder((), str(folder), image_size=4)
    assert seen.works == [["finding files", None, 80]]
