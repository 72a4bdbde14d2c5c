"""Draw where an encoder-decoder looks: each picture, and after each glimpse what it looked at and what it says by then.

python scripts/draw_glimpses.py logs/train/latest docs/images/glimpses.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from rnnvision.data import ImageData
from rnnvision.nn import EncoderDecoder
from rnnvision.training import CheckpointError, find_checkpoint, load_network, read_checkpoint

COLOUR = (0.95, 0.4, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ckpt", help="a checkpoint file or a run folder")
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("--images", type=int, nargs="+", default=[0, 61, 18], help="which test images")
    arguments = parser.parse_args()

    try:
        checkpoint = read_checkpoint(find_checkpoint(arguments.ckpt))
    except CheckpointError as error:
        parser.error(f"ckpt {error}")
    network = load_network(checkpoint)
    if not isinstance(network, EncoderDecoder):
        parser.error(f"{arguments.ckpt}: takes no glimpses; draw a run of model=encoder_decoder")
    data = ImageData(**checkpoint["rnnvision"]["data"])
    names = checkpoint["rnnvision"]["class_names"]
    batch = next(iter(data.test_dataloader()))[0][arguments.images]
    with torch.no_grad():
        said = network.forward_anytime(batch).softmax(dim=-1)  # (B, K, num_classes)
        maps = network.attention_maps(batch)  # (B, K, H, W)

    rows, columns = len(batch), 1 + network.num_glimpses
    size = (1.7 * columns, 1.95 * rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    for i, index in enumerate(arguments.images):
        image = data.splits.test.images[index].permute(1, 2, 0).numpy()  # (H, W, C)
        axes[i, 0].imshow(image, cmap="gray_r")
        axes[i, 0].set_title(f"label {names[int(data.splits.test.labels[index])]}", fontsize=9)
        for k in range(network.num_glimpses):
            _draw_glimpse(axes[i, k + 1], image, maps[i, k])
            best = said[i, k].topk(2)
            guesses = ", ".join(f"{names[int(c)]} {p:.0%}" for c, p in zip(best.indices, best.values, strict=True))
            axes[i, k + 1].set_title(f"{k + 1}: {guesses}", fontsize=8)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.picture, dpi=110)


def _draw_glimpse(axis: Axes, image: np.ndarray, weights: Tensor) -> None:
    """The picture, and over it the weight of each token, most opaque where this glimpse looks most."""
    axis.imshow(image, cmap="gray_r", alpha=0.6)
    overlay = torch.empty(*weights.shape, 4)  # (H, W, RGBA)
    overlay[..., :3] = torch.tensor(COLOUR)
    overlay[..., 3] = 0.85 * weights / weights.max()
    axis.imshow(overlay.numpy())


if __name__ == "__main__":
    main()
