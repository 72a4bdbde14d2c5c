"""Files that are the old one or the new one; what killed processes have left of them is taken away."""

import os
import signal
import time
from pathlib import Path

import pytest

from rnnvision.atomic import link, remove_leftovers, replaced, whole


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_appears_at_the_end_or_not_at_all(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "a.bin"
    for content, fails in ((b"one", False), (b"two", True), (b"three", False)):
        before = path.read_bytes() if path.exists() else None
        try:
            with replaced(path, durable=durable) as temporary:
                temporary.write_bytes(content)
                assert (path.read_bytes() if path.exists() else None) == before
                if fails:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            assert path.read_bytes() == before
        else:
            assert path.read_bytes() == content
        assert os.listdir(path.parent) == ["a.bin"]  # noqa: PTH208


def test_the_file_before_stays_under_another_name_where_it_is_asked_for(tmp_path: Path) -> None:
    path, keep = tmp_path / "last", tmp_path / "previous"
    for number in range(3):
        with replaced(path, keep=keep) as temporary:
            temporary.write_text(str(number))
        assert path.read_text() == str(number)
        assert (keep.read_text() if keep.exists() else None) == (str(number - 1) if number else None)
    assert sorted(os.listdir(tmp_path)) == ["last", "previous"]  # noqa: PTH208


def test_without_hard_links_only_the_file_before_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    for text in ("one", "two"):
        with replaced(tmp_path / "last", keep=tmp_path / "previous") as temporary:
            temporary.write_text(text)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("last", "two")]


def test_a_second_name_of_the_same_file_leaves_nothing_behind(tmp_path: Path) -> None:
    path, name = tmp_path / "a", tmp_path / "b"
    path.write_text("text")
    for _ in range(2):  # the second time both are one file, and a rename does nothing
        link(path, name)
        assert sorted(os.listdir(tmp_path)) == ["a", "b"]  # noqa: PTH208


def test_an_error_names_the_file_that_was_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as error, whole(tmp_path / "a.json"):
        raise OSError(28, "No space left on device")
    assert error.value.filename == str(tmp_path / "a.json")


def test_what_killed_processes_have_left_is_removed(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:  # it is killed in the middle of three files
        with replaced(tmp_path / "last.ckpt") as one, whole(tmp_path / "a.json") as two:
            one.write_text("half")
            two.write(" ")
            two.flush()
            time.sleep(60)
        os._exit(1)
    while len(list(tmp_path.iterdir())) < 2:
        time.sleep(0.01)
    time.sleep(0.05)
    assert remove_leftovers(tmp_path, alone=False) == []  # it is alive
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for kept in ("last.ckpt", ".hidden", ".lock", "a.tmp", ".latest.12", ".hydra.tmp.bak"):
        (tmp_path / kept).touch()
    (tmp_path / ".folder.1.tmp").mkdir()
    for left in (
        ".last.ckpt.12345678.tmp",
        "metrics.csv.tmp",
        f".b.json.{os.getpid()}.ab12.tmp",
    ):  # of earlier versions
        (tmp_path / left).touch()
    before = len(list(tmp_path.iterdir()))
    assert len(remove_leftovers(tmp_path, alone=False)) == 5
    assert len(list(tmp_path.iterdir())) == before - 5
    assert not list(tmp_path.glob(".last*"))
    (tmp_path / f".c.{os.getppid()}.ab12.tmp").touch()
    assert remove_leftovers(tmp_path, alone=False) == []
    assert len(remove_leftovers(tmp_path, alone=True)) == 1  # nobody else writes there
    assert remove_leftovers(tmp_path / "nowhere", alone=True) == []
