"""How long one image takes: the network itself, its .pt2 program and its ONNX graph, as a Markdown table.

python scripts/export_latency.py                 networks of 128 features over 28 x 28 images, with random weights
python scripts/export_latency.py RUN [RUN ...]   trained networks

The median of many, in milliseconds, with torch's threads (OMP_NUM_THREADS); worth something on a quiet machine only.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

import rnnvision
from rnnvision.inference import Classifier
from rnnvision.inference.export import FORMATS
from rnnvision.inference.export.measure import largest_difference, latency
from rnnvision.nn import build

SHAPE = {"input_shape": [1, 28, 28], "num_classes": 10}
ROWS = {"name": "sequence_classifier", "hidden_size": 128, **SHAPE}
NETWORKS: dict[str, dict[str, Any]] = {
    **{
        f"{kind}, rows": {**ROWS, "recurrence": kind}
        for kind in ("lstm", "gru", "rnn", "mingru", "lru", "mlstm", "ur_lstm")
    },
    "lstm x 2, both directions, rows": {**ROWS, "recurrence": "lstm", "num_layers": 2, "bidirectional": True},
    "lstm, pixels": {**ROWS, "recurrence": "lstm", "scan": "pixels"},
    "lru, pixels": {**ROWS, "recurrence": "lru", "scan": "pixels"},
    "encoder_decoder, lstm": {**ROWS, "name": "encoder_decoder"},
    "renet, gru 64": {"name": "renet", **SHAPE},
    "resnet18": {"name": "resnet18", **SHAPE},
}


def main(runs: list[str]) -> None:
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; p50 of one image, ms\n")
    print("| network | eager | .pt2 | onnxruntime | onnxruntime / eager | largest difference of logits |")
    print("|---|---|---|---|---|---|")
    for name, classifier in _classifiers(runs):
        image = torch.zeros(1, *classifier.input_shape)
        taken = [latency(classifier.network, image)]
        with TemporaryDirectory() as folder:
            for format in ("torch_export", "onnx"):
                file = Path(folder) / FORMATS[format].file
                FORMATS[format].write(classifier, file)
                exported = rnnvision.load(file)
                taken.append(latency(exported.network, image))
            difference, _ = largest_difference(classifier, exported)
        figures = " | ".join(f"{ms:.2f}" for ms in taken)
        print(f"| {name} | {figures} | {taken[-1] / taken[0]:.2f} | {difference:.1e} |", flush=True)


def _classifiers(runs: list[str]) -> Iterator[tuple[str, Classifier]]:
    if runs:
        yield from ((run, rnnvision.load(run)) for run in runs)
        return
    for name, network in NETWORKS.items():
        torch.manual_seed(0)
        description = {
            "network": network,
            "class_names": [str(digit) for digit in range(10)],
            "normalisation": {"mean": [0.1307], "std": [0.3081]},
        }
        yield name, Classifier(build(**network).eval(), description, Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
