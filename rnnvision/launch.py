"""Processes of this package: as `python -m MODULE WORDS`, but that nothing is imported from the folder they start in.

That folder may be a stranger's, and hold an http.py. A module of the user's own is found there by plugins=[MODULE].
"""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
SAFE = "PYTHONSAFEPATH"  # from Python 3.11 on: what libraries start, such as workers and ranks, is safe, too

# What Python 3.10 has no flag for. A checkout that is neither installed nor on PYTHONPATH is found where it lies.
BEGIN = (
    "import sys; getattr(sys.flags, 'safe_path', False) or sys.path.pop(0); "
    f"{ROOT!r} in sys.path or sys.path.insert(0, {ROOT!r}); "
    "from rnnvision.launch import become; become()"
)

BEFORE_MODULE = 3  # words of a command before its module


def module_command(module: str, *words: str) -> list[str]:
    """What starts a module with these words.

    Examples:
        >>> module_command("rnnvision.cli.train", "seed=1")[3:]
        ['rnnvision.cli.train', 'seed=1']
    """
    return [sys.executable, "-c", BEGIN, module, *words]


def become() -> None:
    """Within a process that `module_command` has started: run the module."""
    import runpy

    os.environ[SAFE] = "1"
    known = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if sys.path[:1] == [ROOT] and ROOT not in known:  # a checkout
        os.environ["PYTHONPATH"] = os.pathsep.join([ROOT, *known])
    module = sys.argv[1]
    sys.argv[:2] = ["-m"]  # as Python has it while it looks for a module
    runpy.run_module(module, run_name="__main__", alter_sys=True)
