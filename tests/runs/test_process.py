"""A command as a process of its own: its output, its exit code, and the last it said."""

import signal
import sys
from pathlib import Path

from rnnvision.runs.process import Process, last_line


def test_all_goes_to_the_log_which_is_continued(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['WORD']); sys.exit('rnnvision train: it failed')"
    for word in "ab":
        with (tmp_path / "run.log").open("a") as output:
            assert Process([sys.executable, "-c", code], output, {"WORD": word}).wait() == 1
    assert (tmp_path / "run.log").read_text() == "a\nrnnvision train: it failed\nb\nrnnvision train: it failed\n"
    assert last_line(tmp_path / "run.log") == "it failed"


def test_a_signal_and_the_end_of_interest_end_it(tmp_path: Path) -> None:
    with (tmp_path / "run.log").open("a") as output:
        told, forgotten = (Process([sys.executable, "-c", "import time; time.sleep(60)"], output) for _ in range(2))
    told.send_signal(signal.SIGTERM)
    assert told.wait() == -signal.SIGTERM
    assert forgotten.poll() is None
    forgotten.close()
    assert forgotten.poll() == -signal.SIGKILL
