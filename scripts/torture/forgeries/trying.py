"""One command on forged files: in a fork of this process, with limits, and what must hold when it has ended."""

import hashlib
import importlib
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

from torture.forgeries.forgery import OUTSIDE, WAYS, Forgery

MEMORY = 2_000_000_000  # bytes over the imports
CPU_S, WALL_S = 60, 600
DEFECT = 70  # the exit code of a child from which an exception escaped


def tried(forgery: Forgery, way: str, honest: Path, folder: Path) -> str | None:
    """Forge a copy of the honest files in `folder`, give it a command, and say what did not end as promised."""
    box, outside = folder / "box", folder / OUTSIDE
    shutil.copytree(honest, box, symlinks=True)
    outside.mkdir()
    (outside / "victim").write_text("precious")
    before = _content(outside)
    with ForkedQuietly():
        forgery.forge(box)
    code, out, err = _run(WAYS[way], box, folder / "printed")
    if (box / "ran").exists() or (folder / "ran").exists() or (outside / "ran").exists():
        return "it ran code"
    if _content(outside) != before:
        return "it changed a file outside"
    if code < 0:
        name = signal.Signals(-code).name
        return f"it did not end, {name}" if -code in (signal.SIGXCPU, signal.SIGKILL) else f"it crashed, {name}"
    if code == DEFECT or "Traceback (most recent call last)" in err + out:
        return f"it raised {_last(err)}"
    if code == 0:
        return None if forgery.may_pass else "it was used"
    if len(err.strip().splitlines()) != 1 or code not in (1, 2):
        return f"it ended with {code}, and {len(err.strip().splitlines())} lines: {err.strip()[-300:]!r}"
    return None


class ForkedQuietly:
    """Within, warnings of torch about forged tensors are not shown."""

    def __enter__(self) -> None:
        import warnings

        self.kept = warnings.catch_warnings()
        self.kept.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        self.kept.__exit__(*error)  # type: ignore[arg-type]


def _content(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line and not line.startswith(" ")]
    return lines[-1][:200] if lines else "nothing"


def _run(words: tuple[str, ...], box: Path, printed: Path) -> tuple[int, str, str]:
    """The exit code of a command, minus the signal that ended it, and what it printed."""
    printed.mkdir()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _be_the_command(words, box, printed)
    began = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - began > WALL_S:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    out, err = ((printed / name).read_text(errors="replace") for name in ("out", "err"))
    return os.waitstatus_to_exitcode(status), out, err


def _be_the_command(words: tuple[str, ...], box: Path, printed: Path) -> None:
    code = DEFECT
    try:
        os.setsid()
        for name, descriptor in (("out", 1), ("err", 2)):
            os.dup2(os.open(printed / name, os.O_WRONLY | os.O_CREAT), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")  # where a test captures them
        os.chdir(box)
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
        used = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + CPU_S, int(used) + CPU_S + 5))
        code = _answer(words[1]) if words[0] == "load" else _verb(words)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _verb(words: tuple[str, ...]) -> int:
    verb, *rest = words
    sys.argv = [f"rnnvision {verb}", *rest]
    try:
        importlib.import_module(f"rnnvision.cli.{verb}").main()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 1
    return 0


def _answer(path: str) -> int:
    """From Python: load it, and ask for one answer."""
    import rnnvision
    from rnnvision.errors import FailureError, UsageError

    try:
        classifier = rnnvision.load(path)
        print(classifier("seven.png"))
    except (UsageError, FailureError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
