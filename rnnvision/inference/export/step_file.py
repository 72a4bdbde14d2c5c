"""ONNX step: one token and the state before it -> logits, probabilities and the state after it.

For streams of any length elsewhere, such as in a browser: memory does not grow. The card says how an image is cut into
tokens (`exported.tokens`), and for each tensor of the state its input, its output (`next`), and the value of all its
entries before the first token (`initial`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.inference.export.card import ExportError
from rnnvision.inference.export.onnx_file import write_graph
from rnnvision.inference.export.quantise import quantised
from rnnvision.inference.export.tracing.graphs import BATCH, EXAMPLES, require, to_onnx, trace
from rnnvision.inference.export.tracing.kernels import with_operators
from rnnvision.inference.export.tracing.portable import portable
from rnnvision.nn.streaming import no_stream

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier


def flat(state: Any) -> list[Tensor]:
    """The tensors in nested tuples, in order."""
    return [state] if isinstance(state, Tensor) else [tensor for part in state for tensor in flat(part)]


def nested(tensors: list[Tensor], like: Any) -> Any:
    """The inverse of `flat`, in the form of `like`; takes the tensors out of the list."""
    return tensors.pop(0) if isinstance(like, Tensor) else tuple(nested(tensors, part) for part in like)


class Step(nn.Module):
    """token and the tensors of the state -> logits, probabilities, the tensors of the next state."""

    def __init__(self, network: Any, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature
        self.form = network.initial_state(1)

    def forward(self, token: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        logits, after = self.network.step(token, nested(list(state), self.form))
        # No output may be an input or another output.
        return logits, (logits / self.temperature).softmax(dim=-1), *(tensor.clone() for tensor in flat(after))


def write_step(classifier: "Classifier", path: Path, *, quantize: bool = False) -> None:
    """Write one time step of a classifier as ONNX, with its card in `metadata_props`.

    Raises:
        ExportError: for a network that cannot be read token by token.
    """
    require("onnx", "onnxscript")
    network = classifier.network
    if reason := no_stream(network):
        raise ExportError(f"{classifier.path}: cannot be read token by token: {reason}; choose format=onnx")
    step = Step(with_operators(portable(network)), classifier.temperature).eval()
    before = flat(step.network.initial_state(EXAMPLES))
    tokens, classes = torch.zeros(EXAMPLES, network.scan.token_size), len(classifier.class_names)
    names = [f"state_{i}" for i in range(len(before))]
    nexts = [f"next_{name}" for name in names]
    program = trace(step, (tokens, tuple(before)), str(classifier.path))
    graph = to_onnx(program, ["token", *names], ["logits", "probabilities", *nexts], str(classifier.path))
    graph = quantised(graph) if quantize else graph
    answers = {"dtype": "float32", "shape": [BATCH, classes]}
    state = {name: _described(tensor, after) for name, tensor, after in zip(names, before, nexts, strict=True)}
    write_graph(
        graph,
        classifier,
        path,
        "step",
        inputs={"token": {"dtype": "float32", "shape": [BATCH, tokens.shape[1]], "normalised": True}, **state},
        outputs={"logits": answers, "probabilities": answers},
    )


def _described(state: Tensor, after: str) -> dict[str, Any]:
    initial = state.flatten()[0].item()
    assert bool((state == initial).all()), "a state begins with one value in all its entries"
    return {
        "dtype": str(state.dtype).removeprefix("torch."),
        "shape": [BATCH, *state.shape[1:]],
        "initial": initial if initial != -torch.inf else "-inf",  # JSON has no infinity
        "next": after,
    }
