"""Hydra's own multirun, for those who choose a launcher: a folder a job, a table, an exit code that tells of failures."""

import json
from pathlib import Path
from typing import Any

import pytest

from rnnvision.nn.layers import fused as gated
from tests.cli.running import Verb

HYDRAS = "hydra/launcher=basic"


def _jobs() -> list[Path]:
    (sweep,) = Path("logs/train/multiruns").iterdir()
    return sorted(p for p in sweep.iterdir() if p.is_dir())


def _table(out: str) -> list[str]:
    lines = out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("job "))
    return lines[start + 1 : lines.index("", start)]


def test_four_jobs_give_four_folders_and_a_table(train: Verb) -> None:
    result = train("-m", HYDRAS, "model=lstm,gru", "optimizer=adam,sgd")
    assert result.code == 0, result.err
    assert [job.name for job in _jobs()] == ["0", "1", "2", "3"]
    rows = _table(result.out)
    assert len(rows) == 4
    for job, row in zip(_jobs(), rows, strict=True):
        metrics = json.loads((job / "metrics.json").read_text())
        assert row.split()[:4] == [
            job.name,
            "completed",
            f"{metrics['val/accuracy']:.4f}",
            f"{metrics['test/accuracy']:.4f}",
        ]
    assert "model=gru optimizer=sgd" in rows[3]


def test_the_others_finish_when_one_fails(train: Verb) -> None:
    result = train("-m", HYDRAS, "model=lstm,gru", "model.num_layers=1,0")
    assert result.code == 1
    assert "Traceback" not in result.err
    rows = _table(result.out)
    assert [row.split()[1] for row in rows] == ["completed", "failed", "completed", "failed"]
    assert "model.num_layers=0: must be" in rows[1]
    assert "2 of 4 jobs failed" in result.err
    assert json.loads((_jobs()[1] / "status.json").read_text())["status"] == "failed"
    assert (_jobs()[2] / "checkpoints" / "best.ckpt").is_file()


def test_a_defect_in_one_job_is_shown_and_the_others_finish(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: gated.GRU, *args: Any) -> Any:
        raise RuntimeError("a defect")

    monkeypatch.setattr(gated.GRU, "forward", broken)
    result = train("-m", HYDRAS, "model=gru,lstm")
    assert result.code == 1
    assert "Traceback" in result.err
    assert [row.split()[1] for row in _table(result.out)] == ["failed", "completed"]
    assert "RuntimeError: a defect" in _table(result.out)[0]


def test_a_wrong_option_is_found_before_the_first_job(train: Verb) -> None:
    result = train("-m", HYDRAS, "model=lstm,grru")
    assert result.code == 2
    assert "Try: rnnvision train" in result.err
    assert "model=lstm,gru" in result.err
    assert not list(Path("logs").rglob("status.json"))


def test_an_interrupted_sweep_shows_what_is_done(train: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(self: gated.GRU, *args: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(gated.GRU, "forward", stop)
    result = train("-m", HYDRAS, "model=lstm,gru,rnn")
    assert result.code == 130
    assert [row.split()[:2] for row in _table(result.out)] == [["0", "completed"], ["1", "interrupted"]]
    assert result.message.endswith("the jobs after it have not begun")


def test_only_the_jobs_of_this_sweep_count_in_a_folder_that_is_used_again(train: Verb) -> None:
    folder = Path("sweep") / "7" / ".hydra"
    folder.mkdir(parents=True)
    (folder / "overrides.yaml").write_text("[]\n")
    old = {"status": "failed", "error": "long ago", "started": "2020-01-01T00:00:00+00:00", "seconds": 1}
    (folder.parent / "status.json").write_text(json.dumps(old))
    result = train("-m", HYDRAS, "seed=0,1", "hydra.sweep.dir=sweep")
    assert result.code == 0, result.err
    assert len(_table(result.out)) == 2


@pytest.mark.parametrize("word", ["trainer.devices=2", "trainer.strategy=ddp", "device=cpu_ddp"])
def test_a_job_with_several_processes_is_a_command_of_its_own(
    verb: Verb, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Its processes would repeat the whole sweep otherwise."""
    started: list[str] = []
    monkeypatch.setattr("rnnvision.cli.train.run_as_command", lambda run: started.append(run.path.name) or 0.5)
    result = verb("train", "-m", HYDRAS, "seed=0,1", *([word] if word.startswith("device=") else ["device=cpu", word]))
    assert result.code == 0, result.err
    assert started == ["0", "1"]
