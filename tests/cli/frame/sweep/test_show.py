"""What a sweep shows: on a terminal rows that are drawn again, with what has ended above them; elsewhere lines."""

import os
from pathlib import Path

import pytest

from rnnvision.cli.frame.sweep.outcome import Outcome
from rnnvision.cli.frame.sweep.show import shown
from rnnvision.search import Job
from tests.cli.frame.live.screen import Terminal, terminal

JOBS = [Job(f"seed={number}", Path(f"seed={number}"), "rnnvision.cli.train", ()) for number in range(4)]


def trains(job: Job, epochs: int) -> None:
    (job.folder / ".hydra").mkdir(parents=True, exist_ok=True)
    (job.folder / ".hydra" / "config.yaml").write_text("trainer:\n  x: 1\n  max_epochs: 20\nseed: 0\n")
    rows = [f"{epoch},0.{80 + epoch}" for epoch in range(epochs)]
    table = job.folder / "metrics.csv"
    table.write_text("\n".join(["epoch,val/accuracy", *rows, ""]))
    os.utime(table, (epochs, epochs))


def lines(screen: Terminal) -> list[str]:
    return screen.look().shown


def test_a_row_for_each_job_that_runs_and_the_counts_below(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(80) as seen:
        monkeypatch.setattr("sys.__stdout__", seen.file)
        with shown(6, 1, 1) as show:
            show.started(JOBS[0], 3, goes_on=False)
            show.started(JOBS[1], 4, goes_on=False)
            trains(JOBS[1], 5)
            show.refresh()
            first, second, counts = lines(seen)
            assert first.startswith("seed=0  starting  0:0")
            assert second.split()[0] == "seed=1"
            assert "epoch 5/20  val 0.8400  0:0" in second
            assert counts.startswith("sweep  ")
            assert "1/6 completed  1 failed  2 jobs waiting" in counts
            assert counts.endswith(" left")
            show.ended(JOBS[0], 3, Outcome("completed", None, {"val": 0.9, "test": 0.8}))
            show.refresh()
            above, second, counts = lines(seen)
            assert above == "   3 of 6: seed=0 completed   val 0.9000   test 0.8000   0:00"
            assert "2/6 completed" in counts
            show.ended(JOBS[1], 4, Outcome("failed", "it diverged", {}))
        assert lines(seen)[1:] == ["   4 of 6: seed=1 failed: it diverged (see seed=1/output.log)   0:00", ""]
        assert max(map(len, seen.screen.lines)) < 80


def test_more_jobs_than_the_terminal_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(80) as seen:
        monkeypatch.setattr("sys.__stdout__", seen.file)
        with shown(100, 0, 0) as show:
            for number in range(60):
                show.started(Job(f"seed={number}", Path("x"), "m", ()), number, goes_on=False)
                rows = lines(seen)
        assert len(rows) < 40
        assert rows[-2] == f"and {60 - (len(rows) - 2)} more"


def test_elsewhere_a_line_at_each_start_and_each_end(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(2, 0, 0) as show:
        show.started(JOBS[0], 1, goes_on=True)
        show.refresh()
        show.ended(JOBS[0], 1, Outcome("completed", None, {}))
    assert capsys.readouterr().out == "   1 of 2: seed=0, which goes on\n   1 of 2: seed=0 completed   0:00\n"
