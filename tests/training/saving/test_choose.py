"""The checkpoint that a run goes on from: last.ckpt, or the newest that is whole."""

import os
from pathlib import Path
from typing import Any

import pytest

from rnnvision.training import CheckpointError, facts_of, mend_last
from rnnvision.training.saving import choose
from tests.training.cases import save

LOOPS = {"epoch_progress": {"current": {"processed": 1, "completed": 1}}, "epoch_loop.batch_progress": {}}
LOOPS["epoch_loop.batch_progress"] = {"current": {"ready": 1}}
STATES: dict[str, Any] = {"optimizer_states": [{"state": {}, "param_groups": []}], "loops": {"fit_loop": LOOPS}}
STATES |= {"epoch": 1, "global_step": 1}


def at(folder: Path, **steps: int) -> None:
    for name, step in steps.items():
        save(folder / f"{name}.ckpt", **{**STATES, "global_step": step})


def damage(*paths: Path) -> None:
    for path in paths:
        path.write_bytes(path.read_bytes()[:-30])


def contents(folder: Path) -> dict[str, int]:
    return {path.name: facts_of(path)["global_step"] for path in folder.glob("*.ckpt")}


def test_a_good_last_is_taken_and_nothing_else_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at(tmp_path, last=3, previous=2, best=4)
    read = []
    monkeypatch.setattr(choose, "read_checkpoint", lambda path: read.append(path.name) or {**STATES, "a": 1})
    assert mend_last(tmp_path) is None
    assert facts_of(tmp_path / "last.ckpt")["a"] == 1
    assert read == ["last.ckpt"]  # once, for whoever asks


def test_a_file_that_is_written_over_is_read_again(tmp_path: Path) -> None:
    at(tmp_path, last=3, other=4)
    assert facts_of(tmp_path / "last.ckpt")["global_step"] == 3
    (tmp_path / "last.ckpt").write_bytes((tmp_path / "other.ckpt").read_bytes())  # of the same size
    assert facts_of(tmp_path / "last.ckpt")["global_step"] == 4


@pytest.mark.parametrize("gone", [False, True])
def test_the_one_before_takes_the_place_of_a_damaged_or_missing_last(tmp_path: Path, gone: bool) -> None:
    at(tmp_path, previous=2, last=3, best=4)
    last = tmp_path / "last.ckpt"
    broken = last.read_bytes()[:-30]
    last.unlink() if gone else last.write_bytes(broken)
    line = mend_last(tmp_path)
    what = "is missing" if gone else "is damaged"
    assert str(line).startswith(f"last.ckpt {what}: the run goes on from previous.ckpt, after step 2")
    assert contents(tmp_path) == {"previous.ckpt": 2, "last.ckpt": 2, "best.ckpt": 4}
    if not gone:
        assert (tmp_path / "last.ckpt.damaged").read_bytes() == broken
    assert mend_last(tmp_path) is None
    save(last, **{**STATES, "global_step": 3})  # as the run saves it again: the good one stays the one before
    assert contents(tmp_path) == {"previous.ckpt": 2, "last.ckpt": 3, "best.ckpt": 4}


def test_without_it_the_one_after_the_most_steps_does_that_has_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(tmp_path, previous=2, last=6, best=4, other=3, most=5)
    save(tmp_path / "weights.ckpt", global_step=9)
    save(tmp_path / "foreign.ckpt", rnnvision={"format": 99}, **{**STATES, "global_step": 9})
    damage(tmp_path / "last.ckpt", tmp_path / "previous.ckpt", tmp_path / "most.ckpt")

    def refuse(*names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)  # a file system without hard links
    assert "goes on from best.ckpt, after step 4" in str(mend_last(tmp_path))
    assert facts_of(tmp_path / "last.ckpt")["global_step"] == 4


def test_where_none_is_whole_nothing_changes(tmp_path: Path) -> None:
    assert mend_last(tmp_path / "nowhere") is None
    save(tmp_path / "best.ckpt", global_step=9)  # without the state of an optimiser
    assert mend_last(tmp_path) is None  # it has no last.ckpt, and never had
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt"]
    at(tmp_path, last=3)
    damage(*tmp_path.glob("*.ckpt"))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=r"last\.ckpt: is cut short; .*; no other checkpoint in this folder is"):
        mend_last(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_where_there_is_no_last_at_all_the_newest_is_taken(tmp_path: Path) -> None:
    at(tmp_path, best=4, other=3)
    assert mend_last(tmp_path) == "last.ckpt is missing: the run goes on from best.ckpt, after step 4"
    assert contents(tmp_path) == {"last.ckpt": 4, "best.ckpt": 4, "other.ckpt": 3}


def test_a_last_that_the_run_does_not_write_is_overtaken(tmp_path: Path) -> None:
    at(tmp_path, best=4)
    mend_last(tmp_path, is_written=False)
    assert mend_last(tmp_path, is_written=False) is None
    at(tmp_path, best=7)
    assert mend_last(tmp_path) is None
    assert "goes on from best.ckpt, after step 7" in str(mend_last(tmp_path, is_written=False))
    assert contents(tmp_path) == {"last.ckpt": 7, "best.ckpt": 7}


def test_one_of_a_later_version_is_not_taken_for_damaged(tmp_path: Path) -> None:
    at(tmp_path, previous=2)
    save(tmp_path / "last.ckpt", rnnvision={"format": 99}, **STATES)
    with pytest.raises(CheckpointError, match="has format 99"):
        mend_last(tmp_path)
    assert not (tmp_path / "last.ckpt.damaged").exists()
