"""Run folders as they are written: status.json, environment.json, metrics.json, and the `latest` link."""

import contextlib
import json
import os
import shutil
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rnnvision.atomic import remove_leftovers, whole
from rnnvision.disk import is_full
from rnnvision.errors import FailureError
from rnnvision.regular import open_in_place
from rnnvision.runs.lock import Lock
from rnnvision.runs.ranks import is_first_process
from rnnvision.runs.read import LOCK, read_json

STATUS, ENVIRONMENT = "status.json", "environment.json"
_MADE: set[str] = set()  # folders that were not there before this process


class RunFolder:
    """Records of one run, written at once and atomically, by the first process only."""

    def __init__(self, path: str | Path, log_dir: str | Path, verb: str, seen_from: str | Path | None = None) -> None:
        self.path = Path(path)
        self._seen_from = Path(seen_from or Path.cwd())  # where the command was typed
        self._latest = Path(log_dir) / verb / "latest"
        self._latest_before: str | None = None
        self._started = time.time()
        self._before: dict[str, dict[str, Any]] = {}  # records that `open` has written over
        self.is_as_found = False  # of a run that is resumed: until something of what it has is changed
        self.lock = Lock(self.path / LOCK)  # held by the process that writes here

    def take(self) -> bool:
        """Hold the lock of the folder, which is made, from now on; False where another process holds it.

        Raises:
            OSError: if it cannot be made.
        """
        is_new = not self.path.exists()
        if not self.lock.acquire():
            return False
        if is_new:
            _MADE.add(str(self.path.absolute()))
        return True

    def leave_nothing(self, log: str) -> None:
        """Remove what a run that was refused has left, unless somebody else has put something there.

        Args:
            log: the name of its log.
        """
        own = {".hydra", LOCK, STATUS, ENVIRONMENT, log}
        if not is_first_process() or not self.lock.is_held or not {path.name for path in self.path.iterdir()} <= own:
            return
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path / ".hydra", ignore_errors=True)
            for name in own - {".hydra"}:
                (self.path / name).unlink(missing_ok=True)
            if str(self.path.absolute()) in _MADE:
                self.path.rmdir()

    def open(self, environment: dict[str, Any]) -> None:
        """Mark the run as running, record its environment, and point `latest` to it.

        What killed processes have left of files that they wrote is taken away: the lock of the folder is held.
        """
        if is_first_process():
            remove_leftovers(self.path, alone=False)  # a report may be written here meanwhile
            for part in ("checkpoints", "pretrain"):
                remove_leftovers(self.path / part, alone=True)
        self._before = {name: found for name in (STATUS, ENVIRONMENT) if (found := read_json(self.path / name))}
        self.write_status("running")
        try:
            self.write(ENVIRONMENT, environment)
        except OSError:  # the disk is full: it has not begun
            self.put_back()
            if STATUS not in self._before and is_first_process():
                (self.path / STATUS).unlink(missing_ok=True)
            raise
        if is_first_process() and not self._is_part():
            self.point_latest()

    def put_back(self) -> None:
        """Write what the run said of itself before `open`: a start that changed nothing else does not change that."""
        for name, content in self._before.items():
            try:
                self.write(name, content)
            except OSError as error:
                if not is_full(error):
                    raise

    def _is_part(self) -> bool:
        """Whether the run is a part of another one, as a training of a comparison or a trial of a study is, which has a
        `latest` itself."""
        return any((folder / "status.json").is_file() for folder in self.path.absolute().parents[:2])

    def refuse(self) -> None:
        """Point `latest` back to where it was before `open`: a command without a result is not a run to continue."""
        with contextlib.suppress(OSError):
            if not is_first_process() or str(self._latest.readlink()) != self._target():
                return  # another run has begun since
            if self._latest_before is not None:
                self._link_to(self._latest_before)
            else:
                self._latest.unlink()

    def is_used(self) -> bool:
        """Whether the folder holds results of another run, which this one would overwrite."""
        results = ("checkpoints", "pretrain", "metrics.csv", "metrics.json", "comparison.json", "study.json")
        return is_first_process() and any((self.path / name).exists() for name in results)

    def write_status(self, status: str, error: str | None = None) -> None:
        """status: running, completed, failed or interrupted."""
        started = datetime.fromtimestamp(self._started, timezone.utc).isoformat(timespec="seconds")
        seconds = round(time.time() - self._started, 2)
        self.write(STATUS, {"status": status, "error": error, "started": started, "seconds": seconds})

    def write(self, name: str, content: dict[str, Any]) -> None:
        if not is_first_process():
            return
        text = json.dumps(content, indent=2) + "\n"
        try:
            with whole(self.path / name) as file:
                file.write(text)
        except OSError as error:
            if name != STATUS or not is_full(error):
                raise
            self._write_over(STATUS, text)

    def _write_over(self, name: str, text: str) -> None:
        """Write into the space that a file has already, where there is no more; without it, its lock still says that
        nobody is writing here."""
        with (
            contextlib.suppress(OSError, FailureError),
            os.fdopen(open_in_place(self.path / name, os.O_RDWR), "r+b") as file,
        ):
            file.write(text.encode())
            file.truncate()

    def shown(self) -> str:
        """The path as a person would type it."""
        inside = self.path.absolute().is_relative_to(self._seen_from)
        return os.path.relpath(self.path, self._seen_from) if inside else str(self.path)

    def point_latest(self) -> None:
        """Let `latest` be this folder."""
        link = self._latest.absolute()
        with contextlib.suppress(OSError):
            self._latest_before = str(link.readlink())
        self._link_to(self._target())

    def _target(self) -> str:
        return os.path.relpath(self.path.absolute(), self._latest.absolute().parent)

    def _link_to(self, target: str) -> None:
        link = self._latest.absolute()
        temporary = link.with_name(f".latest.{os.getpid()}")
        if link.exists() and not link.is_symlink():
            return  # somebody's file
        with contextlib.suppress(OSError):  # file systems without links, or a folder that is not ours
            link.parent.mkdir(parents=True, exist_ok=True)
            temporary.symlink_to(target)
            temporary.replace(link)
