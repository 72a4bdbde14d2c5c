"""Files that may be a stranger's are read up to a bound, whoever reads them."""

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnnvision import regular
from rnnvision.cli.frame.strangers.reading import read_pairs
from rnnvision.errors import UsageError
from rnnvision.inference.export.hub import scores_of
from rnnvision.regular import open_in_place, open_log, read_bounded
from rnnvision.runs import last_line, predictions, read_epochs, read_json, read_predictions
from rnnvision.runs.query.index import FILE as INDEX
from rnnvision.runs.query.index import read_index
from rnnvision.runs.record import read_record
from rnnvision.runs.study import read_study
from rnnvision.training.run_log import RunLog


class Exported:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkpoints" / "best.ckpt"


def config_of(folder: Path) -> object:
    return read_record(folder).config


def read_status(folder: Path) -> object:
    return read_record(folder).facts["started"]


# The file -> who reads it, and what is returned, or raised with this text.
READERS: list[tuple[str, Callable[[Path], Any], Any]] = [
    ("status.json", lambda folder: read_json(folder / "status.json"), {}),
    ("status.json", read_status, None),
    ("metrics.csv", lambda folder: read_epochs(folder / "metrics.csv"), []),
    (".hydra/config.yaml", config_of, {}),
    (".hydra/hydra.yaml", config_of, {}),
    (INDEX, read_index, {}),
    ("metrics.json", lambda folder: scores_of(Exported(folder)), {}),  # type: ignore[arg-type]
    ("metrics.csv", lambda folder: RunLog(str(folder)), UsageError("or is damaged (is larger than 16 MB")),
    ("predictions.csv", read_predictions, ValueError("predictions.csv: is larger than 256 MB")),
    ("trials.json", read_study, ValueError("trials.json: is damaged (is larger than 64 MB")),
    (".hydra/config.yaml", lambda f: read_pairs(f / ".hydra/config.yaml"), UsageError("yaml: is larger than 256 kB")),
]


@pytest.mark.parametrize(("name", "read", "found"), READERS)
def test_a_file_that_claims_gigabytes_is_not_read(
    name: str, read: Callable[[Path], Any], found: Any, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()
    os.truncate(file, 40 << 30)  # of which nothing is on the disk
    tracemalloc.start()
    try:
        if isinstance(found, Exception):
            with pytest.raises(type(found)) as error:
                read(tmp_path)
            assert str(found) in str(error.value)
            assert str(tmp_path) in str(error.value)
        else:
            assert read(tmp_path) == found
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "read", "found"), READERS)
@pytest.mark.parametrize("kind", ["pipe", "without an end", "folder"])
def test_what_is_no_file_is_not_read(
    kind: str, name: str, read: Callable[[Path], Any], found: Any, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to("/dev/zero")
    if isinstance(found, Exception) and name != "metrics.csv":  # which a run that goes on replaces
        with pytest.raises(type(found), match="is no file"):
            read(tmp_path)
    elif not isinstance(found, Exception):
        assert read(tmp_path) == found


def test_a_configuration_within_the_bound_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".hydra" / "config.yaml"
    file.parent.mkdir()
    file.write_text("name: " + "a" * (regular.CONFIGURATION - 7) + "\n")
    assert list(read_record(tmp_path).config) == ["name"]
    assert read_bounded(file, regular.CONFIGURATION) == file.read_bytes()
    with pytest.raises(ValueError, match="is larger than 2 kB"):
        read_bounded(file, 2048)


def test_the_end_of_a_log_that_claims_gigabytes(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    log.touch()
    os.truncate(log, 40 << 30)
    with log.open("a") as file:
        file.write("\nrnnvision train: it broke\n")
    begin = time.monotonic()
    assert last_line(log) == "it broke"
    assert time.monotonic() - begin < 5


def test_a_table_of_answers_has_so_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_ROWS", 2)
    file = tmp_path / "predictions.csv"
    file.write_text("image,truth,answer,probability,loss,settled\n" + "a,b,c,0,0,\n" * 2)
    assert len(read_predictions(tmp_path)) == 2
    with file.open("a") as more:
        more.write("a,b,c,0,0,\n")
    with pytest.raises(ValueError, match="more than 2 images"):
        read_predictions(tmp_path)


def test_two_that_add_to_a_log_write_over_nothing(tmp_path: Path) -> None:
    with open_log(tmp_path / "output.log") as one, open_log(tmp_path / "output.log") as other:
        for _ in range(2):
            one.write("one\n")
            one.flush()
            other.write("the other\n")
            other.flush()
    assert (tmp_path / "output.log").read_text() == "one\nthe other\n" * 2


def test_who_may_read_a_file_that_is_made_the_umask_says(tmp_path: Path) -> None:
    """A lock that nobody else can look at would be that of a run which was killed."""
    before = os.umask(0o022)
    try:
        os.close(open_in_place(tmp_path / ".lock", os.O_RDWR | os.O_CREAT))
    finally:
        os.umask(before)
    assert (tmp_path / ".lock").stat().st_mode & 0o777 == 0o644
