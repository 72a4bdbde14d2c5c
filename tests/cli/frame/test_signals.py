"""STOP: a signal is heard at any moment, and lost at none; each case is a process of its own, without PyTorch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import indent

import pytest

from rnnvision.cli.frame.signals import CODES

START = """
import os, signal, sys, threading, time
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which the tests may run, has it ignored
from rnnvision.cli.frame.signals import STOP, Stopped
STOP.install()
def send(signum=signal.SIGTERM):
    os.kill(os.getpid(), signum)
class Deleted:
    def __del__(self):
        send()
        time.sleep(0.01)
with STOP.command("rnnvision train"):
    STOP.begin(lambda: Path("record").write_text("interrupted"))
"""
ROOT = Path(__file__).parents[3]


def ends(body: str, folder: Path) -> tuple[int, str]:
    """(exit code, what was printed) of a command whose work is `body`."""
    done = subprocess.run(
        [sys.executable, "-c", START + indent(body, "    ")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("signum", CODES, ids=lambda signum: signal.Signals(signum).name)
def test_before_the_work_a_signal_ends_the_process_there_and_then(tmp_path: Path, signum: int) -> None:
    code, said = ends(f"send({int(signum)})\nprint('went on')", tmp_path)
    assert (code, said) == (CODES[signum], "rnnvision train: interrupted\n")
    assert (tmp_path / "record").read_text() == "interrupted"


def test_the_exit_codes_are_those_that_are_promised() -> None:
    assert {signal.Signals(signum).name: code for signum, code in CODES.items()} == {
        "SIGHUP": 129,
        "SIGINT": 130,
        "SIGUSR1": 143,
        "SIGTERM": 143,
    }


AT_WORK = {
    "is raised": "send()",
    "swallowed": "try:\n    send()\nexcept BaseException:\n    pass\ntime.sleep(5)",
    "in a __del__": "Deleted()\ntime.sleep(5)",
    "in an import": "import sends\ntime.sleep(5)",  # of the module that the test writes
    "in a finally": "try:\n    raise ValueError\nfinally:\n    send()",
    "is deferred": "with STOP.deferred():\n    send()\n    print('saved', end=' ')",
    "is obeyed": "with STOP.deferred():\n    send()\n    print('saved', end=' ')\n    STOP.obey()\n    print('on')",
}


@pytest.mark.parametrize("how", AT_WORK)
def test_at_work_a_signal_is_an_error_that_is_not_lost(tmp_path: Path, how: str) -> None:
    (tmp_path / "sends.py").write_text("import __main__\n__main__.send()\nprint('saved', end=' ')\n")
    body = indent(f"{AT_WORK[how]}\nprint('went on')", "        ")
    code, said = ends(f"try:\n    with STOP.at_work():\n{body}\nfinally:\n    print('closed')", tmp_path)
    assert code == 143
    assert said == ("saved closed\n" if "saved" in body or "sends" in body else "closed\n")


def test_an_import_that_takes_seconds_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "sends.py").write_text("import __main__\n__main__.send()\nprint('went on')\n")
    code, said = ends("with STOP.at_work():\n    with STOP.importing():\n        import sends", tmp_path)
    assert (code, said) == (143, "rnnvision train: interrupted\n")


def test_what_is_being_closed_is_not_interrupted_again(tmp_path: Path) -> None:
    body = """
with STOP.at_work():
    try:
        send()
    finally:
        time.sleep(0.5)
        print('closed')
"""
    assert ends(body, tmp_path) == (143, "closed\n")


def test_a_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    twice = "threading.Timer(0.2, send, [signal.SIGINT]).start()\n    try:\n        send(signal.SIGINT)"
    begin = time.monotonic()
    code, said = ends(f"with STOP.at_work():\n    {twice}\n    finally:\n        time.sleep(50)", tmp_path)
    assert time.monotonic() - begin < 40
    assert (code, said) == (130, "rnnvision train: interrupted\n")
    assert (tmp_path / "record").read_text() == "interrupted"


def test_after_the_work_a_signal_is_the_exit_code_and_nothing_else(tmp_path: Path) -> None:
    assert ends("STOP.work_ends()\nsend(signal.SIGHUP)\nprint('written')", tmp_path) == (129, "written\n")


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    body = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\nSTOP.install()\nsend(signal.SIGHUP)\nprint('goes on')"
    assert ends(body, tmp_path) == (0, "goes on\n")


def test_a_worker_hears_its_parent_alone(tmp_path: Path) -> None:
    """Ctrl-C, SIGHUP and SIGUSR1 reach all processes of a command, and its parent needs it to end a step."""
    body = """
child = os.fork()
if child == 0:
    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        send(signum)
    send(signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert ends(body, tmp_path) == (0, f"{-signal.SIGTERM}\n")


def test_a_signal_waits_while_one_program_replaces_another(tmp_path: Path) -> None:
    body = """
from rnnvision.cli.frame.signals import hold_signals
hold_signals()
send()
print('goes on', flush=True)
os.execv(sys.executable, [sys.executable, '-m', 'rnnvision.cli.models', 'no-such'])
"""
    assert ends(body, tmp_path) == (143, "goes on\nrnnvision: interrupted\n")


def test_closed_streams_lead_nowhere(tmp_path: Path) -> None:
    command = f"{sys.executable} -m rnnvision.cli.models lstm >&- 2>err"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=60)
    assert (done.returncode, (tmp_path / "err").read_text()) == (0, "")
