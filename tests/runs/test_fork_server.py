"""A fork server: what it starts is as `python -m MODULE` would be, but for the imports; and it can be ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnnvision.launch import module_command
from rnnvision.runs.fork_server import ForkServer
from rnnvision.runs.process import last_line

ROOT = Path(__file__).parents[2]
SAYS = """
import json, os, sys, shared
shared.VALUE += 1
facts = {"argv": sys.argv, "name": sys.modules["__main__"].__spec__.name, "value": shared.VALUE, "group": os.getpgrp()}
print("epoch 1"); print("no epoch", file=sys.stderr); print(json.dumps(facts))
sys.exit(int(sys.argv[1]))
"""
WAITS = """
import os, signal, sys, time
if sys.argv[1:] == ["handler"]:
    def leave(signum, frame):
        os.write(1, f"wrote down signal {signum}\\n".encode())  # print may be at work
        sys.exit(0)
    signal.signal(signal.SIGTERM, leave)
print("epoch 1")
time.sleep(60)
"""
COMPUTES = """
import os, sys, torch
torch.set_num_threads(2)
product = torch.ones(700, 700) @ torch.ones(700, 700)
torch.nn.LSTM(64, 64, batch_first=True)(torch.ones(64, 28, 64))[0].sum().backward()
imported = [name for name in ("lightning", "rnnvision.training.learner") if name in sys.modules]
server = os.listdir(f"/proc/{os.getppid()}/task")
print(round(float(product.mean())), len(imported), len(server), torch.cuda.is_initialized())
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in {"shared": "VALUE = 0\ndef prepare(*words):\n    pass\n", "says": SAYS, "waits": WAITS}.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "computes.py").write_text(COMPUTES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ForkServer]:
    made = ForkServer("shared:prepare")
    yield made
    made.close()


def command(*words: str) -> list[str]:
    return module_command(*words)


def run(server: ForkServer, log: Path, *words: str) -> int:
    with log.open("a") as output:
        return server(command(*words), output).wait()


def test_a_fork_is_what_python_m_would_start(server: ForkServer, folder: Path) -> None:
    for code in (0, 3):
        log = folder / f"{code}.log"
        assert run(server, log, "says", str(code), "two words") == code
        *said, facts = log.read_text().splitlines()
        assert said == ["epoch 1", "no epoch"]
        assert json.loads(facts) == {
            "argv": [str(folder / "says.py"), str(code), "two words"],
            "name": "says",
            "value": 1,  # whatever the one before has changed
            "group": os.getpgrp(),  # Ctrl-C in the terminal reaches it
        }


@pytest.mark.parametrize(("words", "code", "last"), [((), -15, "epoch 1"), (("handler",), 0, "wrote down signal 15")])
def test_a_fork_that_a_signal_ends_says_so(
    server: ForkServer, folder: Path, words: tuple[str, ...], code: int, last: str
) -> None:
    log = folder / "run.log"
    with log.open("a") as output:
        child = server(command("waits", *words), output)
    while "epoch 1" not in log.read_text():
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    assert child.wait() == code
    child.close()
    assert last_line(log) == last
    assert run(server, folder / "next.log", "says", "0") == 0


def test_a_server_that_cannot_begin_is_noticed(folder: Path) -> None:
    server = ForkServer("shared:missing")
    assert run(server, folder / "run.log", "says", "0") == 1
    server.close()


def test_a_job_has_pytorch_and_can_use_all_threads(folder: Path) -> None:
    server = ForkServer("rnnvision.cli.frame.places:prepare")
    for number in range(2):
        log = folder / f"{number}.log"
        assert run(server, log, "computes") == 0
        assert log.read_text() == "700 2 1 False\n"
    server.close()


KILLED_AT_ONCE = """
import os, signal, sys
from rnnvision.launch import module_command
from rnnvision.runs.fork_server import ForkServer
ForkServer("shared:prepare")(module_command("leaves"), open("run.log", "w"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_killed_while_its_server_starts_leaves_nothing(folder: Path) -> None:
    (folder / "leaves.py").write_text("from pathlib import Path\nPath('began').touch()\n")
    subprocess.run([sys.executable, "-c", KILLED_AT_ONCE], check=False)
    time.sleep(3)
    assert not (folder / "began").exists()
