"""Packages that a machine with a GPU may lack and cannot download: they are installed from a folder of wheels."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

# import name -> distribution; the first three are needed for what reads conf/, the others are compared with.
PACKAGES = {
    "hydra": "hydra-core",
    "omegaconf": "omegaconf",
    "antlr4": "antlr4-python3-runtime",
    "accelerated_scan": "accelerated-scan",
    "fla": "fla-core",
    "einops": "einops",
}


def missing() -> list[str]:
    """Distributions of `PACKAGES` that this Python cannot import."""
    return [package for name, package in PACKAGES.items() if importlib.util.find_spec(name) is None]


def add_wheels(wheels: Path, site: Path) -> list[str]:
    """Install what is missing from the folder `wheels` into `site`, and let child processes find it there.

    The Python that runs this stays as it is. Returns what cannot be had, which some parts then leave out.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    have = {path.name.partition("-")[0].lower().replace("_", "-") for path in wheels.glob("*.whl")}
    if found := [package for package in missing() if package in have]:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--upgrade"]
        subprocess.run([*command, "--find-links", str(wheels), "--target", str(site), *found], check=True)
        importlib.invalidate_caches()
    return missing()
