"""How fast images that lie on the GPU are served: indexed, normalised and augmented there."""

import statistics
from functools import partial
from typing import TYPE_CHECKING

from gpu.measuring import Row, Rows, Told
from gpu.tables import table

if TYPE_CHECKING:
    from rnnvision.data import Augmentation

TITLE = "Images that lie on the GPU"
IMAGES, BATCH, ROUNDS = 60_000, 128, 5


def measure(told: Told, rows: Rows) -> None:
    from rnnvision.data import Augmentation

    augmentations = {
        "normalised": Augmentation(),
        "shifted and mirrored": Augmentation(shift=2, flip=0.5),
        "rotated, scaled, sheared": Augmentation(shift=2, rotate=10, scale=0.1, shear=10),
    }
    for name, augmentation in augmentations.items():
        rows.measure(name, partial(_serve, augmentation, told))


def _serve(augmentation: "Augmentation", told: Told) -> Row:
    import torch

    from rnnvision.data import Split
    from rnnvision.data.augment import BatchTransform
    from rnnvision.data.resident import ResidentLoader
    from rnnvision.insight.speed import time_rounds

    count = told.size(IMAGES, 300)
    images = torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8)
    split = Split(images, torch.zeros(count, dtype=torch.int64))
    transform = BatchTransform((0.13,), (0.31,), augmentation=augmentation, size=count)
    loader = ResidentLoader(split, BATCH, transform, seed=0, device=told.device)

    def epoch() -> None:
        for _ in loader:
            pass

    return {"images": count, "seconds": time_rounds(epoch, told.device, told.size(ROUNDS, 1), warmup=1)}


def markdown(rows: dict[str, Row]) -> str:
    cells = []
    for name, row in rows.items():
        seconds = row["seconds"]
        cells.append([name, f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f} - {max(seconds):.3f}"])
    head = [
        f"resident, {IMAGES:,} images of 28 x 28 pixels in batches of {BATCH}",
        "seconds, median",
        "lowest - highest",
    ]
    return table(head, cells)
