"""What the commands are given: a training of a few steps, images, a table of labels."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from torture.trial import command, end


def make_given(folder: Path) -> None:
    """Fill a folder, which the commands reach as ../given."""
    given = folder / "given"
    given.mkdir()
    done = end(
        command(
            "train", "trainer=smoke", "trainer.max_epochs=1", "device=cpu", "model.hidden_size=8", "hydra.run.dir=run"
        ),
        given,
        timeout=600,
    )
    if done is None or done.code:
        raise RuntimeError(f"the training that commands are tried with failed: {done}")
    noise = np.random.default_rng(0)
    rows = ["path,label,split"]
    for split, count in (("train", 6), ("test", 2)):
        for label in ("cat", "dog"):
            (given / "images" / split / label).mkdir(parents=True)
            for number in range(count):
                name = f"{split}/{label}/{number}.png"
                Image.fromarray(noise.integers(0, 255, (12, 12, 3), dtype=np.uint8)).save(given / "images" / name)
                rows.append(f"{name},{label},{split}")
    (given / "images" / "labels.csv").write_text("\n".join(rows) + "\n")
    Image.fromarray(noise.integers(0, 255, (8, 8), dtype=np.uint8)).save(given / "seven.png")


def fresh(folder: Path) -> Path:
    """An empty folder for the next command, beside what is given."""
    here = folder / "try"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    return here
