"""rnnvision demo: an address to open, until Ctrl-C; what cannot be served is told before anything is loaded."""

import json
import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from rnnvision.inference.demo.server import listen
from tests.cli.running import Copy, Verb


def test_the_page_is_there_until_ctrl_c(trained: Copy) -> None:
    trained("run")
    command = [sys.executable, "-m", "rnnvision.cli.demo", "ckpt=run", "port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        url = re.fullmatch(r"open        (http://127\.0\.0\.1:\d+)\n", lines[2])
        assert url is not None, lines
        with urlopen(f"{url[1]}/facts", timeout=20) as answer:
            facts = json.load(answer)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (facts["title"], facts["shape"], facts["unit"]) == ("run", [1, 8, 8], "row")
    assert (process.returncode, out, err) == (0, "", "")


def test_the_address_of_others_is_said_in_one_line(trained: Copy, verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    trained("run")
    monkeypatch.setattr("rnnvision.inference.demo.server.serve", lambda app, taken: None)
    done = verb("demo", "ckpt=run", "port=0", "host=0.0.0.0")
    assert (done.code, done.err) == (0, "")
    assert "\nnote        host=0.0.0.0: everybody who reaches this machine can use the page\n" in done.out
    assert re.search(r"^open        http://localhost:\d+$", done.out, re.MULTILINE)


def test_a_port_in_use_is_told_with_a_free_one(trained: Copy, verb: Verb) -> None:
    trained("run")
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        done = verb("demo", "ckpt=run", f"port={port}")
    assert done.code == 2
    assert re.match(rf"rnnvision demo: port={port}: is in use; try port=\d+", done.message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ckpt=run", "port=http"), "port=http: must be a whole number from 0 to 65535; 0 takes a free one"),
        (("ckpt=run", "port=70000"), "port=70000: must be a whole number from 0 to 65535; 0 takes a free one"),
        (("ckpt=gone", "port=0"), "gone: there is no such file or run folder"),
    ],
)
def test_wrong_use_is_one_line(verb: Verb, words: tuple[str, ...], message: str) -> None:
    done = verb("demo", *words)
    assert done.code == 2
    assert done.message.startswith(f"rnnvision demo: {message}")
    assert len(done.message.splitlines()) == 1


def test_a_missing_package_is_told_with_what_installs_it(verb: Verb, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = verb("demo", "ckpt=run")
    assert (done.code, done.message) == (
        2,
        'rnnvision demo: the page needs uvicorn; type: pip install "rnnvision[demo]"',
    )
