"""Checkpoints in the form of earlier versions, made from new ones."""

from pathlib import Path
from typing import Any

from rnnvision.nn.legacy import LAYER_OPTIONS
from rnnvision.training import VerifiedCheckpointIO, read_checkpoint


def flat(arguments: dict[str, Any]) -> dict[str, Any]:
    """Options of the layer among the network's own arguments, null where they are not given."""
    own = {key: value for key, value in arguments.items() if key != "layer"}
    return {**own, **dict.fromkeys(LAYER_OPTIONS), **(arguments.get("layer") or {})}


def to_format_1(path: Path) -> None:
    """Rewrite a checkpoint in place."""
    checkpoint = read_checkpoint(path)
    network = checkpoint["rnnvision"]["network"]
    checkpoint["rnnvision"] |= {"format": 1, "network": flat(network)}
    if network["name"] == "encoder_decoder":
        for entry in {"state_dict", "current_model_state"} & checkpoint.keys():
            old = {key.replace("network.recurrence.", "network.encoder."): w for key, w in checkpoint[entry].items()}
            assert old.keys() != checkpoint[entry].keys()
            checkpoint[entry] = old
    VerifiedCheckpointIO().save_checkpoint(checkpoint, path)
