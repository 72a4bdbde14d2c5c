"""train.log: what a run printed, warnings and errors among it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.cli.frame.log import logged
from tests.cli.running import TINY, Verb

QUICK = ("data=fake", "data.num_train=40", "data.num_test=10", "model.hidden_size=4", "trainer=smoke", "device=cpu")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_holds_what_was_printed_and_nothing_of_a_progress_bar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    shown = "one\n\r\x1b[2Kepoch 0:  50%|###  |\repoch 0: 100%|#####|\ntwo \x1b[31mred\x1b[0m\nhalf\rthree\nleft"
    with logged(tmp_path / "x.log"):
        assert sys.stdout.isatty()
        for letter in shown:  # however it comes
            sys.stdout.write(letter)
    assert terminal.getvalue() == shown
    assert sys.stdout is terminal
    assert (tmp_path / "x.log").read_text().splitlines() == ["one", "two red", "three", "left"]


PROGRAM = """
import logging, sys, warnings
from pathlib import Path
from rnnvision.cli.frame.log import logged

with logged(Path("x.log")):
    print("ä")
    warnings.warn("look out", stacklevel=1)
    handler = logging.StreamHandler()  # outlives the run
logging.getLogger("x").addHandler(handler)
logging.getLogger("x").warning("after")
"""


def test_a_log_is_continued_and_holds_warnings() -> None:
    Path("x.log").write_text("before\n")
    words, variables = [sys.executable, "-c", PROGRAM], {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    assert done.stderr.endswith("after\n")
    text = Path("x.log").read_text(encoding="utf-8")
    assert text.startswith("before\nä\n")
    assert "UserWarning: look out" in text
    assert "after" not in text


def test_the_log_of_a_run_is_what_it_printed(verb: Verb) -> None:
    result = verb("train", *QUICK, "hydra.run.dir=run")
    assert result.code == 0, result.err
    assert Path("run/train.log").read_text() == result.out
    assert [path.name for path in Path("run").glob("*.log")] == ["train.log"]


def test_a_failed_run_has_its_error_in_its_log(verb: Verb) -> None:
    result = verb("train", *QUICK, "hydra.run.dir=run", "optimizer.lr=1000", "optimizer.weight_decay=1000")
    assert result.code == 1
    assert Path("run/train.log").read_text().endswith(result.err)


def test_each_job_of_a_sweep_has_its_own_log(verb: Verb) -> None:
    assert verb("train", "-m", *QUICK, "seed=0,1", "hydra.sweep.dir=sweep").code == 0
    for job in ("seed=0", "seed=1"):
        log, output = (Path("sweep", job, name).read_text() for name in ("train.log", "output.log"))
        assert log in output  # which has what comes before the log too
        assert log.count("test accuracy") == 1
        assert log.count("folder    ") == 1


def test_a_refused_resume_leaves_the_log_as_it_was(verb: Verb) -> None:
    assert verb("train", *TINY, "hydra.run.dir=run").code == 0
    before = Path("run/train.log").read_bytes()
    assert verb("train", "resume=run", "model.hidden_size=9").code == 2
    assert Path("run/train.log").read_bytes() == before
