"""Tree: folders are listed once, files are not looked up, and paths come in one order."""

import os
import pathlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnvision.data import ImageData
from rnnvision.data.membership import WHOLE, content_hash, fingerprints
from rnnvision.data.sets.tree import Tree, below, is_image


def flat(root: Path) -> str:
    for i in range(60):
        path = root / f"class{i % 3}" / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % i)
    return "image_folder"


def split(root: Path) -> str:
    for i in range(60):
        path = (
            root
            / ("train", "val", "test")[i % 5 % 3]
            / f"class{i % 4 % 3}"
            / ("deep" if i % 7 == 0 else "")
            / f"{i}.jpg"
        )
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"%d" % i)
    return "image_folder"


def table(root: Path) -> str:
    flat(root)
    (root / "labels.csv").write_text("image,label\n" + "".join(f"{i}.jpg,{i % 3}\n" for i in range(60)))
    return "csv"


@pytest.mark.parametrize("kind", [flat, split, table])
def test_each_folder_is_listed_once_and_no_file_becomes_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[[Path], str]
) -> None:
    name = kind(tmp_path)
    folders = [str(path) for path in (tmp_path, *tmp_path.rglob("*")) if path.is_dir()]
    listed: Counter[str] = Counter()
    looked_up: Counter[str] = Counter()
    made: list[str] = []

    def counting(counts: Counter[str], real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any = ".", *rest: Any, **more: Any) -> Any:
            counts[str(path)] += 1
            return real(path, *rest, **more)

        return call

    for function in ("scandir", "listdir"):
        monkeypatch.setattr(os, function, counting(listed, getattr(os, function)))
    for function in ("stat", "lstat"):
        monkeypatch.setattr(os, function, counting(looked_up, getattr(os, function)))
    real = pathlib.PurePath.__fspath__
    monkeypatch.setattr(pathlib.PurePath, "__fspath__", lambda self: made.append(str(self)) or real(self))
    data = ImageData(name, root=str(tmp_path), cache=False)
    assert sum(map(len, data.known.parts().values())) == 60
    below_root = {path: count for path, count in listed.items() if path in folders and path != str(tmp_path)}
    assert below_root == dict.fromkeys(below_root, 1)
    assert set(below_root) == set(folders) - {str(tmp_path)}
    assert [path for path in [*looked_up, *made] if path.endswith(".jpg")] == []


def test_paths_are_sorted_part_by_part(tmp_path: Path) -> None:
    names = ["a/1.jpg", "a-b/1.jpg", "a.jpg", "a/b/2.png", "B.jpg", "a/b.jpg", "c d/e.gif", "a/b-c/0.jpg"]
    for name in [*names, "a/notes.txt", ".hidden.jpg", "__MACOSX/1.jpg", "a/.x/1.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    images, others = Tree().find_images(tmp_path)
    assert below(tmp_path, images) == sorted(names, key=lambda name: name.split("/"))
    assert below(tmp_path, others) == ["a/notes.txt"]


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.b.Png", "a b.webp"])
def test_an_image_is_known_by_its_suffix(name: str) -> None:
    assert is_image(name)


@pytest.mark.parametrize("name", [".jpg", ".a.jpg", "jpg", "a.jpg.txt", "a.", "", "a.jpgx", "Icon\r"])
def test_what_has_no_suffix_of_an_image_is_none(name: str) -> None:
    assert not is_image(name)


@pytest.mark.parametrize("size", [0, 1, 2**16 - 1, 2**16, 2**16 + 1, WHOLE - 1, WHOLE, WHOLE + 1, 3 * WHOLE + 7])
def test_a_fingerprint_is_that_of_the_content_whatever_its_size(tmp_path: Path, size: int) -> None:
    content = bytes(i * i % 251 for i in range(1021)) * (1 + size // 1021)
    path = tmp_path / "a.jpg"
    path.write_bytes(content[:size])
    expected = content_hash(size, lambda offset, count: content[:size][offset : offset + count])
    for name in (str(path), os.fsencode(path)):
        assert fingerprints([name]).numpy().astype("<i8").tobytes() == expected


def test_what_is_no_file_has_no_fingerprint_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    paths = [tmp_path / "pipe.jpg", tmp_path, tmp_path / "absent", Path("/dev/zero")]
    assert fingerprints([str(path) for path in paths]).tolist() == [0] * 4
