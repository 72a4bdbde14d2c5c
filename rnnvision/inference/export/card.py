"""The card: what an exported file says of itself, as JSON.

It is what the checkpoint says of itself (`rnnvision.training.checkpoint`: network, class_names, normalisation, data,
temperature, versions ...), so that `evaluate` and `predict` work on the file, and one more entry:

    exported   card       1, the format of this entry
               format     onnx, step, torch_export, safetensors, hub
               weights    SHA-256 of the weights that were exported: the same in every format
               content    SHA-256 of what this file holds, verified on reading
               tokens     of a network that reads a sequence: how an image is cut into tokens, and their order
               inputs     of a graph: name -> dtype, shape, and what else there is to know
               outputs    of a graph: name -> dtype, shape
               versions   of Python and of the packages that exported it

The file adds `digest`, SHA-256 of the rest of the card, verified on reading.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rnnvision.errors import UsageError
from rnnvision.training import CheckpointError
from rnnvision.training.reading.description import wrong_in
from rnnvision.training.saving.content import digest

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier

CARD = 1
KEY = "rnnvision"  # under which a file's metadata holds the card
INT64 = "int64"  # a tensor is {"int64": its values}: the record of a user's files holds some


class ExportError(UsageError):
    """A network or a file that cannot be exported, one line for the user."""


def card_of(classifier: "Classifier", format: str, content: str, **graph: Any) -> dict[str, Any]:
    """The card of a file of this format with this digest; `graph`: inputs and outputs."""
    network = classifier.network
    tokens = {"tokens": _tokens(network.scan)} if hasattr(network, "scan") else {}
    exported = {"card": CARD, "format": format, "weights": digest(dict(network.state_dict())), "content": content}
    return {**classifier.description, "exported": {**exported, **tokens, **graph, "versions": _versions()}}


def dumped(card: Mapping[str, Any]) -> str:
    """With its digest, as ASCII, whatever the names of the classes."""
    return _text({**card, "digest": _digest(card)})


def _text(card: Mapping[str, Any]) -> str:
    return json.dumps(card, default=_listed)


def _digest(card: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(card).encode()).hexdigest()


def _listed(value: Any) -> dict[str, Any]:
    if isinstance(value, Tensor) and value.dtype == torch.int64:
        return {INT64: value.tolist()}
    raise TypeError(f"a card holds plain values, not {value!r}")


def _tensor(entry: dict[str, Any]) -> Any:
    return torch.tensor(entry[INT64], dtype=torch.int64) if entry.keys() == {INT64} else entry


def parsed(text: str | bytes | None, path: Path) -> dict[str, Any]:
    """The card of a file, checked as far as every format needs it.

    Raises:
        CheckpointError: if there is none, or it is none of this project.
    """
    try:
        card = json.loads(text or "null", object_hook=_tensor)
    except (ValueError, TypeError, RuntimeError):  # the last two of what is no tensor
        card = None
    if not isinstance(card, dict) or not isinstance(card.get("exported"), dict):
        raise CheckpointError(f"{path}: has no card of rnnvision, which says what its classes and its images are")
    if card["exported"].get("card") != CARD:
        raise CheckpointError(f"{path}: has a card of format {card['exported'].get('card')}; this version reads {CARD}")
    if card.pop("digest", None) != _digest(card):
        raise CheckpointError(f"{path}: is damaged or changed, the digest of its card does not match")
    if wrong := _wrong(card) or wrong_in(card):
        raise CheckpointError(f"{path}: its card is wrong: {wrong}")
    return card


def check_content(card: Mapping[str, Any], content: str, path: Path) -> None:
    """Check that a file holds what was exported."""
    if card["exported"].get("content") != content:
        raise CheckpointError(f"{path}: is damaged or changed, its digest does not match")


def check_answers(network: nn.Module, card: Mapping[str, Any], path: Path) -> None:
    """Check on one empty image that what a file computes is what its card says.

    Raises:
        CheckpointError: if it fails, or gives other logits.
    """
    image = torch.zeros(1, *card["network"]["input_shape"])
    try:
        with torch.inference_mode():
            logits = network(image)
    except Exception as error:  # it is a program, which can fail in any way
        told = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: its network cannot be run: {type(error).__name__}: {told}") from error
    if not isinstance(logits, Tensor) or logits.shape != (1, num_classes(card)) or not logits.isfinite().all():
        raise CheckpointError(f"{path}: its network does not give a finite number for each of its classes")


def num_classes(card: Mapping[str, Any]) -> int:
    return len(card["class_names"])


def _wrong(card: Mapping[str, Any]) -> str | None:
    network, names, normalisation = card.get("network"), card.get("class_names"), card.get("normalisation")
    if not isinstance(network, dict) or not isinstance(network.get("name"), str):
        return "network names none"
    shape = network.get("input_shape")
    if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(n, int) and n > 0 for n in shape)):
        return f"network.input_shape={shape}"
    if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
        return f"class_names={names}"
    if network.get("num_classes", len(names)) != len(names):
        return f"{len(names)} class_names and network.num_classes={network['num_classes']}"
    for key in ("mean", "std"):
        values = normalisation.get(key) if isinstance(normalisation, dict) else None
        if not (isinstance(values, list) and len(values) == shape[0] and all(isinstance(v, float) for v in values)):
            return f"normalisation.{key}={values}"
    return None


def _tokens(scan: nn.Module) -> dict[str, Any]:
    """How an image becomes tokens: the features of one are ordered (channel, row, column)."""
    made: Any = scan
    return {
        "count": made.num_tokens,
        "features": made.token_size,
        "shape": list(made.token_shape),  # height and width in pixels
        "grid": list(made.grid),  # rows and columns of tokens
        "margin": made.margin,  # pixels at each side that are not read
        "order": made.order.tolist(),  # raster index of the token that is read at each time step
    }


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("rnnvision", "torch", "onnx", "onnxscript", "onnxruntime", "safetensors"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
