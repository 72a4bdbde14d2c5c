"""Epochs of training, by the loop by hand of `peers` and by `rnnvision train`, in three precisions."""

import copy
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

if TYPE_CHECKING:
    from rnnvision.cli.frame.setup import Training

TITLE = "A training epoch"
# network -> what chooses it, and images an epoch: those that take longer read fewer
NETWORKS: dict[str, tuple[list[str], int]] = {
    "lstm": (["model=lstm", "model.hidden_size=128"], 12_800),
    "gru": (["model=gru", "model.hidden_size=128"], 12_800),
    "mingru": (["model=mingru", "model.hidden_size=128"], 12_800),
    "lru": (["model=lru", "model.hidden_size=128"], 12_800),
    "vil": (["model=vil_mini", "model.num_layers=4"], 6_400),
    "sequencer": (["model=sequencer2d_tiny"], 6_400),
}
PRECISIONS = ("fp32", "bf16", "fp16")
WARMUP, ROUNDS = 1, 3
WHOLE = 53_888  # images of an epoch of MNIST's training split, in whole batches


def measure(told: Told, rows: Rows) -> None:
    for name, (words, samples) in NETWORKS.items():
        for precision in told.size(PRECISIONS, ("fp32", "fp16")):
            rows.measure(f"{name} {precision}", partial(_both, words, samples, precision, told))


def _both(words: list[str], samples: int, precision: str, told: Told) -> Row:
    """Seconds of each epoch, by the loop by hand and then by `rnnvision train`."""
    from gpu.training import TINY, make, time_epochs

    samples, rounds = told.size(samples, 16), told.size(ROUNDS, 1)
    small = [*TINY[_network(words)], "data.image_shape=[1,8,8]", "data.batch_size=8"]
    sizes: Any = {"samples": samples, "epochs": WARMUP + rounds, "precision": precision}
    training = make([*words, *told.size([], small)], told, f"{words[0]} {precision}", **sizes)
    loop = _loop(training, precision, told)
    seconds = {
        "loop": _time_loop(loop, samples, WARMUP + rounds, told)[WARMUP:],
        "rnnvision": time_epochs(training, WARMUP + rounds)[WARMUP:],
    }
    return {
        "samples": samples,
        "batch_size": training.data.batch_size,
        "parameters": sum(p.numel() for p in training.learner.parameters()),
        "seconds": seconds,
    }


def _network(words: list[str]) -> str:
    """The name in MODELS that `model=NAME` stands for."""
    named = {"model=vil_mini": "vision_lstm", "model=sequencer2d_tiny": "sequencer2d"}
    return named.get(words[0], "sequence_classifier")


def _loop(training: "Training", precision: str, told: Told) -> Any:
    """The loop by hand over the same images, with a copy of the same network on the device."""
    import torch
    from peers.loop import Loop
    from peers.work import Work

    split: Any = training.data.splits.train
    facts, batch = training.data.normalisation, training.data.batch_size
    steps = (WARMUP + ROUNDS + 1) * -(-len(split) // batch)
    work = Work(0, 0, "adamw", 4e-3, 0.05, one_cycle=True, samples=len(split))
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    network = copy.deepcopy(training.learner.network).to(told.device)
    images, labels = split.images.to(told.device), split.labels.to(told.device)
    numbers: Any = {"mean": facts["mean"][0], "std": facts["std"][0], "steps": steps, "batch_size": batch}
    return Loop(work, network, images, labels, **numbers, precision=dtypes[precision])


def _time_loop(loop: Any, samples: int, epochs: int, told: Told) -> list[float]:
    import torch

    from rnnvision.insight import wait_for

    seconds = []
    for _ in range(epochs):
        wait_for(told.device)
        started = time.perf_counter()
        loop.epoch(torch.randperm(samples, device=told.device))  # which reads the loss, and so waits for all work
        seconds.append(time.perf_counter() - started)
    return seconds


def markdown(rows: dict[str, Row]) -> str:
    cells = []
    for case, row in rows.items():
        rates = {who: row["samples"] / statistics.median(seconds) for who, seconds in row["seconds"].items()}
        epoch = WHOLE / rates["rnnvision"]
        shown = [f"{rates['loop']:,.0f}", f"{rates['rnnvision']:,.0f}", f"{rates['rnnvision'] / rates['loop']:.2f}"]
        cells.append([f"`{case.split()[0]}`", case.split()[1], f"{row['parameters']:,}", *shown, f"{epoch:.1f}"])
    samples = sorted({row["samples"] for row in rows.values()})
    return "\n".join(
        [
            table(
                [
                    "network",
                    "precision",
                    "parameters",
                    "loop, images/s",
                    "rnnvision, images/s",
                    "/ loop",
                    "MNIST epoch, s",
                ],
                cells,
            ),
            "",
            f"Medians of {ROUNDS} epochs of {' or '.join(f'{s:,}' for s in samples)} synthetic images of 28 x 28 "
            "pixels in batches of 128, after one to warm up, without validation; the last column is computed from the "
            "rate. `loop` trains a copy of the same network by a hand-written loop (`scripts/peers/loop.py`) with the "
            "fused optimiser. One layer of 128 units reads the rows; `vil` is the network of `mnist_vil`, `sequencer` "
            "is `sequencer2d_tiny`.",
        ]
    )
