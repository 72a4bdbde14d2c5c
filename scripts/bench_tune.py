"""What `tune` promises, tried on digits: python scripts/bench_tune.py [killed] [pruned] [shared] [slots] [--trials 20]

    killed   a study killed at 5 random moments and started again has the trials of one that was not, bit for bit
    pruned   the epochs that pruning saves, and the best score with and without it, of 3 searches
    shared   two processes on one study, one of them killed in its midst, lose no trial and make none twice
    slots    the time of 2 slots over that of one slot

Prints a Markdown table. A time counts only on a quiet machine; all trials train with the same number of threads.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SPACE = [
    "model.hidden_size=16,32,64",
    "optimizer.lr=tag(log,interval(1e-4,1e-1))",
    "model.dropout=interval(0,0.5)",
]
KILLS, REPEATS = 5, 3


class Bench:
    def __init__(self, folder: Path, trials: int, epochs: int) -> None:
        self.folder, self.trials, self.epochs = folder, trials, epochs

    def start(self, name: str, *words: str) -> "subprocess.Popen[bytes]":
        """A study in FOLDER/name, begun or gone on with."""
        to = self.folder / name
        begun = (to / "study.json").is_file()
        new = [
            f"hydra.run.dir={to}",
            "data=digits",
            *SPACE,
            f"n_trials={self.trials}",
            f"trainer.max_epochs={self.epochs}",
        ]
        command = [sys.executable, "-m", "rnnvision.cli.tune", *([f"resume={to}"] if begun else [*new, *words])]
        if not begun:
            shutil.rmtree(to, ignore_errors=True)  # it was killed before it had begun
        with (self.folder / f"{name}.log").open("a") as log:
            return subprocess.Popen([*command, f"log_dir={self.folder}"], stdout=log, stderr=log)

    def run(self, name: str, *words: str) -> float:
        """A whole study; returns its seconds."""
        begin = time.monotonic()
        if code := self.start(name, *words).wait():
            raise SystemExit(f"{self.folder / name}: ended with {code}, see {name}.log")
        return time.monotonic() - begin

    def trials_of(self, name: str) -> list[dict[str, Any]]:
        found = json.loads((self.folder / name / "trials.json").read_text())["trials"]
        return [{key: trial[key] for key in ("number", "state", "values", "params", "steps")} for trial in found]

    def epochs_of(self, name: str) -> int:
        """Epochs that were trained, those after a trial was pruned among them."""
        files = (self.folder / name / "trials").glob("*/metrics.csv")
        return sum(len(file.read_text().splitlines()) - 1 for file in files)

    def best_of(self, name: str) -> float:
        return max(trial["values"][0] for trial in self.trials_of(name) if trial["state"] == "completed")

    # What is promised ---------------------------------------------------------------------------------------------

    def _said(self, name: str) -> int:
        return (self.folder / f"{name}.log").read_text().count("\ntrial ")

    def killed(self) -> Iterator[str]:
        seconds = self.run("whole")
        chance, kills = random.Random(0), 0
        while kills < KILLS:
            process = self.start("killed")
            known = self._said("killed")
            while process.poll() is None and self._said("killed") == known:  # its first trial is yet to begin
                time.sleep(0.05)
            time.sleep(chance.uniform(0.1, 1.9) * seconds / (KILLS + 1))
            if process.poll() is not None:  # it has ended: the moments were late ones
                break
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        self.run("killed")
        whole, found = self.trials_of("whole"), self.trials_of("killed")
        same = sum(one == other for one, other in zip(whole, found, strict=False))
        yield f"killed at {kills} random moments: trials in all | {len(found)} of {self.trials}"
        yield f"of these with the same parameters, epochs and scores, bit for bit | {same} of {len(whole)}"

    def pruned(self) -> Iterator[str]:
        for seed in range(REPEATS):
            names = {pruner: f"{pruner}_{seed}" for pruner in ("none", "median", "hyperband")}
            for pruner, name in names.items():
                self.run(name, f"pruner={pruner}", f"search_seed={seed}")
            all_epochs = self.epochs_of(names["none"])
            for pruner in ("median", "hyperband"):
                saved = 1 - self.epochs_of(names[pruner]) / all_epochs
                best = f"{self.best_of(names[pruner]):.4f}, {self.best_of(names['none']):.4f} without"
                yield f"search_seed={seed} pruner={pruner}: epochs saved; best val/accuracy | {saved:.0%}; {best}"

    def shared(self) -> Iterator[str]:
        first = self.start("shared")
        while not (self.folder / "shared" / "trials" / "0000").is_dir():
            time.sleep(0.1)
        others = [self.start("shared") for _ in range(2)]
        while len(list((self.folder / "shared" / "trials").glob("*.lock"))) < self.trials // 2:
            time.sleep(0.1)
        first.send_signal(signal.SIGKILL)
        codes = [process.wait() for process in others]
        found = self.trials_of("shared")
        numbers = [trial["number"] for trial in found] == list(range(self.trials))
        ended = sum(trial["state"] in ("completed", "pruned") for trial in found)
        said = "three processes, one of them killed: exit codes of the others; trials that ended; each number once"
        yield f"{said} | {codes}; {ended} of {self.trials}; {'yes' if numbers else 'NO'}"

    def slots(self) -> Iterator[str]:
        for repeat in range(REPEATS):
            one, two = (
                self.run(f"slots_{jobs}_{repeat}", f"jobs={jobs}", "pruner=none", "sampler=random") for jobs in (1, 2)
            )
            yield f"2 slots over 1 slot: {two:.0f} s / {one:.0f} s | {two / one:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["killed", "pruned", "shared", "slots", []], help="by default all")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("logs/bench_tune"))
    told = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    shutil.rmtree(told.folder, ignore_errors=True)
    told.folder.mkdir(parents=True)
    bench = Bench(told.folder.absolute(), told.trials, told.epochs)
    print("| what | found |\n|---|---|", flush=True)
    for what in told.what or ["killed", "pruned", "shared", "slots"]:
        for row in getattr(bench, what)():
            print(f"| {row} |", flush=True)


if __name__ == "__main__":
    main()
