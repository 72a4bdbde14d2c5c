"""The index of run folders: it is quick, true of what lies there, and never in the way."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.runs.lock import Lock
from rnnvision.runs.query import index
from rnnvision.runs.query.index import FILE, find_records
from rnnvision.runs.record import Record, read_record
from tests.runs.making import make_run, write


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A single run, two jobs of a sweep, a comparison with two trainings; no file is younger than the index trusts."""
    root = tmp_path / "logs"
    make_run(root / "train/runs/one", model="gru", test_accuracy=0.9)
    for seed in (0, 1):
        make_run(root / f"train/multiruns/sweep/{seed}", seed=seed, test_accuracy=0.8 + seed / 10)
    comparison = make_run(root / "compare/runs/both", verb="compare")
    (comparison / "comparison.json").write_text("{}")
    make_run(comparison / "lstm_0", test_accuracy=0.7)
    make_run(comparison / "gru_0", model="gru", test_accuracy=0.6)
    settle(root)
    return root


def settle(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (1e9, 1e9))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that are read, of those that are looked at."""
    found: list[str] = []

    def counted(folder: str, name: str, files: object) -> Record:
        found.append(name)
        return read_record(folder, name, set(files))  # type: ignore[call-overload]

    monkeypatch.setattr(index, "read_record", counted)
    return found


def plain(records: list[Record]) -> list[tuple[object, ...]]:
    return [(run.facts, run.choices, run.metrics, run.config, run.overrides) for run in records]


def test_a_folder_is_read_once_and_again_when_it_changes(logs: Path, read: list[str]) -> None:
    first = find_records(logs)
    assert {run.folder for run in first} == {
        *("train/runs/one", "train/multiruns/sweep/0", "train/multiruns/sweep/1"),
        *("compare/runs/both", "compare/runs/both/lstm_0", "compare/runs/both/gru_0"),
    }
    assert len(read) == 6
    read.clear()
    assert plain(find_records(logs)) == plain(first)
    assert read == []
    write(logs / "train/runs/one", "metrics", {"test/accuracy": 0.95})
    (logs / "train/multiruns/sweep/1/status.json").write_text('{"status": "failed"}')  # in place
    shutil.rmtree(logs / "compare/runs/both/gru_0")
    make_run(logs / "compare/runs/both/gru_1")
    found = {run.folder: run for run in find_records(logs)}
    assert {*read} >= {"train/runs/one", "train/multiruns/sweep/1", "compare/runs/both/gru_1"}
    assert not {*read} & {"train/multiruns/sweep/0", "compare/runs/both/lstm_0"}
    assert found["train/runs/one"].get("test/accuracy") == 0.95
    assert found["train/multiruns/sweep/1"].status == "failed"
    assert "compare/runs/both/gru_0" not in found


def test_what_has_just_been_written_is_not_trusted(logs: Path, read: list[str]) -> None:
    """Two changes within the resolution of a clock have one time."""
    run = logs / "train/runs/one"
    write(run, "metrics", {"test/accuracy": 0.95})
    times = [(path, path.stat().st_mtime_ns) for path in (run, run / "metrics.json")]
    find_records(logs)
    (run / "metrics.json").write_text('{"test/accuracy": 0.96}')
    for path, time in times:
        os.utime(path, ns=(time, time))
    assert {found.get("test/accuracy") for found in find_records(logs) if found.folder == "train/runs/one"} == {0.96}


def test_an_index_without_the_secrets_of_an_earlier_version_is_whole(logs: Path, read: list[str]) -> None:
    make_run(logs / "train/runs/two", model="hf_0123456789abcdef0123456789")
    settle(logs)
    find_records(logs)
    assert b"hf_" not in (logs / FILE).read_bytes()
    read.clear()
    find_records(logs)
    assert read == []


def test_a_damaged_index_is_made_anew(logs: Path, read: list[str]) -> None:
    first = plain(find_records(logs))
    good = (logs / FILE).read_bytes()
    other_version = good.replace(b'"version":[2', b'"version":[0')
    for damaged in (b"", good[:-100], good.replace(b"0.9", b"0.8"), b"00000000\n[]", other_version, b"\xff" * 99):
        (logs / FILE).write_bytes(damaged)
        read.clear()
        assert plain(find_records(logs)) == first
        assert len(read) == 6
        assert (logs / FILE).read_bytes() == good
    (logs / FILE).unlink()
    (logs / FILE).mkdir()  # it cannot be written
    assert plain(find_records(logs)) == first
    assert [path.name for path in logs.iterdir() if path.name.endswith(".tmp")] == []


def test_a_part_of_the_folders_leaves_the_rest_of_the_index(logs: Path, read: list[str]) -> None:
    find_records(logs)
    make_run(logs / "train/multiruns/sweep/2", seed=2)
    read.clear()
    assert [run.folder for run in find_records(logs, "train/multiruns/sweep")] == [
        f"train/multiruns/sweep/{seed}" for seed in (0, 1, 2)
    ]
    assert read == ["train/multiruns/sweep/2"]
    read.clear()
    settle(logs / "train/multiruns/sweep/2")
    assert len(find_records(logs)) == 7
    assert read in ([], ["train/multiruns/sweep/2"])


def test_logs_that_were_moved_are_the_same_runs(logs: Path, read: list[str]) -> None:
    first = plain(find_records(logs))
    read.clear()
    moved = logs.rename(logs.with_name("elsewhere"))
    assert plain(find_records(moved)) == first
    assert read == []


def test_a_run_whose_process_has_died_was_killed(logs: Path) -> None:
    run = logs / "train/runs/one"
    write(run, "status", {"status": "running", "started": "2026-11-01T10:00:00+00:00", "seconds": 0.0})
    lock = Lock(run / ".lock")
    lock.acquire()
    settle(logs)
    for expected in ("running", "running"):
        assert {found.status for found in find_records(logs) if found.folder == "train/runs/one"} == {expected}
    lock.release()  # which changes nothing in the folder
    assert {found.status for found in find_records(logs) if found.folder == "train/runs/one"} == {"killed"}


def test_links_are_not_followed(logs: Path) -> None:
    (logs / "train/latest").symlink_to("runs/one")
    (logs / "train/runs/loop").symlink_to(logs)
    assert len(find_records(logs)) == 6


def test_what_is_cut_or_foreign_is_left_out(logs: Path) -> None:
    """Of any age, and whoever wrote them: a run is what a record of one lies in."""
    run = logs / "train/runs/one"
    (run / "metrics.json").write_text('{"test/accuracy": 0.9, "no')
    (run / "environment.json").write_text("[" * 100_000)
    (run / ".hydra/config.yaml").write_bytes(b"model:\n  hidden_size: \xff\xfe\n  x\n: :\n- -\n")
    (run / ".hydra/hydra.yaml").unlink()
    (logs / "notes").mkdir()
    found = next(found for found in find_records(logs) if found.folder == "train/runs/one")
    assert (found.status, found.metrics, found.facts["verb"]) == ("completed", {}, "train")


def test_two_processes_at_once_find_the_same(logs: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rnnvision.runs.query.index import FILE, find_records\n"
        "logs = Path(sys.argv[1])\n"
        "for _ in range(40): (logs / FILE).unlink(True); print(len(find_records(logs)))"
    )
    command = [sys.executable, "-c", code, str(logs)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate()[0].split() for process in both] == [["6"] * 40] * 2
    assert json.loads((logs / FILE).read_bytes().partition(b"\n")[2])["version"] == index.VERSION
