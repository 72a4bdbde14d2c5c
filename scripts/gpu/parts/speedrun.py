"""`experiment=mnist_speedrun` on the GPU, seed by seed: how long it takes, and whether it reaches 99 %."""

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path

from gpu.measuring import LeftOutError, Row, Rows, Told
from gpu.tables import table

TITLE = "mnist_speedrun"
SEEDS, GOAL = 5, 0.99
ROOT = Path(__file__).resolve().parents[3]


def measure(told: Told, rows: Rows) -> None:
    wanted = [f"seed {seed}" for seed in range(told.size(SEEDS, 1))]
    if not set(wanted) <= set(rows.rows):
        try:
            found = _runs(told)
        except LeftOutError as error:
            rows.left_out["all seeds"] = str(error)
            found = {}
        for case in found:
            rows.measure(case, partial(found.__getitem__, case))


def _runs(told: Told) -> dict[str, Row]:
    """All seeds by one command, as a user would type it: what is started once is not counted to the training anyway."""
    from rnnvision.runs import find_runs, read_json

    words = ["device=gpu"]
    if told.device_type == "cpu" or told.small:
        words = ["device=cpu", "data=fake", "data.num_train=600", "data.num_test=100", "trainer.max_epochs=1"]
        words += ["trainer.check_val_every_n_epoch=1", "model.hidden_size=8", "trainer.precision=32-true"]
    elif not _has_mnist():
        raise LeftOutError(
            "MNIST is not on this machine: put its files under data/, or their folder into $RNNVISION_DATA"
        )
    seeds = f"seed={','.join(map(str, range(told.size(SEEDS, 1))))}"
    folder = told.folder / "logs"
    command = [sys.executable, "train.py", "-m", "experiment=mnist_speedrun", *words, seeds, f"log_dir='{folder}'"]
    before = {run.path for run in find_runs(folder)} if folder.is_dir() else set()
    subprocess.run(command, cwd=ROOT, check=True)
    found = {}
    for run in find_runs(folder):
        if run.path not in before and (figures := read_json(run.path / "metrics.json")):
            found[f"seed {run.path.name}"] = {
                key: figures[key] for key in ("train/seconds", "val/accuracy", "test/accuracy")
            }
    return found


def _has_mnist() -> bool:
    from rnnvision.data import CATALOG
    from rnnvision.data.sets.locate import located

    entry = CATALOG["mnist"]
    return located(partial(entry.read, entry.class_names, None)) is not None


def markdown(rows: dict[str, Row]) -> str:
    cells = [
        [case, f"{row['train/seconds']:.2f}", f"{row['val/accuracy']:.2%}", f"{row['test/accuracy']:.2%}"]
        for case, row in rows.items()
    ]
    seconds = statistics.median(row["train/seconds"] for row in rows.values())
    mean = statistics.mean(row["test/accuracy"] for row in rows.values())
    reached = sum(row["test/accuracy"] >= GOAL for row in rows.values())
    return "\n".join(
        [
            table(["run", "training, s", "validation", "test"], cells),
            "",
            f"Median {seconds:.2f} s, mean test accuracy {mean:.2%}; {reached} of {len(rows)} runs reach {GOAL:.0%}. "
            "The first run also waits for what the GPU prepares once.",
        ]
    )
