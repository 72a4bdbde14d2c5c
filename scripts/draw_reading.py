"""Draw what a network says while it reads: each picture, and beside it the class probabilities after each token.

python scripts/draw_reading.py logs/train/latest docs/images/reading.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch

from rnnvision.data import ImageData
from rnnvision.training import CheckpointError, find_checkpoint, load_network, read_checkpoint

RELATIVE_WIDTH = 0.6  # of the panel beside a picture


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
    data = ImageData(**checkpoint["rnnvision"]["data"])
    names = checkpoint["rnnvision"]["class_names"]
    batch = next(iter(data.test_dataloader()))[0][arguments.images]
    with torch.no_grad():
        said = network.forward_anytime(batch).softmax(dim=-1)  # (B, T, num_classes)

    figure, axes = plt.subplots(
        1,
        2 * len(batch),
        figsize=(4.6 * len(batch), 3.6),
        width_ratios=[1, RELATIVE_WIDTH] * len(batch),
        layout="constrained",
    )
    for i, index in enumerate(arguments.images):
        left, right = axes[2 * i], axes[2 * i + 1]
        left.imshow(data.splits.test.images[index].permute(1, 2, 0), cmap="gray_r")
        path = network.scan.path()
        if len(path[:, 1].unique()) > 1:  # whole rows are read from top to bottom, as the panel beside shows
            left.plot(path[:, 1], path[:, 0], "-", color="tab:orange", linewidth=0.8, alpha=0.7)
        left.set_title(f"label {names[int(data.splits.test.labels[index])]}", fontsize=9)
        left.set_xticks([])
        left.set_yticks([])
        left.set_box_aspect(1)
        right.set_box_aspect(1 / RELATIVE_WIDTH)  # as high as the picture, so that a row stands beside its answer
        right.imshow(said[i], cmap="magma", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        right.set_xticks(range(len(names)), names, fontsize=7, rotation=0 if max(map(len, names)) < 3 else 90)
        right.set_yticks([])
        right.set_title("said after each token", fontsize=9)
    arguments.picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.picture, dpi=110)


if __name__ == "__main__":
    main()
