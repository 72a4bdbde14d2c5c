"""A command as a process of its own: its log, its exit code, and that it ends with this process."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from rnnvision.runs.process import last_line, run_child

WAITS = """
import signal, sys, time
def leave(signum, frame):
    print("wrote down signal", signum, flush=True)
    sys.exit(0)
signal.signal(signal.SIGINT, leave)
signal.signal(signal.SIGTERM, leave)
print("epoch 1", flush=True)
time.sleep(60)
"""


def test_all_goes_to_the_log_and_epochs_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; print('first'); print('epoch 1'); sys.exit('rnnvision train: it failed')"
    assert run_child([sys.executable, "-c", code], tmp_path / "new" / "run.log") == 1
    assert capsys.readouterr().out.split() == ["epoch", "1"]
    assert (tmp_path / "new" / "run.log").read_text() == "first\nepoch 1\nrnnvision train: it failed\n"
    assert last_line(tmp_path / "new" / "run.log") == "it failed"


def test_a_log_is_continued(tmp_path: Path) -> None:
    for word in "ab":
        assert run_child([sys.executable, "-c", f"print('{word}')"], tmp_path / "run.log") == 0
    assert (tmp_path / "run.log").read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("signum", "expected"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)], ids=["Ctrl-C", "TERM"]
)
def test_what_ends_this_process_ends_the_child(
    tmp_path: Path, signum: signal.Signals, expected: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminate(*args: object) -> None:
        raise SystemExit(143)

    before = signal.signal(signal.SIGTERM, terminate)
    log = tmp_path / "run.log"

    def when_it_runs() -> None:
        while not log.is_file() or "epoch 1" not in log.read_text():
            time.sleep(0.05)
        os.kill(os.getpid(), signum)  # this process alone

    monkeypatch.setattr("rnnvision.runs.process.PATIENCE", 0.2)
    thread = threading.Thread(target=when_it_runs)
    thread.start()
    try:
        with pytest.raises(expected):
            run_child([sys.executable, "-c", WAITS], log)
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    assert last_line(log) == f"wrote down signal {int(signum)}"
