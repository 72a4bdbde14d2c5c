"""What a sweep survives, and what it costs: python scripts/sweep_kills.py [KILLS]

1. Twelve trainings on the digits, once left alone, once with the sweep killed (SIGKILL) at KILLS (20) random moments
   and gone on with each time: every job is completed once, with the same figures and the same weights.
2. Two hundred jobs that train nothing: by how much the memory of the sweep itself grows.
3. What a job takes longer than a plain run, after the imports.

It prints rows of a Markdown table, and works in a temporary folder.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

EPOCHS = 6
TRAIN = ("data=digits", "device=cpu", "model.hidden_size=32", f"trainer.max_epochs={EPOCHS}")
JOBS = ("model=lstm,gru,rnn", "seed=0,1,2,3")
TINY = ("trainer=smoke", "device=cpu", "model.hidden_size=8")
MANY = 200


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print("| what | found | bar |\n|---|---|---|", flush=True)
        survives(kills)
        grows()
        costs()


def row(what: str, found: str, bar: str) -> None:
    print(f"| {what} | {found} | {bar} |", flush=True)


def begin(verb: str, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", f"rnnvision.cli.{verb}", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(verb: str, *words: str) -> float:
    """Run a command; returns its seconds."""
    began = time.monotonic()
    code = begin(verb, *words).wait()
    if code:
        sys.exit(f"{verb} {' '.join(words)}: ended with exit code {code}")
    return time.monotonic() - began


# Killed -----------------------------------------------------------------------------------------------------------


def survives(kills: int) -> None:
    began = time.time()
    alone = run("train", "-m", *JOBS, *TRAIN, "hydra.sweep.dir=alone")
    first = min(path.stat().st_mtime for path in Path("alone").glob("*/.hydra/config.yaml")) - began
    done = killed("killed", kills, first + 2 * (alone - first) / kills)
    jobs = sorted(path.parent for path in Path("alone").glob("*/metrics.json"))
    others = sorted(path.parent for path in Path("killed").glob("*/metrics.json"))
    same = [a.name == b.name and of(a) == of(b) and same_weights(a, b) for a, b in zip(jobs, others, strict=True)]
    once = [completed_once(folder) for folder in others]
    row(
        f"sweep of {len(jobs)} jobs, killed {done} times at random moments",
        f"{sum(once)} completed once, {sum(same)} equal to the undisturbed sweep bit for bit",
        f"{len(jobs)}, {len(jobs)}",
    )


def killed(folder: str, kills: int, longest: float) -> int:
    """Begin the sweep, kill it and go on with it again and again, then let it end; returns how often it was killed."""
    chance, done = random.Random(0), 0
    while done < kills:
        going = begin("train", *words_for(folder))
        try:
            going.wait(chance.uniform(0.2, longest))
            break  # it has ended before
        except subprocess.TimeoutExpired:
            going.send_signal(signal.SIGKILL)
            going.wait()
            done += 1
    run("train", *words_for(folder))
    return done


def words_for(folder: str) -> list[str]:
    """What begins the sweep, where a kill came before it was written down, else what goes on with it."""
    if (Path(folder) / "sweep.json").is_file():
        return [f"resume_sweep={folder}"]
    return ["-m", *JOBS, *TRAIN, f"hydra.sweep.dir={folder}"]


def of(folder: Path) -> dict[str, Any]:
    """The figures of a run that do not depend on the clock."""
    figures = json.loads((folder / "metrics.json").read_text())
    return {name: value for name, value in figures.items() if "second" not in name}


def same_weights(a: Path, b: Path) -> bool:
    def weights(folder: Path) -> Iterator[Any]:
        for name in ("best", "last"):
            state = torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
            yield from sorted(state.items())

    pairs = zip(weights(a), weights(b), strict=True)
    return all(one[0] == other[0] and torch.equal(one[1], other[1]) for one, other in pairs)


def completed_once(folder: Path) -> bool:
    epochs = [line.partition(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
    status = json.loads((folder / "status.json").read_text())["status"]
    results = (folder / "train.log").read_text().count("\nresults   ")
    return status == "completed" and len(epochs) == len(set(epochs)) == EPOCHS and results == 1


# What it costs ----------------------------------------------------------------------------------------------------


def grows() -> None:
    run("train", *TINY, "hydra.run.dir=one")
    words = ("-m", "ckpt=one", f"data.eval_batch_size=range(1,{MANY + 1})", "split=val", "device=cpu")
    going = begin("evaluate", *words, "hydra.sweep.dir=many")
    sizes: list[float] = []
    while going.poll() is None:
        if sizes or any(Path("many").glob("*/metrics.json")):
            sizes.append(resident(going.pid) or sizes[-1])
        time.sleep(0.5)
    done = len(list(Path("many").glob("*/metrics.json")))
    found = f"{done} completed; from {sizes[0]:.0f} to {sizes[-1]:.0f} MiB: {sizes[-1] - sizes[0]:+.1f} MiB"
    row(f"memory of a sweep of {MANY} jobs, after the first and after the last", found, "< 50 MB")


def resident(pid: int) -> float | None:
    """MiB of memory that a process has."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return int(found.split()[1]) / 1024 if found else None


def costs() -> None:
    """The difference between sweeps of 1 and of 9 jobs, against what plain runs take from their first record on."""
    gaps = []
    for number in range(3):
        one = run("train", "-m", "seed=0", *TINY, f"hydra.sweep.dir=short{number}")
        nine = run("train", "-m", "seed=range(0,9)", *TINY, f"hydra.sweep.dir=long{number}")
        run("train", *TINY, f"hydra.run.dir=plain{number}")
        plain = json.loads(Path(f"plain{number}/status.json").read_text())["seconds"]
        gaps.append((nine - one) / 8 - plain)
    found = ", ".join(f"{gap:.2f}" for gap in sorted(gaps))
    row("what a job takes longer than a plain run after its imports, three times", f"{found} s", "< 2 s")


if __name__ == "__main__":
    main()
