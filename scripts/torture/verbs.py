"""Any verb in a fork of a process that has imported what it needs: what it ends with, and what it prints."""

import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torture.trial import Ended, become, ended


def prepared(*verbs: str) -> None:
    """Import once what these verbs need; no thread is started, which no fork would have."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from rnnvision.cli.frame.places import prepare

    prepare("rnnvision.training.learner", "rnnvision.data.datamodule", *(f"rnnvision.cli.{verb}" for verb in verbs))


def forked(verb: str, words: Sequence[str], folder: Path, timeout: float = 120.0, **variables: str) -> Ended | None:
    """`rnnvision VERB WORDS` in a folder, as a fork; None where it had to be killed after `timeout` seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    streams = [folder / f".{name}.{verb}" for name in ("out", "err")]
    process = os.fork()
    if process == 0:
        become(partial(_run, verb, words, folder, streams, variables))
    code = ended(process, timeout)
    out, err = (stream.read_text(errors="replace") if stream.is_file() else "" for stream in streams)
    for stream in streams:
        stream.unlink(missing_ok=True)
    return None if code is None else Ended(code, out, err)


def _run(verb: str, words: Sequence[str], folder: Path, streams: Sequence[Path], variables: dict[str, str]) -> None:
    os.setpgid(0, 0)
    os.chdir(folder)
    for number, stream in enumerate(streams, start=1):
        descriptor = os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        opened = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
        setattr(sys, name, opened)
    os.environ.update(variables)
    sys.argv = [f"{verb}.py", *words]
    importlib.import_module(f"rnnvision.cli.{verb}").main()
