"""A command in a fork of this process, which has imported what verbs need: a try takes a tenth of a process's start."""

import importlib
import os
import pkgutil
import resource
import signal
import socket
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, NoReturn

import rnnvision

ACCEPTED = 77  # the exit code of a command that came to its first step, or to what else takes long
SECONDS = 60.0  # of this try's own CPU time, a hang; and six times as many by the clock
MEMORY = 12 << 30  # bytes of addresses: what asks for more is told so, and does not disturb others
LIBRARIES: tuple[str, ...] = ("torch", "sklearn.datasets", "optuna")
VERBS = ("train", "evaluate", "predict", "watch", "export", "demo", "benchmark", "compare", "tune", "report", "shards")
BY_ARGPARSE = ("results", "diff", "doctor", "models", "check", "completion")  # whose words are not Hydra's
# What takes long, and what listens for ever: a command that comes here has been accepted.
LONG = (
    *(f"lightning.pytorch.trainer.trainer:Trainer.{step}" for step in ("fit", "test", "validate")),
    *(f"rnnvision.insight:{name}" for name in ("matrix_rate", "throughput", "latency", "growth")),
    *("rnnvision.training.svm_fit:fit_in_one_go", "rnnvision.cli.watch.terminal:play", "rnnvision.cli.compare:train"),
    *("rnnvision.inference.demo.server:serve", "rnnvision.inference.export.onnx_file:write_onnx"),
    *("rnnvision.cli.tune:Driver", "rnnvision.cli.frame.sweep.run:make_place", "rnnvision.cli.report:write_report"),
)


@dataclass(frozen=True)
class Tried:
    """How a command ended: its exit code (None: it did not), and what it printed."""

    code: int | None
    out: str
    err: str

    @property
    def accepted(self) -> bool:
        return self.code in (0, ACCEPTED)


def import_all() -> None:
    """Import what the tries share: every module of the package, which may be edited meanwhile."""
    for found in pkgutil.walk_packages(rnnvision.__path__, "rnnvision."):
        if not found.name.endswith("__main__"):
            with suppress(ImportError):  # of a package that is not installed
                importlib.import_module(found.name)
    long = (place.partition(":")[0] for place in LONG)
    for name in (*LIBRARIES, *(f"rnnvision.cli.{verb}" for verb in (*VERBS, *BY_ARGPARSE)), *long):
        importlib.import_module(name)


def tried(verb: str, words: list[str], folder: Path, standard_input: bytes = b"") -> Tried:
    """Run a command in a folder to its end, to its first step, or as long as one may take."""
    out, err, given = (folder.parent / name for name in ("out", "err", "in"))
    given.write_bytes(standard_input)
    child = os.fork()
    if child == 0:
        _become(verb, words, folder, given, out, err)
    code = _ended(child, time.monotonic() + 6 * SECONDS)
    return Tried(code, *(path.read_text(encoding="utf-8", errors="replace") for path in (out, err)))


def _ended(child: int, until: float) -> int | None:
    pause = 0.005
    while time.monotonic() < until:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            _end_group(child)
            code = os.waitstatus_to_exitcode(status)
            return None if code == -signal.SIGXCPU else code
        time.sleep(pause)
        pause = min(0.1, 1.2 * pause)
    _end_group(child)
    os.waitpid(child, 0)
    return None


def _end_group(child: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _become(verb: str, words: list[str], folder: Path, given: Path, out: Path, err: Path) -> NoReturn:
    """Be the process of the command, within the fork."""
    code = 1
    try:
        os.setsid()
        for number, path, flags in ((0, given, os.O_RDONLY), (1, out, WRITE), (2, err, WRITE)):
            os.dup2(os.open(path, flags, 0o600), number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(number, mode, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        os.chdir(folder)
        os.environ["HOME"] = str(folder)
        resource.setrlimit(resource.RLIMIT_CPU, (ceil(SECONDS), ceil(SECONDS) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        _cut_short()
        code = exit_code(verb, words)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def exit_code(verb: str, words: list[str]) -> int:
    """Run a verb in this process."""
    sys.argv = [f"/usr/bin/{verb}.py", *words]
    try:
        importlib.import_module(f"rnnvision.cli.{verb}").main()
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0


def _cut_short() -> None:
    """Let what takes long end the process as accepted, and the network be unreachable."""

    def accepted(*_: Any, **__: Any) -> NoReturn:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ACCEPTED)

    def unreachable(*_: Any, **__: Any) -> NoReturn:
        raise OSError(101, "Network is unreachable")

    for place in LONG:
        module, _, names = place.partition(":")
        *owners, name = names.split(".")
        holder: Any = sys.modules.get(module)
        if holder is not None:  # else `import_all` was not called, as in the tests of this
            for owner in owners:
                holder = getattr(holder, owner)
            assert hasattr(holder, name), place
            setattr(holder, name, accepted)
    socket.socket.connect = unreachable  # type: ignore[method-assign]
