"""rnnvision check MODULE ...: hold what a plugin registers to the contract of its kind, rule by rule."""

from pathlib import Path

from rnnvision.cli.frame.command_line.plain import run_plain
from rnnvision.cli.frame.early.starting import announce
from rnnvision.cli.frame.plugins import Part, broken_rule, import_plugin, module_name
from rnnvision.errors import FailureError, UsageError

USAGE = """rnnvision check MODULE ...

Imports each MODULE, a file beside the command or an installed package, and holds what it registers (recurrences,
networks, orders, scans, readouts, data sets) to the contract of its kind. Exit code 1 if a rule is broken, 2 if a
module cannot be imported.

  rnnvision check my_module"""


def main() -> None:
    run_plain("check", USAGE, check)


def check(words: list[str]) -> None:
    """Check each module that is named, in order; without one say how it is used."""
    if not words:
        print(USAGE)
    else:
        announce("check", ", ".join(words))
    for word in dict.fromkeys(words):
        _check(word)


def _check(word: str) -> None:
    module = module_name(word)
    if module is None:
        raise UsageError(f"{word}: is no module; give names of modules and nothing else: rnnvision check my_module")
    for part in import_plugin(module, Path.cwd()):
        print(f"{part.registry.kind} {part.name}")
        for rule in _rules(module, part):
            print(f"  {rule}" if rule.startswith("not checked") else f"  holds: {rule}", flush=True)


def _rules(module: str, part: Part) -> list[str]:
    """Check every rule of a part; returns what was checked, in words."""
    from rnnvision.data import CATALOG
    from rnnvision.data.sets.contract import check_data_set
    from rnnvision.nn.contract import check_all

    try:
        return check_data_set(part.name) if part.registry is CATALOG else check_all(part.registry, part.name)
    except Exception as error:  # of a rule, or of the part itself, such as a reader that fails
        raise FailureError(f"{module}: {broken_rule(part, error, module)}") from error


if __name__ == "__main__":
    main()
