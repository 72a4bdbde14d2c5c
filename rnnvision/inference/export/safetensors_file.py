"""safetensors: the weights alone, under the names that they have in the network, with the card in the header.

The network is built anew from the card, so that what is read trains, streams and explains itself as any other.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from rnnvision.atomic import replaced
from rnnvision.inference.export.card import KEY, card_of, check_content, dumped, parsed
from rnnvision.inference.export.tracing.graphs import require
from rnnvision.training import CheckpointError, load_network
from rnnvision.training.checkpoint import NETWORK
from rnnvision.training.saving.content import digest

if TYPE_CHECKING:
    from rnnvision.inference.classifier import Classifier


def write_safetensors(classifier: "Classifier", path: Path) -> None:
    """Write the weights of a classifier, with its card in the header's metadata."""
    weights = weights_of(classifier)
    write(weights, card_of(classifier, "safetensors", digest(weights)), path)


def weights_of(classifier: "Classifier") -> dict[str, Tensor]:
    """On the CPU, each in memory of its own, sorted by name as safetensors reads them."""
    state = classifier.network.state_dict()
    return {name: state[name].detach().cpu().clone().contiguous() for name in sorted(state)}


def write(weights: dict[str, Tensor], card: dict[str, Any], path: Path) -> None:
    require("safetensors")
    from safetensors.torch import save

    with replaced(path) as temporary:
        temporary.write_bytes(save(weights, metadata={"format": "pt", KEY: dumped(card)}))


def read_safetensors(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network of a safetensors file that this project exported, and its card.

    Raises:
        CheckpointError: for a file that is damaged, or has no card, or one that is not its own.
        ExportError: where safetensors is missing.
    """
    weights, metadata = content_of(path)
    card = parsed(metadata.get(KEY), path)
    check_content(card, digest(weights), path)
    checkpoint = {"rnnvision": card, "state_dict": {f"{NETWORK}{name}": v for name, v in weights.items()}}
    return load_network(checkpoint, path, classifies=True), card


def content_of(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The weights of a safetensors file, whoever made it, and its metadata.

    Raises:
        CheckpointError: for a file that is damaged.
        ExportError: where safetensors is missing.
    """
    require("safetensors")
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in sorted(file.keys())}, file.metadata() or {}
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is no safetensors file, or is damaged: {error}") from error
