"""Networks: plain `torch.nn` modules, built by name with `build`.

Needs torch alone; `controls.torchvision_networks` imports torchvision when one of its networks is built.

Examples:
    >>> from rnnvision.nn import build
    >>> network = build("sequence_classifier", input_shape=(1, 28, 28), num_classes=10, recurrence="gru")
"""

import inspect
from typing import Any

from torch import nn

from rnnvision.checks import choose_one, one_of
from rnnvision.nn.controls.feedforward import CONTROLS
from rnnvision.nn.controls.svm import SVM, SVMS
from rnnvision.nn.controls.torchvision_networks import TORCHVISION_CONTROLS
from rnnvision.nn.exactness import is_exact_in_threads
from rnnvision.nn.glimpse import ATTENTIONS
from rnnvision.nn.layers import RECURRENCES, RecurrentLayer
from rnnvision.nn.networks.encoder_decoder import EncoderDecoder
from rnnvision.nn.networks.renet import ReNet
from rnnvision.nn.networks.sequence_classifier import SequenceClassifier
from rnnvision.nn.networks.sequencer import Sequencer2D
from rnnvision.nn.networks.vision_lstm import VisionLSTM
from rnnvision.nn.readout import READOUTS, Readout
from rnnvision.nn.scan import ORDERS, SCANS, Preset, Scan
from rnnvision.registry import Registry, subclass_of
from rnnvision.signature import parameters

# The networks that a checkpoint may name and a configuration may build; a file can instantiate nothing else.
MODELS: Registry[type[nn.Module]] = Registry(
    "network",
    {
        "sequence_classifier": SequenceClassifier,
        "renet": ReNet,
        "sequencer2d": Sequencer2D,
        "vision_lstm": VisionLSTM,
        "encoder_decoder": EncoderDecoder,
        **CONTROLS,
        **TORCHVISION_CONTROLS,
        **SVMS,
    },
    rule=subclass_of(nn.Module),
)


def build(name: str, **arguments: Any) -> nn.Module:
    """Build the network called `name` in `MODELS` with its keyword arguments.

    Raises:
        ValueError: for an unknown name, an argument that this network does not have, or a value that it rejects.
    """
    one_of("name", name, MODELS)
    legal = parameters(MODELS[name])
    for argument, value in arguments.items():
        if argument not in legal:
            raise ValueError(f"{argument}={value}: {name} has no such argument; {choose_one(argument, list(legal))}")
    return MODELS[name](**arguments)


def changed_arguments(name: str, **arguments: Any) -> dict[str, Any]:
    """The arguments of a network that differ from its constructor's defaults; the layer's options as `layer.KEY`.

    Examples:
        >>> changed_arguments("sequence_classifier", hidden_size=64, scan="rows", layer={"gate_bias": "chrono"})
        {'hidden_size': 64, 'layer.gate_bias': 'chrono'}
    """
    known = parameters(MODELS[name])
    given = {key: value for key, value in arguments.items() if known[key].default is not inspect.Parameter.empty}
    layer = given.pop("layer", None) or {}
    changed = {key: value for key, value in given.items() if value != _listed(known[key].default)}
    return changed | {f"layer.{key}": value for key, value in layer.items() if value is not None}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def fits_in_one_go(name: str) -> bool:
    """Whether a network is fitted in one go by `rnnvision.training.svm_fit` instead of being trained over epochs."""
    return issubclass(MODELS[name], SVM)


__all__ = [
    "ATTENTIONS",
    "MODELS",
    "ORDERS",
    "READOUTS",
    "RECURRENCES",
    "SCANS",
    "EncoderDecoder",
    "Preset",
    "ReNet",
    "Readout",
    "RecurrentLayer",
    "Scan",
    "SequenceClassifier",
    "Sequencer2D",
    "VisionLSTM",
    "build",
    "changed_arguments",
    "fits_in_one_go",
    "is_exact_in_threads",
]
