"""Space on a disk: what is an error for want of it, and what is said."""

from pathlib import Path

import pytest

from rnnvision.disk import free, is_full, no_space, reason


def test_an_error_for_want_of_space_is_known_by_its_cause() -> None:
    error = RuntimeError("unexpected pos 704 vs 598")  # PyTorch's, which does not say why it was raised
    error.__context__ = OSError(28, "No space left on device", "a.csv")
    assert is_full(error)
    assert no_space(error) == "a.csv: no space left on the device; make space"
    assert is_full(OSError(122, "Disk quota exceeded"))
    assert "Disk quota exceeded" in reason(OSError(122, "Disk quota exceeded"))
    for other in (OSError(13, "Permission denied"), RuntimeError("unexpected pos"), None):
        assert not is_full(other)


def test_the_space_of_a_folder_that_is_not_there_yet_is_that_of_its_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = free(tmp_path / "not" / "yet")
    assert found is not None
    assert found > 0

    def refuse(path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.disk_usage", refuse)
    assert free(tmp_path) is None
