"""The side of a part: what it is told, and the rows that it writes, one as soon as it is measured."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu.packages import PACKAGES
from gpu.record import write_json

if TYPE_CHECKING:
    import torch

Row = dict[str, Any]


class LeftOutError(Exception):
    """A case that cannot be measured here, and that no rerun on this machine would change."""


@dataclass(frozen=True)
class Told:
    """What every part is told."""

    device_type: str  # cuda or cpu
    small: bool  # few and little of everything: the figures mean nothing
    folder: Path  # for what a part writes besides its rows

    @property
    def device(self) -> "torch.device":
        import torch

        return torch.device(self.device_type)

    def size(self, whole: Any, small: Any) -> Any:
        """The one for this measurement."""
        return small if self.small else whole


class Rows:
    """The rows of a part by case, in a file that is written after each; those of an earlier try are kept.

    Attributes:
        rows: what was measured.
        left_out: cases that cannot be measured here, and why.
        failed: cases that ended in an error, and which: a rerun tries them again.
    """

    def __init__(self, file: Path, before: Row | None = None) -> None:
        self.file = file
        self.rows: dict[str, Row] = dict((before or {}).get("rows", {}))
        self.left_out: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._write()

    def measure(self, case: str, work: Callable[[], Row]) -> None:
        """Add what `work` gives, unless an earlier try has; an error of it is written down and passes."""
        if case in self.rows:
            return
        started = time.perf_counter()
        try:
            self.rows[case] = work()
        except Exception as error:  # the next case may well run, and the day of a GPU is short
            why = " ".join(str(error).split())[:500]
            lacks = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in PACKAGES
            if lacks or isinstance(error, LeftOutError):
                self.left_out[case] = why
            else:
                self.failed[case] = f"{type(error).__name__}: {why}"
        how = self.failed.get(case) or self.left_out.get(case) or "ok"
        print(f"{time.perf_counter() - started:7.2f} s  {case}: {how}", flush=True)
        self._write()

    def _write(self) -> None:
        write_json(self.file, {"rows": self.rows, "left_out": self.left_out, "failed": self.failed})


def read_rows(file: Path) -> dict[str, dict[str, Any]]:
    """What a part has written, also one that was killed."""
    return json.loads(file.read_text()) if file.is_file() else {"rows": {}, "left_out": {}, "failed": {}}
