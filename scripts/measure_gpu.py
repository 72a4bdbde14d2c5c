"""Measure on a GPU whatever docs/ says was measured on a CPU only, part by part, in less than eight minutes.

make gpu                                             all of it, results under logs/gpu
python scripts/measure_gpu.py --parts parity tests   some parts
python scripts/measure_gpu.py --device cpu --small   does it run? The figures mean nothing

A part is a process of its own, with a limit of time. A rerun skips the parts that are done and measures the missing
rows of the others. --out holds results.json, the record, and summary.md, which --docs puts into that page. See
docs/gpu.md.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu.measuring import Rows, Told, read_rows
from gpu.packages import add_wheels
from gpu.parts import LIMITS, module_of

SCRIPTS = Path(__file__).resolve().parent
LEAST = 8  # seconds: a part that has less left does not begin
BEGIN, END = "<!-- gpu:begin -->", "<!-- gpu:end -->"


def run_part(part: str, told: argparse.Namespace, limit: float, before: dict[str, Any]) -> dict[str, Any]:
    """Measure a part in a process that is ended after `limit` seconds; what it found, its status, and why."""
    folder = told.out / part
    folder.mkdir(parents=True, exist_ok=True)
    found = folder / "rows.json"
    Rows(found, before)
    command = [sys.executable, sys.argv[0], "--only", part, "--device", told.device, "--out", str(told.out)]
    started = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        child = subprocess.Popen(
            [*command, *(["--small"] if told.small else [])],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what it has started ends with it
        )
        try:
            code: int | None = child.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(child)
    rows = read_rows(found)
    status, why = "done", ""
    if code is None:
        status, why = "over time", f"stopped after {limit:.0f} s"
    elif code or rows["failed"]:
        lines = (folder / "log.txt").read_text(errors="replace").strip().splitlines() or [f"exit code {code}"]
        status, why = "failed", lines[-1] if code else f"failed: {', '.join(rows['failed'])}"
    return {"status": status, "why": why, "seconds": round(time.perf_counter() - started, 1), **rows}


def _end(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def measure(part: str, told: argparse.Namespace) -> None:
    """The child's side of `run_part`."""
    folder = told.out / part
    rows = Rows(folder / "rows.json", read_rows(folder / "rows.json"))
    module_of(part).measure(Told(told.device, told.small, folder), rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", choices=LIMITS, default=list(LIMITS), metavar="PART", help=", ".join(LIMITS)
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="few and little of everything")
    parser.add_argument("--budget", type=float, default=450.0, help="seconds for all parts together")
    parser.add_argument("--out", type=Path, default=Path("logs/gpu"))
    parser.add_argument("--wheels", type=Path, default=Path("wheels"), help="where missing packages are looked for")
    parser.add_argument("--docs", type=Path, help="the page whose table is replaced")
    parser.add_argument("--again", action="store_true", help="measure parts that are done once more")
    parser.add_argument("--only", choices=LIMITS, help=argparse.SUPPRESS)  # the child's side
    told = parser.parse_args()
    told.out = told.out.resolve()
    if told.budget <= 0:
        parser.error(f"--budget {told.budget:g}: must be positive")
    if told.docs and (told.small or told.device != "cuda"):
        parser.error("--docs: is for the figures of a GPU; leave out --small and --device cpu")
    return told


def main() -> None:
    told = _arguments()
    if told.only:
        measure(told.only, told)
        return
    lacking = add_wheels(told.wheels, told.out / "site")
    import torch
    from gpu.record import OtherMachineError, Record, commit, machine
    from gpu.summary import page
    from peers.table import put_between

    if told.device == "cuda" and not torch.cuda.is_available():
        sys.exit("measure_gpu: torch sees no CUDA GPU here; --device cpu --small tries the command without one")
    try:
        record = Record(told.out, machine(told.device, told.small))
    except OtherMachineError as error:
        sys.exit(f"measure_gpu: {error}")
    record.content["command"] = shlex.join(["python", "scripts/measure_gpu.py", *sys.argv[1:]])
    if lacking:
        print(f"not installed: {', '.join(lacking)}; what needs them is left out (docs/gpu.md)")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent), os.environ["PYTHONPATH"]])
    ends = time.monotonic() + told.budget
    for part in told.parts:
        if record.is_done(part) and not told.again:
            print(f"{part:10} done before")
            continue
        before = {} if told.again else record.parts.get(part, {})
        left = ends - time.monotonic()
        if left < LEAST:
            record.keep(part, status="not begun", why=f"the budget of {told.budget:g} s was used up")
        else:
            found = run_part(part, told, min(left, LIMITS[part]), before)
            record.keep(part, commit=commit(), **found)
        now = record.parts[part]
        print(
            f"{part:10} {now['status']}{': ' + now['why'] if now['why'] else ''}, {now.get('seconds', 0)} s", flush=True
        )
        (told.out / "summary.md").write_text(page(record.content) + "\n")
    summary = page(record.content)
    print(f"\n{summary}\n\nresults   {told.out}")
    if told.docs:
        told.docs.write_text(put_between(told.docs.read_text(), summary, BEGIN, END))
    sys.exit(any(record.parts[part]["status"] != "done" for part in told.parts))


if __name__ == "__main__":
    main()
