"""Records: the verdict on each fault, kept in a file as soon as it is known."""

import json
import sys
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import Any

from defects.defect import Defect
from defects.tree import Tree

CAUGHT, MISSED, PASSED, UNFIT = "caught", "missed", "passed its room", "not applicable"
Record = dict[str, Any]


class Records:
    """Records: the verdict on each fault, kept in a file as soon as it is known."""

    def __init__(self, tree: Tree, file: Path | None) -> None:
        self._file, self._lock = file, Lock()
        self._kept: dict[str, Any] = {"tree": tree.digest(), "seconds": {}, "defects": {}}
        if file is not None and file.is_file():
            kept = json.loads(file.read_text())
            if kept["tree"] != self._kept["tree"]:
                sys.exit(f"{file}: is of another state of the tree; choose another file, or delete it")
            self._kept = kept

    @property
    def seconds(self) -> dict[str, float]:
        """What each file of tests takes where there is no fault."""
        return self._kept["seconds"]

    def quickest(self, file: str) -> float:
        """Sorts files of tests by this time."""
        return self.seconds.get(file, 0.0)

    def of(self, fault: Defect) -> Record:
        return self._kept["defects"].get(fault.name, {})

    def note(self, fault: Defect, verdict: str, by: str, seconds: float) -> None:
        with self._lock:
            seconds = round(self.of(fault).get("seconds", 0.0) + seconds, 1)
            self._kept["defects"][fault.name] = {"room": fault.room, "verdict": verdict, "by": by, "seconds": seconds}
            self.save()
        print(f"{fault.room:9}{fault.name}: {verdict} {by} ({seconds:.0f} s)", flush=True)

    def save(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._file.with_name(f"{self._file.name}.tmp")
            temporary.write_text(json.dumps(self._kept, indent=2) + "\n")
            temporary.replace(self._file)


def report(records: Records, faults: list[Defect]) -> str:
    """A table in Markdown, and the counts."""
    lines = ["| fault | room | caught by |", "|---|---|---|"]
    for fault in faults:
        found = records.of(fault)
        by = f"`{found['by']}`" if found["verdict"] == CAUGHT else f"**{found['verdict'].upper()}**"
        lines.append(f"| {fault.name} | {fault.room} | {by.replace('|', '/')} |")
    counts = Counter(records.of(fault)["verdict"] for fault in faults)
    return "\n".join(
        [*lines, "", f"{len(faults)} faults: {', '.join(f'{n} {verdict}' for verdict, n in counts.items())}"]
    )
