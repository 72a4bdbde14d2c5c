"""Draw anytime curves: the accuracy of each network on its test split after each token, and where it stops when sure.

python scripts/draw_anytime.py docs/images/anytime.png "rows=logs/train/runs/A" "columns=logs/train/runs/B"

Prints a row a network: its area, its accuracy at the end, and what `stop_at` costs and saves.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

import rnnvision
from rnnvision.data import ImageData
from rnnvision.errors import UsageError
from rnnvision.inference import Classifier
from rnnvision.inference.early import tokens_of
from rnnvision.inference.predict import PATIENCE
from rnnvision.insight import anytime_curve, stop_when_sure
from rnnvision.report.style import LINES, colour, figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="the file to write")
    parser.add_argument("runs", nargs="+", metavar="NAME=CKPT", help="a name and a run folder or checkpoint")
    parser.add_argument("--stop-at", type=float, default=0.95, help="the probability at which reading ends")
    arguments = parser.parse_args()

    print("| network | area | accuracy | stopped | tokens read |\n|---|---|---|---|---|")
    with figure(arguments.picture, 6.4, 3.6) as made:
        axes = made.subplots()
        for number, word in enumerate(arguments.runs):
            name, _, path = word.rpartition("=")
            try:
                classifier = rnnvision.load(path)
            except UsageError as error:
                parser.error(str(error))
            batches = list(test_images(classifier))
            curve = anytime_curve(classifier.network, batches, classifier.temperatures)
            axes.plot(
                curve.share * 100,
                curve.accuracy * 100,
                color=colour(number),
                linestyle=LINES[number % len(LINES)],
                label=name or path,
            )
            stopped, tokens, total = stopping(classifier, batches, arguments.stop_at)
            axes.plot(tokens / total * 100, stopped * 100, color=colour(number), marker="o")
            accuracy = float(curve.accuracy[-1])
            print(f"| {name} | {curve.area:.4f} | {accuracy:.4f} | {stopped:.4f} | {tokens:.1f} of {total} |")
        axes.set(xlabel="share of the image read, %", ylabel="test accuracy, %", xlim=(0, 100), ylim=(0, 100))
        axes.legend(frameon=False, loc="upper left")


def test_images(classifier: Classifier) -> "list[tuple[Tensor, Tensor]]":
    """The test split, normalised, in batches."""
    data = ImageData.of_checkpoint(classifier.description, parts=("test",))
    return [(images, labels) for images, labels in data.test_dataloader()]


@torch.inference_mode()
def stopping(
    classifier: Classifier, batches: "list[tuple[Tensor, Tensor]]", stop_at: float
) -> tuple[float, float, int]:
    """The accuracy of `predict stop_at=...`, the tokens that it reads on average, and those of an image."""
    right, read, count, total = 0, 0, 0, 0
    for images, labels in batches:
        logits = classifier.network.forward_anytime(images)  # (B, T, K)
        probabilities, total = (logits / classifier.temperatures[:, None]).softmax(dim=-1), logits.shape[1]
        stop = stop_when_sure(probabilities, stop_at, tokens_of(PATIENCE, total))
        right, read = right + int((stop.answers == labels).sum()), read + int(stop.tokens.sum())
        count += len(labels)
    return right / count, read / count, total


if __name__ == "__main__":
    main()
