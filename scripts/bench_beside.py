"""Time training on the CPU alone and beside other processes: rnnvision's threads, and those of one's own choice.

python scripts/bench_beside.py --docs docs/benchmarks.md      everything: twenty minutes on an otherwise idle machine
python scripts/bench_beside.py --networks lstm64 --situations alone busy1 --rounds 1

Every figure is of `rnnvision train` in a process of its own, which is ended after some seconds of training: the median
epoch, in milliseconds a step of 128 images. A round runs each choice once, in an order drawn anew.
"""

import argparse
import csv
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers.table import put_between
from peers.work import BATCH_SIZE, NETWORKS

from rnnvision.others import CHOSEN, Others, cores
from rnnvision.runs import environment

STEPS = 40  # an epoch
CHOICES: dict[str, dict[str, str]] = {
    "rnnvision": {},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "2 threads, passive": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"},
}
SITUATIONS = {  # name -> (busy processes beside, trainings at once)
    "alone": (0, 1),
    "busy1": (1, 1),
    "busy2": (2, 1),
    "twins": (0, 2),
}
TITLES = {
    "alone": "Alone",
    "busy1": "One busy process beside",
    "busy2": "Two busy processes beside",
    "twins": "Two trainings at once",
}
BEGIN, END = "<!-- beside others: begin -->", "<!-- beside others: end -->"
PATIENCE = 15.0  # seconds for two epochs to end; a choice that takes longer is left out


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def start(network: str, choice: str, folder: Path) -> subprocess.Popen[bytes]:
    """A training that goes on until it is ended."""
    work = NETWORKS[network]
    words = ["model=lstm", f"model.hidden_size={work.hidden_size}", f"model.num_layers={work.num_layers}", "data=mnist"]
    words += [f"data.batch_size={BATCH_SIZE}", f"data.max_train_samples={STEPS * BATCH_SIZE}", "device=cpu"]
    words += ["trainer.max_epochs=100000", "trainer.limit_val_batches=0", "callbacks.best=null", "callbacks.last=null"]
    words += ["trainer.precision=32-true", f"hydra.run.dir={folder}"]
    kept = {key: value for key, value in os.environ.items() if key not in CHOSEN}
    return subprocess.Popen(
        [sys.executable, "-m", "rnnvision.cli.train", *words],
        env=kept | CHOICES[choice],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def epochs_of(folder: Path) -> list[float]:
    """The seconds of each epoch so far."""
    file = folder / "metrics.csv"
    if not file.is_file():
        return []
    with file.open() as rows:
        return [float(row["seconds"]) for row in csv.DictReader(rows) if row.get("seconds")]


def step_ms(network: str, choice: str, trainings: int, seconds: float) -> float:
    """Milliseconds a step, of the epochs after the second; of several trainings the mean."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / str(number) for number in range(trainings)]
        running = [start(network, choice, folder) for folder in folders]
        try:
            _wait(folders, 2, PATIENCE)
            time.sleep(seconds)
            _wait(folders, 3, PATIENCE)
        finally:
            for process in running:
                process.kill()
                process.wait()
        medians = [
            statistics.median(epochs_of(folder)[2:] or epochs_of(folder) or [float("inf")]) for folder in folders
        ]
    return 1000 * statistics.mean(medians) / STEPS


def _wait(folders: list[Path], epochs: int, patience: float) -> None:
    end = time.monotonic() + patience
    while min(len(epochs_of(folder)) for folder in folders) < epochs and time.monotonic() < end:
        time.sleep(0.1)


def table(situation: str, found: dict[str, dict[str, float]]) -> str:
    """Markdown: a row a network, with the ratio of rnnvision's own to the best choice."""
    lines = [f"| {TITLES[situation]}, ms a step | {' | '.join(CHOICES)} | rnnvision / best |"]
    lines += ["|---|" + "---:|" * (len(CHOICES) + 1)]
    for network, by_choice in found.items():
        own, best = by_choice["rnnvision"], min(ms for name, ms in by_choice.items() if name != "rnnvision")
        cells = [f"{by_choice[name]:.1f}" if by_choice[name] < float("inf") else "-" for name in CHOICES]
        lines.append(f"| `{network}` | {' | '.join(cells)} | {own / best:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--situations", nargs="+", choices=SITUATIONS, default=list(SITUATIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each training that are timed")
    parser.add_argument("--docs", type=Path, help="page that gets the tables, between two markers")
    told = parser.parse_args()
    others, draw, parts = Others(), random.Random(0), []
    time.sleep(2)
    foreign = others.load(0.0)
    for situation in told.situations:
        beside, trainings = SITUATIONS[situation]
        found: dict[str, dict[str, float]] = {}
        for network in told.networks:
            times: dict[str, list[float]] = {name: [] for name in CHOICES}
            for _ in range(told.rounds):
                for choice in draw.sample(list(CHOICES), len(CHOICES)):
                    with busy(beside):
                        times[choice].append(step_ms(network, choice, trainings, told.seconds))
            found[network] = {name: statistics.median(of) for name, of in times.items()}
            shown = ", ".join(f"{name} {statistics.median(of):.1f}" for name, of in times.items())
            print(f"{situation} {network}: {shown} ms a step", flush=True)
        parts.append(table(situation, found))
    machine = environment()
    git = machine["git"] or {"commit": "unknown", "dirty": False}
    parts.append(
        f"{machine['cpu']}, {cores():g} cores; commit {git['commit'][:7]}{' (changed)' if git['dirty'] else ''}; torch "
        f"{machine['versions']['torch']}; median of {told.rounds} runs of {told.seconds:g} s each, in batches of "
        f"{BATCH_SIZE}; others used {foreign:.2f} cores before the first. Command: `python scripts/bench_beside.py`."
    )
    text = "\n\n".join(parts)
    print(f"\n{text}")
    if told.docs:
        told.docs.write_text(put_between(told.docs.read_text(), text, BEGIN, END))


if __name__ == "__main__":
    main()
