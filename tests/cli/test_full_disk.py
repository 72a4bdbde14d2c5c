"""A disk that is full: one line, exit code 1, a status that is true, and what was there stays."""

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from rnnvision.cli.frame.log import logged
from rnnvision.regular import open_log
from rnnvision.runs import RunFolder
from tests.cli.running import Verb

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
QUICK = ("data=digits", "hydra.run.dir=run", "trainer.max_steps=-1")


def _free(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=count))


def test_a_run_whose_checkpoints_will_not_fit_does_not_begin(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 20_000)
    result = train(*QUICK)
    assert result.code == 1
    assert "run: no space left on the device for the checkpoints of this run: 4 of" in result.message
    assert len(result.message.splitlines()) == 1
    assert not Path("run/checkpoints").exists()
    assert train(*QUICK[:-2], "callbacks=none", "hydra.run.dir=none").code == 0  # it saves none


@pytest.mark.parametrize("place", ["checkpoint", "metrics"])
def test_a_disk_that_becomes_full_is_told(train: Verb, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    from rnnvision.training import VerifiedCheckpointIO
    from rnnvision.training import run_log as module

    saved: dict[str, bytes] = {}
    save, whole, files = VerifiedCheckpointIO.save_checkpoint, module.whole, Path("run/checkpoints")

    def save_until_full(self: Any, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        if place == "checkpoint" and Path(path).name == "last.ckpt" and checkpoint["epoch"] == 1:
            saved.update({path.name: path.read_bytes() for path in files.glob("last.ckpt")})
            _free(monkeypatch, 1000)
        save(self, checkpoint, path)

    def write_until_full(path: Path) -> Any:
        if place == "metrics" and path.name == "metrics.csv":
            raise OSError(*FULL.args, str(path))
        return whole(path)

    monkeypatch.setattr(VerifiedCheckpointIO, "save_checkpoint", save_until_full)
    monkeypatch.setattr(module, "whole", write_until_full)
    result = train(*QUICK, "trainer.max_epochs=2")
    assert result.code == 1
    assert "Traceback" not in result.err
    assert f"{'last.ckpt' if place == 'checkpoint' else 'metrics.csv'}: no space left on the device" in result.message
    if place == "checkpoint":
        assert "the last.ckpt before it stays as it was; go on: rnnvision train resume=run" in result.message
        assert (files / "last.ckpt").read_bytes() == saved["last.ckpt"]
    status = json.loads(Path("run/status.json").read_text())
    assert status["status"] == "failed"
    assert "no space left" in status["error"]


def test_a_status_is_true_where_no_new_file_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rnnvision.runs import folder

    run = RunFolder(tmp_path, tmp_path, "train")
    run.open({})

    def full(path: Path) -> Any:
        raise FULL

    monkeypatch.setattr(folder, "whole", full)
    for error in ("no space left " * 50, "short"):
        run.write_status("failed", error)
        assert json.loads((tmp_path / "status.json").read_text())["error"] == error
    with pytest.raises(OSError, match="No space"):
        run.write("metrics.json", {})


def test_a_log_that_cannot_be_written_does_not_end_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def writelines(self, lines: Any) -> None:
            if os.path.samestat(os.fstat(self.file.fileno()), path.stat()):  # of the log itself
                raise FULL
            self.file.writelines(lines)

    path = tmp_path / "x.log"
    monkeypatch.setattr("rnnvision.cli.frame.log.open_log", lambda path: Full(open_log(path)))
    with logged(path):
        for line in ("one", "two", "three"):
            print(line)
    assert capsys.readouterr().out.splitlines() == [
        "one",
        "note      the log ends here: No space left on device",
        "two",
        "three",
    ]


def test_a_disk_that_is_full_at_the_start_is_a_failure_and_no_wrong_use(
    train: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: RunFolder, environment: dict[str, Any]) -> None:
        raise OSError(*FULL.args, "run/status.json")

    monkeypatch.setattr(RunFolder, "open", full)
    result = train(*QUICK)
    assert result.code == 1
    assert result.message.endswith(
        "run/status.json: no space left on the device; make space, or choose a folder on another disk: "
        "hydra.run.dir=FOLDER"
    )

    (Path("run/.hydra")).mkdir(parents=True, exist_ok=True)
    Path("run/.hydra/config.yaml").write_text("a: 1\n")
    assert train("resume=run").message.endswith("make space, or copy it to a folder on another disk, and go on there")


def test_a_start_for_which_there_is_no_space_leaves_the_record_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rnnvision.runs import folder

    run, whole = RunFolder(tmp_path, tmp_path, "train"), folder.whole
    run.open({"host": "here"})
    run.write_status("completed")
    before = {path.name: path.read_text() for path in tmp_path.glob("*.json")}

    def full(path: Path) -> Any:
        if path.name == "environment.json":
            raise OSError(*FULL.args, str(path))
        return whole(path)

    monkeypatch.setattr(folder, "whole", full)
    with pytest.raises(OSError, match="No space"):
        RunFolder(tmp_path, tmp_path, "train").open({"host": "there"})
    assert {path.name: path.read_text() for path in tmp_path.glob("*.json")} == before
