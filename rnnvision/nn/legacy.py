"""Backward compatibility: descriptions and weights of networks of earlier versions, converted to the current form."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

# In format 1 the options of a layer were among the network's own arguments, null where they were not given.
LAYER_OPTIONS = ("weight_init", "gate_bias", "num_heads", "state_size", "r_min", "r_max", "max_phase")
STACKS = ("sequence_classifier", "encoder_decoder", "renet", "sequencer2d")  # the networks that pass them on


def current_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `build` with the layer's options under `layer`; current ones are returned unchanged."""
    if arguments.get("name") not in STACKS:
        return dict(arguments)
    kept = {key: value for key, value in arguments.items() if key not in LAYER_OPTIONS}
    moved = {key: arguments[key] for key in LAYER_OPTIONS if arguments.get(key) is not None}
    return {**kept, "layer": {**moved, **(kept.get("layer") or {})}} if moved else kept


def current_weights(name: str, weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """A state dict under current names: the recurrence of an encoder-decoder used to be called its encoder."""
    old, new = f"{prefix}encoder.", f"{prefix}recurrence."
    if name != "encoder_decoder":
        return dict(weights)
    return {new + key.removeprefix(old) if key.startswith(old) else key: value for key, value in weights.items()}
