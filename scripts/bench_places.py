"""What the places of jobs promise, tried here: python scripts/bench_places.py [same] [ranks] [jobs] [--work FOLDER]

    same    4 jobs in 2 slots, by submitit's stand-in and in a local Ray cluster have the scores of 4 jobs one after
            another, bit for bit: all figures but times, and the answer to every test image
    ranks   -m device=cpu_ddp seed=0,1,2: three jobs, three folders, six processes of trainings, none left at the end
    jobs    what a job costs: CPU time as a fork and as a process of its own, files and bytes of its folder

Prints a Markdown table. Every process computes in one thread, since the number of threads changes the weights.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

SWEEP = ["data=digits", "device=cpu", "trainer.max_epochs=2", "model=lstm,gru", "seed=0,1"]
PLACES = {
    "one after another": [],
    "2 slots": ["jobs=2"],
    "submitit's stand-in": ["jobs=2", "where=slurm", "where.cluster=local"],
    "a local Ray cluster": ["jobs=2", "where=ray"],
}
TIMES = ("seconds", "samples_per_second")
STARTS = 4  # jobs that are started for `jobs`


def sweep(folder: Path, *words: str) -> float:
    """A sweep in a new folder; returns its seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    begin = time.monotonic()
    with folder.with_suffix(".log").open("w") as log:
        command = [sys.executable, "-m", "rnnvision.cli.train", "-m", *words, f"hydra.sweep.dir={folder}"]
        code = subprocess.run(
            [*command, f"log_dir={folder.parent}/logs"], stdout=log, stderr=log, check=False
        ).returncode
    if code:
        raise SystemExit(f"{folder}: ended with {code}, see {folder.with_suffix('.log')}")
    return time.monotonic() - begin


def scores(folder: Path) -> dict[str, Any]:
    """Of each job: its figures but for times, and its answers."""
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*/metrics.json")):
        figures = json.loads(file.read_text())
        kept = {key: value for key, value in figures.items() if not key.endswith(TIMES)}
        found[file.parent.name] = kept, (file.parent / "predictions.csv").read_text()
    return found


def same(work: Path) -> list[str]:
    rows, expected = [], {}
    for name, words in PLACES.items():
        folder = work / name.replace(" ", "_").replace("'", "")
        seconds = sweep(folder, *SWEEP, *words)
        found = scores(folder)
        expected = expected or found
        differ = [job for job in expected if found.get(job) != expected[job]]
        verdict = "the same" if len(found) == 4 and not differ else f"DIFFER: {', '.join(differ) or len(found)}"
        rows.append(f"| 4 jobs, {name} | {len(found)} completed, scores and answers {verdict} | {seconds:.1f} s |")
    return rows


def ranks(work: Path) -> list[str]:
    """Lightning starts the second process of each training with LOCAL_RANK=1; the first is the job itself."""
    seen: Counter[str] = Counter()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.update(processes(b"LOCAL_RANK=1", work))
            time.sleep(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        words = ["data=digits", "device=cpu_ddp", "trainer.max_epochs=2", "model.hidden_size=16", "seed=0,1,2"]
        seconds = sweep(work / "ranks", *words)
    finally:
        done.set()
        looking.join()
    folders = [path.parent.name for path in sorted((work / "ranks").glob("*/metrics.json"))]
    first = sum("2 processes" in (work / "ranks" / name / "train.log").read_text() for name in folders)
    left = processes(b"LOCAL_RANK=", work)
    others = [process for process, looks in seen.items() if looks > 5]  # a program that one starts is its copy at first
    text = f"{len(folders)} folders ({', '.join(folders)}), {first} + {len(others)} processes, {len(left)} left"
    return [f"| -m device=cpu_ddp seed=0,1,2 | {text} | {seconds:.1f} s |"]


def processes(variable: bytes, work: Path) -> set[str]:
    """Those that were started with this variable for a folder in `work`."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if str(work).encode() in (process / "cmdline").read_bytes():
                    words = (process / "environ").read_bytes().split(b"\0")
                    found |= {process.name} if any(word.startswith(variable) for word in words) else set()
            except OSError:  # it has ended, or is another user's
                continue
    return found


def jobs(work: Path) -> list[str]:
    """CPU time does not depend on what else runs here; a fork has its imports done, once for all jobs of a slot."""
    from rnnvision.cli.frame.places import PREPARE
    from rnnvision.search import Job
    from rnnvision.search.places import Local
    from rnnvision.search.places.command import Command

    def job(kind: str, number: int) -> Job:
        folder = work / "jobs" / f"{kind}{number}"
        words = ("data=digits", "device=cpu", "trainer=smoke", "model.hidden_size=8", f"seed={number}")
        return Job(folder.name, folder, "rnnvision.cli.train", (*words, f"hydra.run.dir={folder}"))

    shutil.rmtree(work / "jobs", ignore_errors=True)
    begin = cpu_seconds()
    server = Local(1, prepare=PREPARE)
    server.start(job("first", 0))
    while not server.ended(1.0):
        pass
    server.close()
    first = cpu_seconds() - begin
    begin = cpu_seconds()
    place = Local(1, prepare=PREPARE)
    for number in range(STARTS):
        place.start(job("fork", number))
        while not place.ended(1.0):
            pass
    place.close()  # with which the process ends whose forks they were, and its CPU time counts
    fork = (cpu_seconds() - begin - first) / (STARTS - 1)
    begin = cpu_seconds()
    for number in range(STARTS):
        Command(job("process", number), cpus=1)()
    process = (cpu_seconds() - begin) / STARTS
    files = [path for path in (work / "jobs" / "fork0").rglob("*") if path.is_file()]
    weights = sum(path.stat().st_size for path in files if path.suffix == ".ckpt")
    size = sum(path.stat().st_size for path in files)
    return [
        f"| a job of one short epoch | {fork:.2f} s of CPU time as a fork, {process:.2f} s as a process | |",
        f"| its folder | {len(files)} files, {size / 1000:.0f} kB, of which checkpoints {weights / 1000:.0f} kB | |",
    ]


def cpu_seconds() -> float:
    """Of all children that have ended, and theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PARTS = {"same": same, "ranks": ranks, "jobs": jobs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--work", type=Path, default=Path("places"), help="folder for what is trained")
    told = parser.parse_args()
    if unknown := set(told.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; choose of {', '.join(PARTS)}")
    os.environ["OMP_NUM_THREADS"] = "1"
    work = told.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    print("| | found | time |\n|---|---|---|", flush=True)
    for part in told.parts or PARTS:
        print("\n".join(PARTS[part](work)), flush=True)


if __name__ == "__main__":
    main()
