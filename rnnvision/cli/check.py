"""rnnvision check MODULE ...: hold what a plugin registers to the contract of its kind, rule by rule."""

import sys
import traceback
from pathlib import Path

from rnnvision.cli.frame.plugins import Part, load_plugins
from rnnvision.errors import FailureError, UsageError

USAGE = """rnnvision check MODULE ...

Imports each MODULE, a file beside the command or an installed package, and holds what it registers (recurrences,
networks, orders, scans, readouts, data sets) to the contract of its kind. Exit code 1 if a rule is broken.

  rnnvision check my_module"""


def main() -> None:
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return
    try:
        for module in words:
            _check(module.removesuffix(".py"))
    except (UsageError, FailureError, ValueError) as error:
        print(f"rnnvision check: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)


def _check(module: str) -> None:
    parts = load_plugins([module], Path.cwd())
    if not parts:
        raise UsageError(f"{module}: registers nothing; a part needs @RECURRENCES.register(NAME) or the like")
    for part in parts:
        print(f"{part.registry.kind} {part.name}")
        for rule in _rules(module, part):
            print(f"  holds: {rule}", flush=True)


def _rules(module: str, part: Part) -> list[str]:
    """Check every rule of a part; returns what was checked, in words."""
    from rnnvision.data import CATALOG
    from rnnvision.data.sets.contract import check_data_set
    from rnnvision.nn import contract

    try:
        if part.registry is CATALOG:
            return check_data_set(part.name)
        return contract.check_all(part.registry, part.name)
    except ValueError as error:
        raise FailureError(f"{module}: {part.registry.kind} {error}") from error
    except Exception as error:  # of the part itself, such as a reader that fails
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        what = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise FailureError(f"{module}: {part.registry.kind} {part.name}: {what} ({where})") from error


if __name__ == "__main__":
    main()
