"""failure.json: all that is known of a step whose loss or gradient was no finite number, the images among it."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnvision.atomic import whole
from rnnvision.checks import one_line, shortened
from rnnvision.errors import FailureError
from rnnvision.runs import is_first_process
from rnnvision.runs.study import finite
from rnnvision.training.failures import ADVICE

if TYPE_CHECKING:
    import lightning as L

    from rnnvision.data import ImageData
    from rnnvision.training import Learner
    from rnnvision.training.failures import NotFiniteError

FAILURE = "failure.json"  # in the run folder
SHOWN = 5  # images in a message
TOO_SMALL = "the memory of the device is too small to train with"


def told_whole(error: "NotFiniteError", trainer: "L.Trainer", data: "ImageData") -> FailureError:
    """Write what is known of a step into the folder of its run; returns the error with the images of the step."""
    loader: Any = trainer.train_dataloader
    batches = [(error.facts["epoch"] - 1, batch - 1) for batch in error.facts["batches"]]
    indices = [index for epoch, batch in batches for index in loader.images_of(epoch, batch)]
    names = [data.splits.train.name(index) for index in indices]
    file = Path(trainer.default_root_dir) / FAILURE
    if is_first_process():
        with whole(file) as opened:
            opened.write(json.dumps(finite({**error.facts, "images": names}), indent=2) + "\n")
    images = shortened(map(one_line, names), SHOWN)
    return FailureError(
        f"{error.head}: {error.told}; images {images}; all of it is in {os.path.relpath(file)}; {ADVICE}"
    )


def too_little_memory(trainer: "L.Trainer", learner: "Learner", data: "ImageData") -> FailureError:
    """What to say where memory ran out in training: the size of a batch, what a step needs, and what to type."""
    from rnnvision.insight import training_bytes

    size = data.batch_size
    with suppress(MemoryError, RuntimeError):  # it has just run out
        need = training_bytes(learner.network, data.input_shape, size) / 2**30
        least = data.smallest_batch
        smaller = f"data.batch_size={size // 2} trainer.accumulate_grad_batches={2 * trainer.accumulate_grad_batches}"
        same = "" if size % 2 else ", which makes the same steps"
        instead = f"try {smaller}{same}" if size // 2 >= least else "choose a smaller network"
        return FailureError(f"{TOO_SMALL} data.batch_size={size}: a step needs about {need:.2g} GiB; {instead}")
    return FailureError(f"{TOO_SMALL} data.batch_size={size}; choose fewer")
