"""ONNX: the whole network as a graph, images (B, C, H, W) -> logits and probabilities (B, K), for batches of any size.

LSTM, GRU and RNN are the operators of these names, other recurrences a Scan over time. The images are normalised as
the card says. How many tokens there are is decided by the size of the images, which is fixed.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.atomic import replaced
from rnnvision.inference.export.card import KEY, card_of, dumped
from rnnvision.inference.export.quantise import quantised
from rnnvision.inference.export.tracing.graphs import BATCH, EXAMPLES, require, to_onnx, trace
from rnnvision.inference.export.tracing.kernels import with_operators
from rnnvision.inference.export.tracing.portable import portable

if TYPE_CHECKING:
    from onnx import ModelProto

    from rnnvision.inference.classifier import Classifier


class Answers(nn.Module):
    """images -> logits and probabilities."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(images)
        return logits, (logits / self.temperature).softmax(dim=-1)


def write_onnx(classifier: "Classifier", path: Path, *, quantize: bool = False) -> None:
    """Write the network of a classifier as ONNX, with its card in `metadata_props`."""
    require("onnx", "onnxscript")
    shape, classes = classifier.input_shape, len(classifier.class_names)
    network = Answers(with_operators(portable(classifier.network)), classifier.temperature)
    program = trace(network, (torch.zeros(EXAMPLES, *shape),), str(classifier.path))
    graph = to_onnx(program, ["images"], ["logits", "probabilities"], str(classifier.path))
    graph = quantised(graph) if quantize else graph
    answers = {"dtype": "float32", "shape": [BATCH, classes]}
    write_graph(
        graph,
        classifier,
        path,
        "onnx",
        inputs={"images": {"dtype": "float32", "shape": [BATCH, *shape], "normalised": True}},
        outputs={"logits": answers, "probabilities": answers},
    )


def write_graph(graph: "ModelProto", classifier: "Classifier", path: Path, format: str, **interface: Any) -> None:
    """Write a graph with its card, which says what its inputs and outputs are."""
    graph.producer_name = "rnnvision"
    card = card_of(classifier, format, content_of(graph), **interface)
    entry = graph.metadata_props.add()
    entry.key, entry.value = KEY, dumped(card)
    with replaced(path) as temporary:
        temporary.write_bytes(graph.SerializeToString(deterministic=True))


def content_of(graph: "ModelProto") -> str:
    """The digest of a graph without its card."""
    without = type(graph)()
    without.CopyFrom(graph)
    del without.metadata_props[:]
    return hashlib.sha256(without.SerializeToString(deterministic=True)).hexdigest()
