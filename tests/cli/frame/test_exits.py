"""The ways out: what the system refuses, and a folder that is gone."""

import errno
import os
from pathlib import Path

import pytest

from rnnvision.cli.frame.exits import EXIT_FAILURE, EXIT_USAGE, system_error
from rnnvision.cli.frame.messages import verdict
from tests.cli.running import Verb

HINT = "; choose a folder that can be written: log_dir=FOLDER"


def refused(number: int, file: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), file)


@pytest.fixture
def _unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be read, as of another user; the tests may run as root, who may read all."""
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.F_OK)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (refused(errno.ECONNREFUSED), EXIT_FAILURE, "ConnectionRefusedError: Connection refused"),
        (refused(errno.ENOENT, "a.txt"), EXIT_FAILURE, "a.txt: No such file or directory"),
        (refused(errno.EROFS, "logs"), EXIT_USAGE, f"logs: Read-only file system{HINT}"),
        (refused(errno.ENOTDIR, "file/run"), EXIT_USAGE, f"file/run: Not a directory{HINT}"),
        (refused(errno.EACCES, "run/new"), EXIT_USAGE, f"run/new: Permission denied{HINT}"),
        (OSError("odd"), EXIT_FAILURE, "OSError: odd"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_another_folder_is_advised_where_one_cannot_be_written(error: OSError, code: int, message: str) -> None:
    assert system_error(error) == (message, code)


@pytest.mark.usefixtures("_unreadable")
def test_what_may_not_be_read_is_named(monkeypatch: pytest.MonkeyPatch, verb: Verb) -> None:
    error = refused(errno.EACCES, "run/status.json")
    expected = "run/status.json: cannot be read (Permission denied)"
    assert system_error(error) == (expected, EXIT_FAILURE)
    assert verdict(error, "evaluate") == (EXIT_FAILURE, expected)

    def raises(*_: object) -> None:
        raise error

    monkeypatch.setattr("rnnvision.cli.diff._run", raises)
    result = verb("diff", "a", "b")
    assert (result.code, result.message) == (EXIT_FAILURE, f"rnnvision diff: {expected}")


@pytest.mark.parametrize("words", [("results", "folder=/"), ("doctor",), ("models",), ("train", "data=digits")])
def test_a_folder_that_has_been_removed_is_no_place_to_type_in(verb: Verb, words: tuple[str, ...]) -> None:
    here = Path.cwd()
    gone = here / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    result = verb(*words)
    os.chdir(here)
    assert (result.code, result.out) == (EXIT_USAGE, "")
    why = "the folder that this is typed in has been removed; go to one that exists: cd FOLDER"
    assert result.message == f"rnnvision {words[0]}: {why}"
