"""Draw where an encoder-decoder looks: each image, what each glimpse looks at, and the answer after it.

python scripts/draw_glimpses.py logs/train/latest docs/images/glimpses.png
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

import rnnvision
from rnnvision.data import ImageData
from rnnvision.errors import UsageError
from rnnvision.nn import EncoderDecoder
from rnnvision.report.style import colour, figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    network, names = classifier.network, classifier.class_names
    if not isinstance(network, EncoderDecoder):
        parser.error(f"{arguments.ckpt}: takes no glimpses; draw a run of model=encoder_decoder")
    data = ImageData.of_checkpoint(classifier.description)
    batch = next(iter(data.test_dataloader()))[0][arguments.images]
    with torch.no_grad():
        probabilities = network.forward_anytime(batch).softmax(dim=-1)  # (B, K, num_classes)
        maps = network.attention_maps(batch)  # (B, K, H, W)

    rows, columns = len(batch), 1 + network.num_glimpses
    with figure(arguments.picture, 1.7 * columns, 1.95 * rows) as made:
        axes = made.subplots(rows, columns, squeeze=False)
        for i, index in enumerate(arguments.images):
            image = data.splits.test.images[index].permute(1, 2, 0).numpy()  # (H, W, C)
            axes[i, 0].imshow(image, cmap="gray_r")
            axes[i, 0].set_title(f"label {names[int(data.splits.test.labels[index])]}", fontsize=9)
            for k in range(network.num_glimpses):
                _draw_glimpse(axes[i, k + 1], image, maps[i, k])
                best = probabilities[i, k].topk(2)
                guesses = ", ".join(f"{names[int(c)]} {p:.0%}" for c, p in zip(best.indices, best.values, strict=True))
                axes[i, k + 1].set_title(f"{k + 1}: {guesses}", fontsize=8)
        for axis in axes.flat:
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(False)


def _draw_glimpse(axis: "Axes", image: np.ndarray, weights: Tensor) -> None:
    """The image, and over it the weight of each token, most opaque where this glimpse looks most."""
    from matplotlib.colors import to_rgb

    axis.imshow(image, cmap="gray_r", alpha=0.6)
    overlay = torch.empty(*weights.shape, 4)  # (H, W, RGBA)
    overlay[..., :3] = torch.tensor(to_rgb(colour(1)))
    overlay[..., 3] = 0.85 * weights / weights.max()
    axis.imshow(overlay.numpy())


if __name__ == "__main__":
    main()
