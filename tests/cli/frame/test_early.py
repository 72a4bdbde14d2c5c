"""The first seconds of a verb: its first line before PyTorch is there, and no import that nothing needs."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnvision.cli.frame.early import starting
from rnnvision.errors import FailureError

ROOT = Path(__file__).parents[3]
# Runs a verb and prints, where it prints its first line, which of these modules are there.
WATCHED = """
import builtins, importlib, sys
verb, sys.argv = sys.argv[1], [f"{sys.argv[1]}.py", *sys.argv[2:]]
said = builtins.print
def first(*words, **options):
    builtins.print = said
    said("BEFORE", *(name for name in ("torch", "lightning") if name in sys.modules), file=sys.stderr)
    said(*words, **options)
builtins.print = first
try:
    importlib.import_module(f"rnnvision.cli.{verb}").main()
finally:
    said("AFTER", *(name for name in ("scipy", "matplotlib", "torchvision", "sklearn") if name in sys.modules),
        file=sys.stderr)
"""


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", WATCHED, *words], capture_output=True, text=True, timeout=120, env=environment
    )


def noted(done: "subprocess.CompletedProcess[str]", when: str) -> list[str]:
    """The modules that were there at that time."""
    return next(line.split()[1:] for line in done.stderr.splitlines() if line.startswith(when))


def test_a_training_says_what_begins_before_pytorch_is_there_and_imports_what_it_needs() -> None:
    done = run("train", "experiment=digits_lstm", "trainer=smoke", "trainer.max_epochs=1")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[:2]
    assert first == "start     experiment=digits_lstm: lstm on digits, 20 steps; loading PyTorch"
    assert second.startswith("network   lstm")
    assert noted(done, "BEFORE") == []
    assert noted(done, "AFTER") == []


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (["evaluate", "ckpt=none"], "start       ckpt=none; loading PyTorch"),
        (["export", "ckpt=none"], "start       ckpt=none; loading PyTorch"),
        (["report", "run=none"], "start     run=none; loading PyTorch"),
        (["shards", "check=none"], "start     check=none; loading PyTorch"),
        (["compare", "models=[lstm]", "seeds=0"], "start     models=[lstm]; loading PyTorch"),
        (["check", "none"], "start     none; loading PyTorch"),
    ],
)
def test_every_verb_says_what_begins_before_pytorch_is_there(words: list[str], begins: str) -> None:
    done = run(*words)
    assert done.stdout.splitlines()[0] == begins
    assert noted(done, "BEFORE") == []


@pytest.mark.parametrize("words", [["predict", "ckpt=none", "source=none.png"], ["models", "scan"]])
def test_what_a_program_may_read_has_no_line_of_another_kind(words: list[str]) -> None:
    assert "start" not in run(*words).stdout


@pytest.mark.parametrize(
    "error", [MemoryError(), ImportError("libtorch_cpu.so: failed to map segment from shared object")]
)
def test_too_little_memory_for_the_libraries_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse(name: str) -> None:
        raise error

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(FailureError, match="too little memory to load PyTorch"):
        starting.import_libraries(("rnnvision.no_such_module",), whole=True)
