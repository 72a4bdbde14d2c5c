"""The speed at which images reach the network, and the memory that takes.

    python scripts/bench_data.py MNIST_ROOT IMAGENET_ROOT


Prints Markdown for docs/benchmarks.md. Resident: 60,000 MNIST images, normalised and batched. Streaming: ImageNet's
training pictures at 224 px against processes that decode the same files with torchvision and do nothing else; rounds
are interleaved, ratios are medians of the rounds' ratios.
"""

import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.io import read_file

from rnnvision.cli.frame.device import keep_freed_memory, share_cores
from rnnvision.data import Augmentation, ImageData, Split
from rnnvision.data.augment import BatchTransform
from rnnvision.data.files import FileSplit
from rnnvision.data.resident import ResidentLoader
from rnnvision.data.streaming import StreamingLoader
from rnnvision.insight import peak_memory

ROUNDS, BATCH, REPEAT = 5, 64, 10
NORM = (0.5,) * 3, (0.25,) * 3
AUGMENTATIONS = {
    "as they are": Augmentation(),
    "middle square, resized": Augmentation(),
    "crop, flip": Augmentation(crop=0.08, flip=0.5),
    "crop, flip, RandAugment, erasing, mixup, cutmix": Augmentation(
        crop=0.08, flip=0.5, policy="randaugment", erase=0.25, mixup=0.8, cutmix=1.0
    ),
}


class Decoded(Dataset[int]):
    """Decode a file and keep nothing of it."""

    def __init__(self, split: FileSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> int:
        return torch.ops.image.decode_jpeg(read_file(str(self.split.path(index))), 3, True).shape[0]


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def drain(loader: Iterable[object]) -> Callable[[], None]:
    def work() -> None:
        for _ in loader:
            pass

    return work


def resident(root: str) -> None:
    data = ImageData("mnist", root=root)
    train, val = data.splits.train, data.val_split
    assert isinstance(train, Split)
    assert isinstance(val, Split)
    everything = Split(torch.cat((train.images, val.images)), torch.cat((train.labels, val.labels)))
    print("| resident, 60,000 MNIST images in batches of 128 | seconds, median | lowest - highest |\n|---|---|---|")
    for name, augmentation in {
        "normalised": Augmentation(),
        "shifted and mirrored": Augmentation(shift=2, flip=0.5),
        "turned, stretched, slanted": Augmentation(shift=2, rotate=10, scale=0.1, shear=10),
    }.items():
        transform = BatchTransform((0.13,), (0.31,), augmentation=augmentation, size=len(everything))
        work = drain(ResidentLoader(everything, 128, transform, seed=0))
        work()
        times = [seconds(work) for _ in range(ROUNDS)]
        print(f"| {name} | {statistics.median(times):.3f} | {min(times):.3f} - {max(times):.3f} |")


def streaming(root: str) -> None:
    data = ImageData("imagenet", root=root, format="streaming", num_workers=0)
    train = data.splits.train
    assert isinstance(train, FileSplit)
    split = train.select(torch.from_numpy(np.tile(np.arange(len(train)), REPEAT)))
    print(f"\n| streaming, {len(split):,} pictures at 224 px | processes | pictures/s | time against bare decoding |")
    print("|---|---|---|---|")
    for workers in (1, 2):
        share_cores(workers)  # as a training does
        bare = DataLoader(Decoded(split), BATCH, num_workers=workers, persistent_workers=True)
        works = {"bare decoding": drain(bare)}
        for name, augmentation in AUGMENTATIONS.items():
            served = replace(split, view=replace(split.view, crop_ratio=1.0)) if name == "as they are" else split
            transform = BatchTransform(*NORM, augmentation=augmentation, size=len(split), num_classes=10)
            loader = StreamingLoader(
                served, BATCH, transform, augmentation=augmentation, stop=sys.exit, num_workers=workers, seed=0
            )
            works[name] = drain(loader)
        for work in works.values():
            work()
        rounds = [{name: seconds(work) for name, work in works.items()} for _ in range(ROUNDS)]
        for name in works:
            ratios = [times[name] / times["bare decoding"] for times in rounds]
            rate = len(split) / statistics.median([times[name] for times in rounds])
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"
            print(f"| {name} | {workers} | {rate:,.0f} | {spread} |", flush=True)


def resident_set(pid: int) -> float:
    """MB of memory that a process holds (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def memory_over_epochs(root: str, epochs: int = 10) -> None:
    """The memory of this process and of its workers after each epoch of the same streaming run."""
    data = ImageData("imagenet", root=root, format="streaming", num_workers=2, batch_size=BATCH)
    data.augmentation = AUGMENTATIONS["crop, flip"]
    loader = data.train_dataloader()
    sizes = []
    for epoch in range(epochs):
        loader.sampler.set_epoch(epoch)
        drain(loader)()
        workers = [child.pid for child in multiprocessing.active_children() if child.pid]
        sizes.append(sum(resident_set(pid) for pid in (os.getpid(), *workers)))
    data.teardown()
    print(
        f"\nMemory of a streaming run and its 2 workers after each epoch, MB: {', '.join(f'{s:,.0f}' for s in sizes)}."
    )


if __name__ == "__main__":
    keep_freed_memory()  # as every verb does
    before = peak_memory(torch.device("cpu"))
    resident(sys.argv[1])
    memory_over_epochs(sys.argv[2])
    streaming(sys.argv[2])
    megabytes = (peak_memory(torch.device("cpu")) - before) / 2**20
    print(f"\nPeak memory of this process over its imports: {megabytes:,.0f} MB.")
