"""The environment of a run: what its result depends on besides the configuration."""

import contextlib
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from rnnvision.masking import masked_word

PACKAGES = (
    "rnnvision",
    "torch",
    "torchvision",
    "lightning",
    "torchmetrics",
    "hydra-core",
    "omegaconf",
    "numpy",
    "accelerated-scan",
)


def environment() -> dict[str, Any]:
    """The command, code, versions and machine, as plain values; the caller adds what torch knows (threads, GPUs)."""
    return {
        "command": [sys.executable, *map(masked_word, sys.argv)],
        "git": _git(),
        "versions": versions(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that a result depends on."""
    from importlib import metadata  # a fifth of the start of a verb that needs no torch

    found = {"python": platform.python_version()}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _git() -> dict[str, Any] | None:
    def git(*words: str) -> str:
        folder = Path(__file__).resolve().parents[2]
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
