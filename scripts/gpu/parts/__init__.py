"""The parts, the most valuable first. Each is a module with a TITLE, `measure(told, rows)` and `markdown(rows)`."""

import importlib
from types import ModuleType

# Seconds after which a part is stopped; what it has measured by then is kept.
LIMITS = {
    "parity": 60,
    "kernels": 50,
    "epochs": 120,
    "tests": 60,
    "scans": 70,
    "speedrun": 70,
    "sequences": 60,
    "serving": 60,
    "claims": 40,
    "data": 30,
}


def module_of(part: str) -> ModuleType:
    return importlib.import_module(f"gpu.parts.{part}")
