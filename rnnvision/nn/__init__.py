"""Networks: plain `torch.nn` modules, made by name with `build`.

Imports torch and nothing else; `torchvision_controls` asks for torchvision when one of its networks is made.

>>> from rnnvision.nn import build
>>> network = build("sequence_classifier", input_shape=(1, 28, 28), num_classes=10, recurrence="gru")
"""

import inspect
from typing import Any

from torch import nn

from rnnvision.checks import choose_one, one_of
from rnnvision.nn.controls.feedforward import CONTROLS
from rnnvision.nn.controls.svm import SVMS
from rnnvision.nn.controls.torchvision_networks import TORCHVISION_CONTROLS
from rnnvision.nn.glimpse import ATTENTIONS
from rnnvision.nn.layers.layer import RecurrentLayer
from rnnvision.nn.networks.encoder_decoder import EncoderDecoder
from rnnvision.nn.networks.renet import ReNet
from rnnvision.nn.networks.sequence_classifier import SequenceClassifier
from rnnvision.nn.networks.sequencer import Sequencer2D
from rnnvision.nn.networks.vision_lstm import VisionLSTM
from rnnvision.nn.readout import READOUTS
from rnnvision.nn.recurrence import RECURRENCES
from rnnvision.nn.scan import ORDERS, SCANS, Scan

# What a checkpoint may name and a config may build. Nothing outside this table is ever made from a file.
MODELS: dict[str, type[nn.Module]] = {
    "sequence_classifier": SequenceClassifier,
    "renet": ReNet,
    "sequencer2d": Sequencer2D,
    "vision_lstm": VisionLSTM,
    "encoder_decoder": EncoderDecoder,
    **CONTROLS,
    **TORCHVISION_CONTROLS,
    **SVMS,
}


def build(name: str, **arguments: Any) -> nn.Module:
    """Make the network called `name` in `MODELS` with its keyword arguments.

    Raises:
        ValueError: for an unknown name, an argument that this network does not have, or as its constructor does.
    """
    one_of("name", name, MODELS)
    legal = list(inspect.signature(MODELS[name]).parameters)
    for argument, value in arguments.items():
        if argument not in legal:
            raise ValueError(f"{argument}={value}: {name} has no such argument; {choose_one(argument, legal)}")
    return MODELS[name](**arguments)


__all__ = [
    "ATTENTIONS",
    "MODELS",
    "ORDERS",
    "READOUTS",
    "RECURRENCES",
    "SCANS",
    "EncoderDecoder",
    "ReNet",
    "RecurrentLayer",
    "Scan",
    "SequenceClassifier",
    "Sequencer2D",
    "VisionLSTM",
    "build",
]
