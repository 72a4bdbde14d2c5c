"""Draw what a network answers while it reads: each image, and beside it the class probabilities after each token.

python scripts/draw_reading.py logs/train/latest docs/images/reading.png
"""

import argparse
from pathlib import Path

import torch

import rnnvision
from rnnvision.data import ImageData
from rnnvision.errors import UsageError
from rnnvision.report.style import colour, figure

RELATIVE_WIDTH = 0.6  # of the panel beside an image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ckpt", help="a checkpoint file or a run folder")
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("--images", type=int, nargs="+", default=[0, 61, 18], help="which test images")
    arguments = parser.parse_args()

    try:
        classifier = rnnvision.load(arguments.ckpt)
    except UsageError as error:
        parser.error(f"ckpt {error}")
    data, names = ImageData.of_checkpoint(classifier.description), classifier.class_names
    batch = next(iter(data.test_dataloader()))[0][arguments.images]
    with torch.no_grad():
        probabilities = classifier.network.forward_anytime(batch).softmax(dim=-1).numpy()  # (B, T, num_classes)

    with figure(arguments.picture, 4.6 * len(batch), 3.6) as made:
        axes = made.subplots(1, 2 * len(batch), width_ratios=[1, RELATIVE_WIDTH] * len(batch))
        for i, index in enumerate(arguments.images):
            left, right = axes[2 * i], axes[2 * i + 1]
            left.imshow(data.splits.test.images[index].permute(1, 2, 0).numpy(), cmap="gray_r")
            path = classifier.network.scan.path().numpy()
            if len(set(path[:, 1])) > 1:  # whole rows are read from top to bottom, as the panel beside shows
                left.plot(path[:, 1], path[:, 0], "-", color=colour(1), linewidth=0.8, alpha=0.7)
            left.set_title(f"label {names[int(data.splits.test.labels[index])]}")
            left.set_xticks([])
            left.set_box_aspect(1)
            right.set_box_aspect(1 / RELATIVE_WIDTH)  # as high as the image, so that a row stands beside its answer
            right.imshow(probabilities[i], cmap="cividis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
            right.set_xticks(range(len(names)), names, fontsize=7, rotation=0 if max(map(len, names)) < 3 else 90)
            right.set_title("probabilities so far")
            for panel in (left, right):
                panel.set_yticks([])
                panel.grid(False)


if __name__ == "__main__":
    main()
