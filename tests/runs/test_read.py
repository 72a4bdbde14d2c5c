"""Run folders as they are read and written: what is missing or damaged is empty, and nothing is half written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.atomic import whole
from rnnvision.runs import Run, RunFolder, environment, find_runs, read_epochs, read_json

ROOT = Path(__file__).parents[2]


def test_the_room_needs_the_standard_library_alone() -> None:
    code = (
        "import sys; before = set(sys.modules); import rnnvision.runs\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - {'rnnvision'} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Read -----------------------------------------------------------------------------------------------------------------


def test_a_run_says_what_its_files_say(tmp_path: Path) -> None:
    files = {
        "status": {"status": "failed", "error": "it broke", "started": "2020-01-02T00:00:00+00:00", "seconds": 1.5},
        "metrics": {"test/accuracy": 0.5, "train/seconds": 4.0},
        "costs": {"parameters": 7},
        "environment": {"overrides": ["model=gru", "seed=1"], "cores": 2},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    run = Run(tmp_path)
    assert (run.status, run.completed, run.error, run.started) == ("failed", False, "it broke", 1577923200.0)
    assert run.metrics == files["metrics"]
    assert run.costs == files["costs"]
    assert run.environment == files["environment"]
    assert run.overrides == ["model=gru", "seed=1"]
    assert run.training_seconds == 4.0  # of metrics.json, where there is no table of epochs
    (tmp_path / "metrics.csv").write_text("epoch,step,seconds\n0,9,1.5\n1,19,2.25\n2,29,\n")
    again = Run(tmp_path)
    assert [row["epoch"] for row in again.epochs] == ["0", "1", "2"]
    assert again.training_seconds == 3.75


def test_a_folder_without_files_is_a_run_of_which_nothing_is_known(tmp_path: Path) -> None:
    run = Run(tmp_path / "nowhere")
    assert (run.status, run.completed, run.error, run.started) == ("", False, None, 0.0)
    assert (run.metrics, run.costs, run.environment, run.overrides, run.epochs) == ({}, {}, {}, [], [])
    assert run.training_seconds is None


@pytest.mark.parametrize("content", [b"", b'{"status": "compl', b"\xff\xfe", b"no JSON"], ids=repr)
def test_a_damaged_file_reads_as_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert read_json(tmp_path / "status.json") == {}
    assert Run(tmp_path).status == ""


@pytest.mark.parametrize("content", ["[]", "null", "3"])
def test_a_file_that_holds_no_object_reads_as_empty(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    assert read_json(tmp_path / "status.json") == {}
    assert Run(tmp_path).status == ""


def test_entries_of_another_kind_than_a_run_writes_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(
        '{"test/accuracy": "0.9", "test/loss": 0.5, "epochs": 1e400, "big": 1%s}' % ("0" * 30)
    )
    (tmp_path / "costs.json").write_text('{"parameters": "7", "latency/p50": 0.1, "missing": "none", "fitted": true}')
    (tmp_path / "environment.json").write_text('{"overrides": 3, "cores": 2}')
    run = Run(tmp_path)
    assert str(run.metrics) == "{'test/loss': 0.5, 'epochs': nan}"
    assert run.costs == {"latency/p50": 0.1, "fitted": True}
    assert (run.overrides, run.environment) == ([], {"cores": 2})


def test_runs_are_found_at_any_depth_numbers_in_their_order(tmp_path: Path) -> None:
    for name in ("10", "9", "2", "deep/er"):
        RunFolder(tmp_path / name, tmp_path / "logs", "train")
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "status.json").write_text('{"status": "completed"}')
    (tmp_path / "no run").mkdir()
    assert [str(run.path.relative_to(tmp_path)) for run in find_runs(tmp_path)] == ["2", "9", "10", "deep/er"]
    assert [run.path for run in find_runs(tmp_path / "2")] == [tmp_path / "2"]
    assert list(find_runs(tmp_path / "nowhere")) == []


def test_a_table_of_epochs_that_is_not_there_has_no_rows(tmp_path: Path) -> None:
    assert read_epochs(tmp_path / "metrics.csv") == []
    (tmp_path / "metrics.csv").write_text('epoch,note\n0,"a, b"\n')
    assert read_epochs(tmp_path / "metrics.csv") == [{"epoch": "0", "note": "a, b"}]


# Written --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "run").mkdir()
    return RunFolder(tmp_path / "run", tmp_path / "logs", "train")


def test_what_is_written_is_what_is_read(folder: RunFolder, tmp_path: Path) -> None:
    folder.open({"overrides": ["seed=1"]})
    assert Run(folder.path).status == "running"
    assert (tmp_path / "logs/train/latest").resolve() == folder.path
    folder.write("metrics.json", {"test/accuracy": 0.5})
    folder.write_status("failed", "it broke")
    run = Run(folder.path)
    assert (run.status, run.error, run.metrics, run.overrides) == (
        "failed",
        "it broke",
        {"test/accuracy": 0.5},
        ["seed=1"],
    )
    assert run.started > 1577923200
    assert sorted(path.name for path in folder.path.iterdir()) == ["environment.json", "metrics.json", "status.json"]


def test_a_write_that_fails_leaves_the_file_before_it(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("metrics.json", {"test/accuracy": 0.5})

    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        folder.write("metrics.json", {"test/accuracy": 0.75})
    assert read_json(folder.path / "metrics.json") == {"test/accuracy": 0.5}


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "SLURM_PROCID"])
def test_the_other_processes_of_a_run_write_nothing(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "1")
    folder.open({})
    assert list(folder.path.iterdir()) == []


def test_latest_takes_the_place_of_no_file(tmp_path: Path) -> None:
    theirs = tmp_path / "logs" / "train" / "latest"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("precious")
    RunFolder(tmp_path / "run", tmp_path / "logs", "train").open({})
    assert not theirs.is_symlink()
    assert theirs.read_text() == "precious"
    assert list(theirs.parent.iterdir()) == [theirs]


def test_a_refused_run_gives_latest_back(folder: RunFolder, tmp_path: Path) -> None:
    latest = tmp_path / "logs" / "train" / "latest"
    folder.open({})
    folder.refuse()
    assert not latest.is_symlink()  # there was none before
    folder.open({})
    (tmp_path / "other").mkdir()
    other = RunFolder(tmp_path / "other", tmp_path / "logs", "train")
    other.open({})
    assert latest.resolve() == tmp_path / "other"
    folder.refuse()  # the newest is of another run by now
    assert latest.resolve() == tmp_path / "other"
    other.refuse()
    assert latest.resolve() == folder.path


def test_a_start_that_is_refused_leaves_nothing_unless_others_have_put_something_there(folder: RunFolder) -> None:
    assert folder.take()
    with folder.lock:
        folder.open({})
        notes = folder.path / "notes.txt"
        notes.touch()
        before = sorted(folder.path.iterdir())
        folder.leave_nothing("train.log")
        assert sorted(folder.path.iterdir()) == before
        notes.unlink()
        folder.leave_nothing("train.log")
        assert list(folder.path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_run_of_another_user_that_runs_is_not_called_killed(folder: RunFolder) -> None:
    assert folder.take()
    folder.open({})
    for part in [folder.path, *folder.path.parents]:
        if not part.stat().st_mode & 0o005:
            part.chmod(0o755)
    look = os.fork()
    if look == 0:
        os.setuid(65534)
        os._exit(0 if Run(folder.path).state == "running" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(look, 0)[1]) == 0
    folder.lock.release()


@pytest.mark.parametrize("name", ["checkpoints", "pretrain", "metrics.csv", "metrics.json", "comparison.json"])
def test_a_folder_with_results_is_used(folder: RunFolder, name: str) -> None:
    folder.open({})  # status.json and environment.json alone are none
    assert not folder.is_used()
    (folder.path / name).touch()
    assert folder.is_used()


def test_the_environment_is_plain_and_says_what_a_result_depends_on() -> None:
    found = environment()
    assert json.loads(json.dumps(found)) == found
    assert found["versions"].keys() >= {"python", "torch", "lightning", "numpy"}
    assert found["command"][0] == sys.executable
    assert found["cores"] >= 1


def test_several_processes_may_write_a_record_at_once(folder: RunFolder) -> None:
    with whole(folder.path / "status.json") as file:
        folder.write_status("running")
        file.write("{}")
    assert read_json(folder.path / "status.json") == {}
    assert [path.name for path in folder.path.iterdir()] == ["status.json"]


def test_a_file_that_is_not_finished_is_not_there(folder: RunFolder) -> None:
    def cut() -> None:
        with whole(folder.path / "status.json") as file:
            file.write("half")
            raise KeyboardInterrupt

    folder.write_status("running")
    with pytest.raises(KeyboardInterrupt):
        cut()
    assert read_json(folder.path / "status.json")["status"] == "running"
    assert [path.name for path in folder.path.iterdir()] == ["status.json"]


def test_figures_that_nothing_can_be_computed_with_are_none(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"a": 1e308, "b": -1e999, "c": 0.5, "train/seconds": Infinity}')
    (tmp_path / "status.json").write_text('{"status": "completed", "seconds": 1e999}')
    run = Run(tmp_path)
    assert str(run.metrics) == "{'a': nan, 'b': nan, 'c': 0.5, 'train/seconds': nan}"
    assert (run.training_seconds, run.status) == (None, "completed")
    rows = ["0,0.5,1.5", "1e0,0.5,1.5", "-1,0.5,1.5", "1,1e308,1.5", "2,0.5,inf", "3,0.5,1e308", "4,nan,2.0"]
    (tmp_path / "metrics.csv").write_text("\n".join(["epoch,val/loss,seconds", *rows]) + "\n")
    again = Run(tmp_path)
    assert [row["epoch"] for row in again.epochs] == ["0", "4"]  # a training may diverge
    assert again.training_seconds == 3.5


def test_a_run_goes_on_from_its_training_else_from_what_came_before_it(tmp_path: Path) -> None:
    assert Run(tmp_path).last_checkpoint is None
    for name in ("pretrain", "checkpoints"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "last.ckpt").touch()
        assert Run(tmp_path).last_checkpoint == tmp_path / name / "last.ckpt"
