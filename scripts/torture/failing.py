"""What a run that had to fail must have left: exit code 1, its cause in words, a status, and no process."""

import json
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from torture.trial import left_running


def fault(folder: Path, process: int, code: int | None, said: str, *, by_torchrun: bool = False) -> str | None:
    """What is wrong with the end of a run in folder/run; None where all is as promised.

    Args:
        folder: holds what it printed, too: `log`.
        process: the first one of its group.
        code: its exit code; None where it did not end.
        said: what must have been said.
        by_torchrun: whether torchrun has begun the run, which interrupts the others where one process ends, and says
            so in a traceback of its own.
    """
    text = (folder / "log").read_text(errors="replace")
    status = folder / "run" / "status.json"
    log = "".join(file.read_text(errors="replace") for file in folder.glob("run/*.log"))
    until = time.monotonic() + 2  # processes that are killed with the first one take a moment
    while (left := left_running(process)) and time.monotonic() < until:
        time.sleep(0.1)
    for number in left:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    told = json.loads(status.read_text())["status"] if status.is_file() else "missing"
    wrong = [
        *(["it does not end"] if code is None else [f"exit code {code}"] if code != 1 else []),
        *([f"status {told}"] if told not in ("failed", *(["interrupted"] if by_torchrun else [])) else []),
        *([f"{len(left)} processes are left"] if left else []),
        *(["a traceback"] if "Traceback (most recent call last)" in (log if by_torchrun else text) else []),
        *([] if said in text else [f"{said!r} is not said"]),
    ]
    return f"{', '.join(wrong)}: {' '.join(text.split())[-600:]}" if wrong else None
