"""Steps a second of the experiments that were made for a GPU and that no CPU can finish."""

import statistics
from functools import partial
from typing import Any

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

TITLE = "Experiments for a GPU"
# experiment -> its network, and the channels and side of its images
EXPERIMENTS = {
    "scifar_lstm": ("sequence_classifier", 3, 32),
    "scifar_lru": ("sequence_classifier", 3, 32),
    "smnist_lstm": ("sequence_classifier", 1, 28),
    "cifar10_vil": ("vision_lstm", 3, 32),
    "cifar10_sequencer": ("sequencer2d", 3, 32),
}
WHOLE = {32: 45_000, 28: 54_000}  # images of an epoch of CIFAR-10's and of MNIST's training split
LARGEST = 128  # batch of these experiments
PRECISIONS = ("fp32", "bf16", "fp16")
STEPS, WARMUP, ROUNDS = 15, 1, 2


def measure(told: Told, rows: Rows) -> None:
    for precision in told.size(PRECISIONS, ("bf16",)):
        for experiment in EXPERIMENTS:
            rows.measure(f"{experiment} {precision}", partial(_steps, experiment, precision, told))


def _steps(experiment: str, precision: str, told: Told) -> Row:
    """On synthetic images of the same shape: an epoch is `STEPS` batches of the experiment's own size."""
    from gpu.training import TINY, make, time_epochs
    from rnnvision.insight import forget_peak, peak_memory

    network, channels, side = EXPERIMENTS[experiment]
    rounds, steps = told.size(ROUNDS, 1), told.size(STEPS, 1)
    words = [f"experiment={experiment}", f"trainer.limit_train_batches={steps}"]
    words.append(f"data.image_shape=[{channels},{told.size(side, 8)},{told.size(side, 8)}]")
    words += told.size([], [*TINY[network], "data.batch_size=4"])
    forget_peak(told.device)
    sizes: Any = {"samples": told.size(LARGEST, 4) * steps, "epochs": WARMUP + rounds, "precision": precision}
    training = make(words, told, f"{experiment} {precision}", **sizes)
    seconds = time_epochs(training, WARMUP + rounds)[WARMUP:]
    batch = training.data.batch_size
    return {"steps": steps, "batch_size": batch, "seconds": seconds, "peak": peak_memory(told.device)}


def markdown(rows: dict[str, Row]) -> str:
    cells = []
    for case, row in rows.items():
        experiment, precision = case.split()
        rate = row["steps"] / statistics.median(row["seconds"])
        epoch = WHOLE[EXPERIMENTS[experiment][2]] / row["batch_size"] / rate
        figures = [str(row["batch_size"]), f"{rate:.1f}", f"{epoch:.0f}", f"{row['peak'] / 2**30:.2f}"]
        cells.append([f"`{experiment}`", precision, *figures])
    head = ["experiment", "precision", "batch", "steps/s", "epoch, s", "peak, GB"]
    return "\n".join(
        [
            table(head, cells),
            "",
            "The experiment's own network, batch, optimiser and augmentation, on synthetic images of the same shape; "
            f"medians of {ROUNDS} turns of {STEPS} steps, whose beginning and end count, after one to warm up. The "
            "time of an epoch is computed.",
        ]
    )
