"""Networks of ONNX files: onnxruntime behind `forward`, so that a Classifier, `evaluate` and `predict` use them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.inference.export.card import KEY, check_answers, check_content, num_classes, parsed
from rnnvision.inference.export.onnx_file import content_of
from rnnvision.inference.export.tracing.graphs import BATCH, parts, quiet, require
from rnnvision.nn.scan import Scan
from rnnvision.signature import parameters
from rnnvision.training import CheckpointError

if TYPE_CHECKING:
    from onnx import ModelProto

State = tuple[Tensor, ...]


def read_onnx(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of an ONNX file that this project exported, whole or step, and its card.

    Raises:
        CheckpointError: for a file that is damaged, has no card or one that is not its own, or that cannot be run.
        ExportError: where onnx or onnxruntime is missing.
    """
    require("onnx", "onnxruntime")
    graph = _parsed(path)
    text = next((entry.value for entry in graph.metadata_props if entry.key == KEY), None)
    _check_external(graph, path)
    card = parsed(text, path)
    check_content(card, content_of(graph), path)
    session = _session(path)
    _check_interface(session, card, path)
    kind = OnnxStepNetwork if card["exported"].get("format") == "step" else OnnxNetwork
    try:
        network = kind(session, card).eval()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: its card is wrong: {type(error).__name__}: {error}") from error
    check_answers(network, card, path)
    return network, card


class OnnxNetwork(nn.Module):
    """A whole network: images (B, C, H, W) -> logits (B, K)."""

    no_stream = "a graph of the whole network reads whole images; export the checkpoint with format=step"

    def __init__(self, session: Any, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.session = session

    def forward(self, images: Tensor) -> Tensor:
        (logits,) = self.session.run(["logits"], {"images": images.float().cpu().numpy()})
        return torch.from_numpy(logits).to(images.device)


class OnnxStepNetwork(nn.Module):
    """One time step, applied to token after token; it is read as `rnnvision.nn.SequenceClassifier` is."""

    is_causal = True
    no_stream = None

    def __init__(self, session: Any, card: Mapping[str, Any]) -> None:
        super().__init__()
        self.session = session
        arguments = card["network"]
        self.scan = Scan(**{key: arguments[key] for key in parameters(Scan) if key in arguments})
        inputs = card["exported"]["inputs"]
        self.states = {name: about for name, about in inputs.items() if name != "token"}

    def initial_state(self, batch_size: int) -> State:
        """The state before the first token."""
        return tuple(
            torch.full((batch_size, *about["shape"][1:]), float(about["initial"])).to(getattr(torch, about["dtype"]))
            for about in self.states.values()
        )

    def step(self, token: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one token: (B, F) -> logits (B, K) and the state after it."""
        given = {name: tensor.cpu().numpy() for name, tensor in zip(self.states, state, strict=True)}
        outputs = ["logits", *(about["next"] for about in self.states.values())]
        logits, *after = self.session.run(outputs, {"token": token.float().cpu().numpy(), **given})
        return torch.from_numpy(logits).to(token.device), tuple(torch.from_numpy(tensor) for tensor in after)

    def forward_anytime(self, images: Tensor) -> Tensor:
        """Logits after each token: (B, C, H, W) -> (B, T, K)."""
        state, logits = self.initial_state(images.shape[0]), []
        for token in self.scan(images).unbind(1):
            answer, state = self.step(token, state)
            logits.append(answer)
        return torch.stack(logits, dim=1)

    def forward_with_anytime(self, images: Tensor) -> tuple[Tensor, Tensor]:
        anytime = self.forward_anytime(images)
        return anytime[:, -1], anytime

    def forward(self, images: Tensor) -> Tensor:
        return self.forward_anytime(images)[:, -1]


def _parsed(path: Path) -> "ModelProto":
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is no ONNX file, or is cut short") from error
    if not graph.HasField("graph"):
        raise CheckpointError(f"{path}: is no ONNX file, or is cut short")
    return graph


def _check_external(graph: "ModelProto", path: Path) -> None:
    """Refuse weights in files outside the folder: a file must not make this program read others."""
    folder = path.parent.resolve()
    for part in parts(graph):
        tensors = [*getattr(part, "initializer", [])]
        for attribute in (attribute for node in part.node for attribute in node.attribute):
            tensors += [attribute.t, *attribute.tensors]
        tensors += [
            part for sparse in getattr(part, "sparse_initializer", []) for part in (sparse.values, sparse.indices)
        ]
        for tensor in tensors:
            place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
            if place and not (folder / place).resolve().is_relative_to(folder):
                raise CheckpointError(f"{path}: asks for weights in {place}, which is outside its folder")
            if place and not (folder / place).is_file():
                raise CheckpointError(f"{path}: asks for weights in {place}, which is no file")


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said below, once
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        with quiet():
            return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it raises a type of its own for each status
        told = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: onnxruntime {onnxruntime.__version__} cannot run it: {told}") from error


def _check_interface(session: Any, card: Mapping[str, Any], path: Path) -> None:
    """Check that a graph has the inputs and outputs that its card says, and as many classes."""
    exported = card["exported"]
    for kind, values in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        found = {value.name: list(value.shape) for value in values}
        told = exported.get(kind, {})
        if not isinstance(told, dict) or not all(
            isinstance(about, dict) and isinstance(about.get("shape"), list) for about in told.values()
        ):
            raise CheckpointError(f"{path}: its card is wrong: {kind}")
        for name, about in told.items():
            if found.get(name, [])[1:] != about["shape"][1:]:
                raise CheckpointError(f"{path}: {name} is {found.get(name)} and its card says {about['shape']}")
    logits = {value.name: list(value.shape) for value in session.get_outputs()}.get("logits", [])
    if logits != [BATCH, num_classes(card)]:
        raise CheckpointError(f"{path}: gives logits {logits} and its card names {num_classes(card)} classes")
