"""The record of a measurement: one file, results.json, which a rerun goes on from."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from rnnvision.runs import environment

DONE = "done"  # the status of a part that a rerun skips; others: failed, over time, not begun
# What decides whether two figures can stand in one table.
SAME = ("device", "card", "driver", "torch", "cuda", "cudnn", "small")


class OtherMachineError(Exception):
    """The record was measured with another card or another torch."""


def machine(device: str, small: bool) -> dict[str, Any]:
    """The card, its driver, and the versions that figures depend on."""
    import torch

    known = environment()
    facts: dict[str, Any] = {"device": device, "small": small, "cpu": known["cpu"], "cores": known["cores"]}
    facts |= {"python": known["versions"]["python"], "torch": torch.__version__, "cuda": torch.version.cuda}
    facts |= {"card": None, "driver": None, "cudnn": None, "versions": known["versions"]}
    if device == "cuda":
        facts |= {"card": torch.cuda.get_device_name(), "driver": _driver()}
        facts |= {"cudnn": torch.backends.cudnn.version(), "capability": list(torch.cuda.get_device_capability())}
    return facts


def commit() -> str:
    """The commit of this checkout, "(changed)" where files differ from it; $COMMIT where there is no repository."""
    git = environment()["git"]
    if git is None:
        return os.environ.get("COMMIT", "unknown")
    return f"{git['commit'][:7]}{' (changed)' if git['dirty'] else ''}"


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.split()
    except (OSError, subprocess.SubprocessError):
        return None
    return found[0] if found else None


class Record:
    """What has been measured in `folder` so far, by part; written whole after each change.

    Raises:
        OtherMachineError: if it was measured on another machine.
    """

    def __init__(self, folder: Path, facts: dict[str, Any]) -> None:
        self.file = folder / "results.json"
        self.content: dict[str, Any] = {"machine": facts, "parts": {}}
        if self.file.is_file():
            self.content = json.loads(self.file.read_text())
            before = self.content["machine"]
            if differing := [key for key in SAME if before.get(key) != facts.get(key)]:
                key = differing[0]
                raise OtherMachineError(
                    f"{self.file}: measured with {key} {before.get(key)}, here it is {facts.get(key)}; "
                    f"choose another --out"
                )

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        """Of each part: its status, why, seconds, commit, rows by case, and why a case has none."""
        return self.content["parts"]

    def is_done(self, part: str) -> bool:
        return self.parts.get(part, {}).get("status") == DONE

    def keep(self, part: str, **facts: Any) -> None:
        self.parts[part] = {**self.parts.get(part, {}), **facts}
        write_json(self.file, self.content)


def write_json(path: Path, content: Any) -> None:
    """Write it so that a process that is killed leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(content, indent=1) + "\n")
    new.replace(path)
