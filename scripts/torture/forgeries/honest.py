"""The honest files that forgeries are made from: a small run of digits, its exports, and an image."""

from pathlib import Path

from torture.forgeries.forgery import BEST, ONNX, PT2, RUN, SAFETENSORS
from torture.trial import command, end

TRAIN = ("data=digits", "model=lstm", "model.hidden_size=8", "callbacks=early_stopping", "trainer.max_epochs=2")


def make_honest(folder: Path, *, exports: bool = True) -> None:
    """Fill an empty folder.

    Raises:
        RuntimeError: if a command fails.
    """
    from PIL import Image

    Image.new("L", (8, 8), 128).save(folder / "seven.png")
    words = [command("train", *TRAIN, "log_dir=logs", f"hydra.run.dir={RUN}")]
    words += [command("train", *TRAIN, "seed=1", "log_dir=logs", "hydra.run.dir=honest")]
    for format, name in (("safetensors", SAFETENSORS), ("onnx", ONNX), ("torch_export", PT2)) if exports else ():
        words.append(command("export", f"ckpt={BEST}", f"format={format}", f"output={name}"))
    for line in words:
        ended = end(line, folder, timeout=1200)
        if ended is None or ended.code:
            raise RuntimeError(f"{' '.join(line)}: {'no end' if ended is None else ended.err}")
