"""The tests that are marked `gpu`."""

import os
import re
import subprocess
import sys
from pathlib import Path

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

TITLE = "Tests marked gpu"
ROOT = Path(__file__).resolve().parents[3]


def measure(told: Told, rows: Rows) -> None:
    rows.measure("pytest -m gpu", lambda: _run(told))


def _run(told: Told) -> Row:
    """Only files that hold such a test are read: collecting the others takes longer than the tests."""
    marked = re.compile(r"^@pytest\.mark\.gpu", flags=re.MULTILINE)
    files = sorted(
        str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("test_*.py") if marked.search(p.read_text())
    )
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-n", "0", "-rfE", "-p", "no:cacheprovider", *files]
    if told.device_type == "cpu":
        command.append("--collect-only")
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout[-6000:], done.stderr[-2000:])
    lines = done.stdout.strip().splitlines()
    unsuccessful = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return {"code": done.returncode, "summary": lines[-1].strip("= ") if lines else "", "unsuccessful": unsuccessful}


def markdown(rows: dict[str, Row]) -> str:
    lines = [table(["command", "result"], [[f"`{case}`", row["summary"]] for case, row in rows.items()], words=2)]
    failed = [f"- {line}" for row in rows.values() for line in row["unsuccessful"]]
    return "\n".join([*lines, *(["", *failed] if failed else [])])
