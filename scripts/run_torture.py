"""What a run, its files and its commands survive: make torture, or python scripts/run_torture.py [TRIAL ...]

Each trial of scripts/torture/trials does one thing to rnnvision, again and again, and counts what did not end as
docs/reliability.md promises. The rows of the trials that were run are written into the table there; the others stay.

    --count N    tries of each trial, in place of those of its long version
    --seed S     what is random is a function of it (0)
    --docs FILE  write the rows there (docs/reliability.md); "" only prints them
"""

import argparse
import importlib
import os
import pkgutil
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import torture.trials
from torture.trial import Outcome, Trial

HEAD = ("trial", "promised", "tried", "failed", "faults found while it was built", "note", "seed, commit, time")
BEGIN, END = "<!-- torture: begin -->", "<!-- torture: end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(names()))
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", default="docs/reliability.md")
    told = parser.parse_args()
    if unknown := sorted(set(told.trials) - set(names())):
        parser.error(f"{unknown[0]}: choose from {', '.join(names())}")
    failed = False
    for name in told.trials or names():
        trial = load(name)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"torture-{name}-") as folder:
            outcome = trial.run(told.count or trial.COUNT, told.seed, Path(folder))
        cells = row(name, trial, outcome, told.seed, time.monotonic() - began)
        print(f"| {' | '.join(cells)} |", flush=True)
        for failure in outcome.failures[:20]:
            print(f"  {failure}", file=sys.stderr, flush=True)
        failed |= bool(outcome.failures)
        if told.docs:
            write(Path(told.docs), cells)
    return int(failed)


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(torture.trials.__path__))


def load(name: str) -> Trial:
    return cast(Trial, importlib.import_module(f"torture.trials.{name}"))


def row(name: str, trial: Trial, outcome: Outcome, seed: int, seconds: float) -> list[str]:
    took = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    return [
        f"`{name}`: {trial.TITLE}",
        trial.BAR,
        f"{outcome.count:,}",
        f"{len(outcome.failures):,}",
        str(trial.FOUND),
        outcome.note or "-",
        f"seed {seed}, {commit()}, {took}",
    ]


def commit() -> str:
    """The commit that is tried, and whether anything but docs/, where the rows stand, was changed since."""
    root = Path(__file__).parents[1]
    found = [
        subprocess.run(["git", *words], cwd=root, capture_output=True, text=True).stdout.strip()
        for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--", ".", ":!docs"])
    ]
    return (found[0] or "no commit") + (", changed" if found[1] else "")


def write(page: Path, cells: list[str]) -> None:
    """Put a row in the place of that of the same trial, or at the end of the table."""
    before, _, rest = page.read_text().partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    mine = f"| {' | '.join(cells)} |"
    key = mine.partition(":")[0]
    rows = sorted([line for line in rows if line.partition(":")[0] != key] + [mine])
    head = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    text = "\n".join([BEGIN, "", machine(), "", *head, *rows, "", END])
    page.write_text(before + text + after)


def machine() -> str:
    """The machine of the last rows, in words."""
    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        found = [line.partition(":")[2].strip() for line in cpus.read_text().splitlines() if "model name" in line]
        model = found[0] if found else model
    return f"Measured on {os.cpu_count()} cores of {model}, Python {platform.python_version()}, with `make torture`."


if __name__ == "__main__":
    sys.exit(main())
